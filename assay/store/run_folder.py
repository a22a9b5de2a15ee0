"""The folder of a run, which may have come from anyone: what lies in it, before anything of it is used."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from assay.errors import CorruptObject
from assay.store.plain_files import Unreadable, opened_plain, read_plain
from assay.store.records import Record
from assay.store.verdict import Manifest

MANIFEST = "manifest.json"
MAX_BYTES = 2 * 1024**3  # of a file; the limit of an ONNX message
MAX_JSON_BYTES = 64 * 1024**2
_MAX_FILES, _MAX_DEPTH = 1_000, 4
_LONGEST_SHOWN = 60
_OF_VALUES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)

R = TypeVar("R", bound=Record)


def verified(folder: Path) -> Manifest:
    """Return the manifest of a run whose folder holds just the files that it lists, each with its digest.

    Raises
    ------
    CorruptObject
        If a file is missing, altered, not listed, or no regular file of this folder.
    """
    manifest = record_of(folder / MANIFEST, Manifest)
    there = set(_names(folder, "", 1)) - {MANIFEST}
    for name in sorted(there ^ manifest.files.keys()):
        key = "not_listed" if name in there else "missing"
        raise CorruptObject(f"store.run.{key}", folder=str(folder), file=_shown(name))
    for name, digest in manifest.files.items():
        if digest_of(folder / name) != digest:
            raise CorruptObject("store.run.altered", path=str(folder / name))
    return manifest


def record_of(path: Path, kind: type[R], most: int = MAX_JSON_BYTES) -> R:
    """Return the record that a file of a run holds as JSON.

    Raises
    ------
    CorruptObject
        If it is no such record, or has a key twice, of which readers may take either.
    """
    content = read_file(path, most)
    try:
        json.loads(content, object_pairs_hook=_once)
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise CorruptObject(
            "store.run.other_version", path=str(path), n=error.error_count()
        ) from None
    except (ValueError, RecursionError) as error:
        raise CorruptObject(
            "store.run.no_json", path=str(path), reason=str(error)[:200]
        ) from None


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file; no link is followed.

    Raises
    ------
    CorruptObject
        If there is none, or it has more than ``most`` bytes.
    """
    try:
        return read_plain(path, most)
    except Unreadable as error:
        raise _refusal(path, error) from None


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a regular file; no link is followed.

    Raises
    ------
    CorruptObject
        If there is none.
    """
    try:
        with opened_plain(path, MAX_BYTES) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except Unreadable as error:
        raise _refusal(path, error) from None


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Turn whatever a run's files lead to into one sentence: each may be well-formed, and nonsense beside the others.

    Raises
    ------
    CorruptObject
        If the block fails at a value.
    """
    try:
        yield
    except _OF_VALUES as error:
        lines = str(error).splitlines() or [type(error).__name__]
        reason = _shown(lines[0])
        raise CorruptObject(
            "store.run.unusable", folder=str(folder), reason=reason
        ) from error


def _refusal(path: Path, error: Unreadable) -> CorruptObject:
    return CorruptObject(
        "store.run.unreadable", path=_shown(str(path)), reason=error.sentence
    )


def _names(folder: Path, prefix: str, depth: int) -> Iterator[str]:
    """Yield the path of every file below a folder; refuse links, and more than a run can have."""
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            name = f"{prefix}{entry.name}"
            if number > _MAX_FILES or depth > _MAX_DEPTH:
                raise CorruptObject("store.run.too_many", folder=str(folder))
            if entry.is_dir(follow_symlinks=False):
                yield from _names(Path(entry.path), f"{name}/", depth + 1)
            elif entry.is_file(follow_symlinks=False):
                yield name
            else:
                raise _refusal(Path(entry.path), Unreadable("store.file.irregular"))


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Refuse an object that has a key twice."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {_shown(key)} occurs twice")
        seen.add(key)


def _shown(name: str) -> str:
    """Return a name as a sentence can hold it."""
    text = repr(name)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
