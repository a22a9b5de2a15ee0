"""The manifest of a bundle: which files it has, verified by size and digest before any of them is used."""

import hashlib
import operator
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from assay.errors import DataRefused, StudyError, why_refused
from assay.formats.checks import shown
from assay.formats.limits import GIB
from assay.predict.decoding import decoded, json_in
from assay.predict.unfit import explained

VERSION = 1
CARDS = {"en": "MODEL_CARD.md", "ko": "MODEL_CARD.ko.md"}  # for people
MANIFEST = "manifest.json"
NEEDED = ("net.onnx", "prep.json", "prep.npz", "suite.json")
MOST_BYTES = {
    MANIFEST: 1024**2,
    **dict.fromkeys(CARDS.values(), 16 * 1024**2),
    "prep.json": 64 * 1024**2,  # which takes some twenty times as much when read
    "suite.json": 64 * 1024**2,
}
_MOST_OF_ANY = 2 * GIB  # the limit of an ONNX message


@dataclass(frozen=True)
class _Entry:
    """What the manifest says of a file."""

    sha256: str
    size: int


@dataclass(frozen=True)
class _Written:
    """What of the manifest is used here."""

    files: Mapping[str, _Entry]


@dataclass(frozen=True)
class Verified:
    """A bundle's verified content: the manifest, and the bytes of the files that prediction needs."""

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


def verified(path: Path) -> Verified:
    """Return the content of a bundle.

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
    manifest, files = _manifest(folder)
    for name in sorted(_names(folder) - {MANIFEST, *files}):
        raise DataRefused(
            "predict.file_not_named", bundle=str(folder), file=shown(name)
        )
    contents = {}
    for name, entry in sorted(files.items()):
        content = _checked(folder, name, entry)
        if name in (*NEEDED, *CARDS.values()):
            contents[name] = content
    missing = [name for name in NEEDED if name not in contents]
    if missing:
        raise StudyError("predict.no_model", bundle=str(folder), file=missing[0])
    return Verified(folder, manifest, contents)


def _folder(path: Path) -> Path:
    for folder in (path, path / "bundle"):
        if (folder / MANIFEST).is_file() and (folder / "suite.json").exists():
            return folder
    inner = path / "bundle"
    if inner.is_dir():
        raise StudyError("predict.no_manifest", bundle=str(inner))
    raise StudyError("predict.not_a_bundle", path=str(path))


def _manifest(folder: Path) -> tuple[dict[str, Any], Mapping[str, _Entry]]:
    path = folder / MANIFEST
    with explained(path):
        manifest = json_in(_read(folder, MANIFEST))
        version = manifest.get("format") if isinstance(manifest, dict) else None
        if version != VERSION:
            raise DataRefused(
                "predict.manifest_version",
                file=str(path),
                version=shown(version),
                ours=VERSION,
            )
        files = decoded(_Written, {"files": manifest.get("files")}).files
    return manifest, files


def _names(folder: Path) -> set[str]:
    """Return the names of a folder's files; refuse folders and links in it."""
    names = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                raise DataRefused(
                    "predict.not_a_plain_file",
                    bundle=str(folder),
                    file=shown(entry.name),
                )
            names.add(entry.name)
    return names


def _checked(folder: Path, name: str, entry: _Entry) -> bytes:
    """Return the bytes of a file that the manifest names, which must have its size and digest."""
    outside = Path(name).name != name or name in ("", ".", "..", MANIFEST)
    if outside or not name.isprintable():
        raise DataRefused(
            "predict.file_outside", manifest=str(folder / MANIFEST), file=shown(name)
        )
    content = _read(folder, name)
    if (
        len(content) != entry.size
        or hashlib.sha256(content).hexdigest() != entry.sha256
    ):
        raise DataRefused("predict.file_altered", file=str(folder / name))
    return content


def _read(folder: Path, name: str) -> bytes:
    """Return a file's bytes; follow no link, and wait for no pipe."""
    path, most = folder / name, MOST_BYTES.get(name, _MOST_OF_ANY)
    flags = (getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    try:
        handle = os.open(path, reduce(operator.or_, flags, os.O_RDONLY))
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise DataRefused("predict.file_missing", file=str(path)) from None
        raise DataRefused(
            "predict.file_unreadable", file=str(path), reason=why_refused(error)
        ) from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise DataRefused(
                "predict.file_too_large",
                file=str(path),
                n_bytes=status.st_size,
                most=most,
            )
        return file.read(status.st_size + 1)  # a file that grows is another
