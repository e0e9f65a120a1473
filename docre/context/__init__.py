"""Contexts: what a document says about a pair."""

from docre.context.base import Context, ContextFactory
from docre.context.grid_u_net import GridUNet
from docre.context.localized import LocalizedContext, shared_attention
from docre.context.u_net import UNetContext

__all__ = [
    "Context",
    "ContextFactory",
    "GridUNet",
    "LocalizedContext",
    "UNetContext",
    "shared_attention",
]
