"""Canonical JSON and digests: equal content has equal digests on every machine."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as UTF-8 JSON with sorted keys, no blanks, and no NaN or infinity.

    Raises
    ------
    ValueError
        If a float is not finite: JSON has no spelling for it.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": [0.1, None]})
    b'{"a":[0.1,null],"b":1}'
    """
    text = json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text.encode()


def digest_bytes(content: bytes) -> str:
    """Return the SHA-256 of ``content`` as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_json(value: Any) -> str:
    """Return the digest of the canonical JSON of ``value``."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read a block at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_path(path: Path) -> str:
    """Return the digest of a file, or of a folder: the names and contents of all files in it."""
    if not path.is_dir():
        return digest_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest_json(
        [[file.relative_to(path).as_posix(), digest_file(file)] for file in files]
    )


def digest_array(array: "NDArray[Any]") -> str:
    """Return a digest of an array's type, shape and values, whatever its memory layout.

    Byte order is fixed to little-endian, so that the digest is the same on every machine.

    Raises
    ------
    ValueError
        If the array holds Python objects: their bytes are addresses.
    """
    import numpy as np  # loaded already by whoever holds an array

    if array.dtype.hasobject:
        raise ValueError(f"cannot digest an array of {array.dtype}")
    fixed = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    head = canonical_json({"dtype": fixed.dtype.str, "shape": list(fixed.shape)})
    return digest_bytes(head + b"\n" + fixed.tobytes())
