"""Models as folders: written, read, shared.

A folder holds weights as safetensors and everything else as JSON; reading it runs nothing and
unpickles nothing. ``from_pretrained`` is :func:`read_model`: it reads run folders too.

Names are imported when they are first used: the command line looks at this room for its help.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docre.hub.contents import ModelContents as ModelContents
    from docre.hub.contents import read_model as from_pretrained
    from docre.hub.contents import read_model as read_model
    from docre.hub.remote import push_to_hub as push_to_hub
    from docre.hub.saving import save_pretrained as save_pretrained

_HOMES = {
    "ModelContents": ("contents", "ModelContents"),
    "from_pretrained": ("contents", "read_model"),
    "push_to_hub": ("remote", "push_to_hub"),
    "read_model": ("contents", "read_model"),
    "save_pretrained": ("saving", "save_pretrained"),
}
__all__ = ["ModelContents", "from_pretrained", "push_to_hub", "read_model", "save_pretrained"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'docre.hub' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"docre.hub.{module}"), attribute)
