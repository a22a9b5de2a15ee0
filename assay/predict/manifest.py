"""What a bundle says it holds, held to what lies there, before anything of it is used."""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import DataRefused, StudyError
from assay.formats.checks import shown
from assay.formats.limits import GIB

VERSION = 1
CARD = "MODEL_CARD.md"  # what a person should know of the model
MANIFEST = "manifest.json"
NEEDED = ("net.onnx", "prep.json", "prep.npz", "suite.json")
_MOST_BYTES = {MANIFEST: 1024**2, "suite.json": 64 * 1024**2}
_MOST_OF_ANY = 2 * GIB  # what a message of ONNX can hold


@dataclass(frozen=True)
class Held:
    """A bundle's verified content: the manifest, and the bytes of what predicting needs."""

    folder: Path
    manifest: Mapping[str, Any]
    contents: Mapping[str, bytes]


def described(
    study: str, plan: str, files: Mapping[str, bytes], further: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest of a bundle with these files, as JSON values."""
    return {
        "format": VERSION,
        "study": study,
        "plan": plan,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in sorted(files.items())
        },
        **further,
    }


def verified(path: Path) -> Held:
    """Return what a bundle holds.

    Parameters
    ----------
    path
        The bundle, or the folder of the run that left it.

    Raises
    ------
    StudyError
        If no bundle lies there, or it has no model.
    DataRefused
        If a file is missing, altered or not named in the manifest, or is a link; nothing was used.
    """
    folder = _folder(path)
    manifest = _manifest(folder)
    files = manifest["files"]
    for name in sorted(_names(folder) - {MANIFEST, *files}):
        raise DataRefused(
            f"{folder} holds {shown(name)}, which its manifest does not name. Take it out, or fetch the bundle anew."
        )
    contents = {}
    for name, said in sorted(files.items()):
        content = _checked(folder, name, said)
        if name in (*NEEDED, CARD):
            contents[name] = content
    missing = [name for name in NEEDED if name not in contents]
    if missing:
        raise StudyError(
            f"{folder} has no {missing[0]}: its check ended without a model, and verdict.json beside it says why."
        )
    return Held(folder, manifest, contents)


def _folder(path: Path) -> Path:
    for folder in (path, path / "bundle"):
        if (folder / MANIFEST).is_file() and (folder / "suite.json").exists():
            return folder
    inner = path / "bundle"
    if inner.is_dir():
        raise StudyError(
            f"{inner} has no manifest.json: its check ended without a model, or is of an older version. Check again."
        )
    raise StudyError(
        f"{path} is no bundle. Give the folder that a check leaves below artifacts/runs, or the bundle in it."
    )


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(folder, MANIFEST))
        version, files = found["format"], found["files"]
        whole = all(
            isinstance(name, str)
            and isinstance(said["size"], int)
            and isinstance(said["sha256"], str)
            for name, said in files.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole, version, found = False, VERSION, {}
    if version != VERSION:
        raise DataRefused(
            f"{folder / MANIFEST} is of format {version!r}, and this program reads {VERSION}. Use the version of "
            f"Assay that wrote it."
        )
    if not whole:
        raise DataRefused(f"{folder / MANIFEST} is damaged. Fetch the bundle anew.")
    return dict(found)


def _names(folder: Path) -> set[str]:
    """Return what lies in a folder; refuse what are no plain files."""
    found = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                raise DataRefused(
                    f"{folder} holds {shown(entry.name)}, which is no plain file. A bundle has no folders and no "
                    f"links."
                )
            found.add(entry.name)
    return found


def _checked(folder: Path, name: str, said: Mapping[str, Any]) -> bytes:
    if Path(name).name != name or name in ("", ".", "..", MANIFEST):
        raise DataRefused(
            f"{folder / MANIFEST} names {shown(name)}, which is no file of the bundle."
        )
    content = _read(folder, name)
    if (
        len(content) != said["size"]
        or hashlib.sha256(content).hexdigest() != said["sha256"]
    ):
        raise DataRefused(
            f"{folder / name} is not the file that the manifest names: it was altered. Fetch the bundle anew."
        )
    return content


def _read(folder: Path, name: str) -> bytes:
    """Return a file's bytes; follow no link."""
    path, most = folder / name, _MOST_BYTES.get(name, _MOST_OF_ANY)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        said = (
            "is missing"
            if isinstance(error, FileNotFoundError)
            else f"cannot be read ({error.strerror})"
        )
        raise DataRefused(f"{path} {said}. Fetch the bundle anew.") from None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > most:
            raise DataRefused(
                f"{path} has {about.st_size:,} bytes, and a file of a bundle has {most:,} at most."
            )
        return file.read()
