"""Contexts: what a document says about a pair."""

from docre.context.base import Context, ContextFactory
from docre.context.localized import LocalizedContext, shared_attention

__all__ = ["Context", "ContextFactory", "LocalizedContext", "shared_attention"]
