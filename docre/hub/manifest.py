"""Which files a folder consists of, with their checksums: seen before any of them is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from docre.data.checksums import sha256_of
from docre.errors import DocreError

NAME = "manifest.json"
# Raised when an older docre could not read what a newer one writes.
FORMAT_VERSION = 1
# Files that hold or can hold code. None is ever read, and a folder that has one is not ours.
_CODE = frozenset(
    {
        *(".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".sh", ".exe", ".jar"),
        *(".pkl", ".pickle", ".joblib", ".npy", ".npz", ".msgpack", ".onnx"),
        *(".bin", ".pt", ".pth", ".ckpt", ".h5"),
    }
)
# What is read; other files may lie beside it.
_READ = ("config.json", "model.safetensors", "calibration.json", "facts.json")
_READ_FOLDER = "tokenizer/"
# What people write into any folder, and hubs into theirs: never read, so it may be changed.
_FOR_PEOPLE = frozenset({".gitattributes", ".gitignore", "license", "license.txt", "notice"})
_SHOWN = frozenset({".md", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"})


def write_manifest(folder: Path) -> None:
    """Write the checksums of all files in a folder that are read: a card is there to be edited."""
    files = {
        path.relative_to(folder).as_posix(): {
            "size": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_for_people(path)
    }
    body = msgspec.json.encode({"format_version": FORMAT_VERSION, "files": files})
    (folder / NAME).write_bytes(msgspec.json.format(body, indent=1))


def check_manifest(folder: Path) -> None:
    """See that a folder is whole, unchanged, of a version that is known, and without code.

    Raises:
        DocreError: If it is not, with the file and what is wrong with it.
    """
    body = read_json(folder / NAME)
    check_version(body.get("format_version"), folder / NAME)
    files = body.get("files")
    if not isinstance(files, dict):
        raise DocreError(f"{folder / NAME} names no files")
    for name, known in files.items():
        _check_name(folder, name)
        if _is_for_people(Path(name)):
            continue  # an older docre named them
        if not isinstance(known, dict):
            raise DocreError(f"{folder / NAME}: {name} has no size and sha256")
        _check_file(folder / name, known)
    for needed in ("config.json", "model.safetensors"):
        if needed not in files:
            raise DocreError(f"{folder / NAME} does not name {needed}")
    for path in sorted(folder.rglob("*")):
        _check_found(folder, path, files)


def check_version(version: object, path: Path) -> None:
    """Refuse what a newer docre wrote.

    Args:
        version: What a file has as its ``format_version``.
        path: The file.

    Raises:
        DocreError: If it did, or that is no version.
    """
    if type(version) is not int or version < 1:  # True is an int, and no version
        raise DocreError(f"{path} has no format_version that is a number from 1 on: {version!r}")
    if version > FORMAT_VERSION:
        raise DocreError(
            f"{path} has format_version {version}, this docre reads up to {FORMAT_VERSION}: "
            "pip install -U docre"
        )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file.

    Raises:
        DocreError: If the file is not there or holds something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DocreError(f"{path} is missing: this is no whole folder of docre export") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DocreError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DocreError(f"{path} is damaged: it holds no object")
    return found


def _is_for_people(path: Path) -> bool:
    return path.name.lower() in _FOR_PEOPLE or path.suffix.lower() in _SHOWN


def _check_name(folder: Path, name: str) -> None:
    parts = name.split("/")
    if not name or "\\" in name or ":" in name or {"", ".", ".."} & set(parts):
        raise DocreError(f"{folder / NAME} names {name!r}, which is not within the folder")
    if Path(name).suffix.lower() in _CODE:
        raise DocreError(f"{folder / NAME} names {name}, which could hold code: it is not read")


def _check_file(path: Path, known: dict[str, Any]) -> None:
    if not path.is_file():
        raise DocreError(f"{path} is missing: copy or download the folder again")
    size = path.stat().st_size
    if size != known.get("size"):
        raise DocreError(
            f"{path} is damaged: it has {size:,} bytes, not {known.get('size')}; copy or download "
            "the folder again"
        )
    if sha256_of(path) != known.get("sha256"):
        raise DocreError(
            f"{path} is damaged: its SHA-256 is not that of {NAME}; copy or download the folder "
            "again"
        )


def _check_found(folder: Path, path: Path, files: dict[str, Any]) -> None:
    name = path.relative_to(folder).as_posix()
    if name in files or name == NAME or path.is_dir():
        return
    if path.suffix.lower() in _CODE:
        raise DocreError(
            f"{path} does not belong here and could hold code: a folder of docre export has none"
        )
    if name in _READ or (name.startswith(_READ_FOLDER) and not _is_for_people(path)):
        raise DocreError(f"{path} does not belong here: {NAME} does not name it")
