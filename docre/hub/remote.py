"""The model hub: folders fetched from it and pushed to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

from docre.errors import DocreError
from docre.hub.contents import ModelContents
from docre.hub.exported_folder import (
    CALIBRATION,
    CARD,
    CONFIG,
    FACTS,
    TOKENIZER,
    WEIGHTS,
    is_exported,
)
from docre.hub.manifest import NAME, check_manifest

# What a model is made of: of an older one in the same repository nothing of it may stay.
_PARTS = (CONFIG, WEIGHTS, f"{TOKENIZER}/*", CALIBRATION, FACTS, NAME)
# Nothing else is fetched, whatever else a repository has.
_FILES = (*_PARTS, CARD)
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class HubApi(Protocol):
    """What of ``huggingface_hub.HfApi`` is used."""

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> Any:
        """Make a repository that is not there."""

    def upload_folder(
        self, *, repo_id: str, folder_path: str, commit_message: str, delete_patterns: list[str]
    ) -> Any:
        """Put the files of a folder into it; others that fit a pattern are deleted with that."""


def is_hub_name(source: str) -> bool:
    """Say whether a text can be the name of a model on the hub."""
    return _HUB_NAME.fullmatch(source) is not None and not source.startswith((".", "/"))


def is_on_hub(source: str | Path) -> bool:
    """Say whether a model is to be looked for on the hub: it is nothing of this machine.

    ``runs/none`` beside a folder ``runs`` is a run that is not there, and no name to ask for.
    """
    path = Path(source)
    return is_hub_name(str(source)) and not path.exists() and not path.parent.is_dir()


def download(name: str, revision: str | None = None, offline: bool = False) -> Path:
    """Fetch a model from the hub, or find it in the cache, and return its folder.

    Args:
        name: Such as ``org/name``.
        revision: Branch, tag or commit.
        offline: Never use the network; also set by ``DOCRE_OFFLINE=1`` and its like.

    Raises:
        DocreError: If it cannot be had, or is not a model of docre.
    """
    from huggingface_hub import snapshot_download

    from docre.data.download import is_offline

    offline = offline or is_offline()
    try:
        folder = snapshot_download(
            name, revision=revision, allow_patterns=list(_FILES), local_files_only=offline
        )
    except Exception as error:  # those of the hub, or of whatever HTTP client it uses
        reason = " ".join(str(error).split())
        where = "on this machine (offline)" if offline else "on the hub"
        raise DocreError(
            f"no such folder, and no model {name} {where}: {reason}\nGive a run folder of docre "
            "fit, a folder of docre export, or org/name on the hub"
        ) from error
    if not is_exported(Path(folder)):
        raise DocreError(f"{name} on the hub is no model of docre: no config.json says so")
    return Path(folder)


def push_to_hub(
    model: ModelContents | str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    message: str = "A model of docre",
    api: HubApi | None = None,
) -> str:
    """Put a model onto the hub; of an older one in the same place nothing stays.

    Args:
        model: A folder of ``docre export``, or whatever :func:`save_pretrained` takes.
        repo_id: Such as ``org/name``; made if it is not there.
        private: Whether a repository that is made is private.
        token: To log in with; that of ``hf auth login`` if left out.
        message: Of the commit.
        api: Another client than ``huggingface_hub.HfApi``.

    Returns:
        The name to load it by.

    Raises:
        DocreError: If the folder is damaged, or the hub cannot be reached or refuses it.
    """
    from tempfile import TemporaryDirectory

    from huggingface_hub import HfApi

    from docre.hub.saving import save_pretrained

    if not is_hub_name(repo_id):
        raise DocreError(f"{repo_id!r} is no name on the hub: give org/name")
    chosen: HubApi = HfApi(token=token) if api is None else api
    with TemporaryDirectory() as place:
        if not isinstance(model, ModelContents) and is_exported(Path(model)):
            folder = Path(model)
        else:
            folder = save_pretrained(model, Path(place) / "model")
        check_manifest(folder)
        try:
            chosen.create_repo(repo_id, private=private, exist_ok=True)
            chosen.upload_folder(
                repo_id=repo_id,
                folder_path=str(folder),
                commit_message=message,
                delete_patterns=list(_PARTS),
            )
        except Exception as error:  # those of the hub, or of whatever HTTP client it uses
            reason = str(error) or type(error).__name__
            raise DocreError(f"the hub does not take {repo_id}: {reason}") from error
    return repo_id
