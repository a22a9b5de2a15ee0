"""The lock of a run: read as packages, versions and hashes, and written anew for pip, which sees nothing else.

A run folder may have come from anyone, and pip reads a file of requirements in ways of its own: options, other
files, addresses, environment variables, an encoding that the first line names. So no byte of it reaches pip.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from assay.errors import StudyError
from assay.formats.checks import shown
from assay.store.code import core_lock
from assay.store.places import shipped
from assay.store.run_folder import read_file

MAX_BYTES = 4 * 1024**2  # ours has 0.3 MB
_LONGEST_PIN, _LONGEST_LINE = 300, 50_000  # with every hash, one of ours has 14,000
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class Pin(NamedTuple):
    """A package in one version, and the hashes of the files that may be installed for it."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pins_of(lock: Path) -> tuple[Pin, ...]:
    """Return the packages that a run's lock names for this machine and this Python.

    Raises
    ------
    StudyError
        If a line is anything but a package, its version and its hashes, or one is named twice.
    """
    pins = tuple(_pins(lock, read_file(lock, MAX_BYTES)))
    if len({pin.name for pin in pins}) < max(len(pins), 1):
        raise StudyError("reproduce.lock_twice", lock=str(lock))
    return pins


def need_our_own(pins: Sequence[Pin]) -> None:
    """Refuse packages that this program's own lock does not name: whoever wrote the run may have made them.

    Raises
    ------
    StudyError
        If there is one.
    """
    locks = {core_lock(), shipped("requirements.txt")}
    own = {
        pin.name
        for lock in locks
        if lock.is_file()
        for pin in _pins(lock, lock.read_bytes())
    }
    for pin in pins:
        if pin.name not in own:
            raise StudyError("reproduce.lock_package", name=pin.name)


def requirements(pins: Sequence[Pin]) -> str:
    """Return packages as a file for pip.

    Examples
    --------
    >>> print(requirements([Pin("numpy", "2.4.6", ("sha256:00", "sha256:11"))]), end="")
    numpy==2.4.6 --hash=sha256:00 --hash=sha256:11
    """
    lines = (
        " ".join([f"{name}=={version}", *(f"--hash={digest}" for digest in hashes)])
        for name, version, hashes in pins
    )
    return "".join(f"{line}\n" for line in lines)


def _pins(lock: Path, content: bytes) -> Iterator[Pin]:
    for number, line in _lines(lock, content):
        words = line.split()
        pinned = list(takewhile(lambda word: not word.startswith("--hash="), words))
        hashes = [word.removeprefix("--hash=") for word in words[len(pinned) :]]
        try:
            if not hashes or not all(map(_HASH.fullmatch, hashes)):
                raise ValueError("no hash")
            name, version, marker = _pinned(" ".join(pinned))
            wanted = marker is None or marker.evaluate()
        except (ValueError, KeyError, RecursionError):
            raise _refusal(lock, number, line) from None
        if wanted:
            yield Pin(name, version, tuple(hashes))


def _pinned(text: str) -> tuple[str, str, Marker | None]:
    """Return the name, the version and the marker of a pin such as ``numpy==2.4.6 ; python_version < '3.12'``.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if len(text) > _LONGEST_PIN:
        raise ValueError("too long")
    pin = Requirement(text)
    (specifier,) = pin.specifier
    plain = specifier.operator == "==" and not (pin.url or pin.extras)
    if not plain or not _NAME.fullmatch(pin.name):
        raise ValueError("more than a name and a version")
    version = str(Version(specifier.version))
    return canonicalize_name(pin.name), version, pin.marker


def _lines(lock: Path, content: bytes) -> Iterator[tuple[int, str]]:
    """Yield each line that is no comment with its number, a line that ends in a backslash with what follows it."""
    first, joined = 1, ""
    text = content.decode("latin-1").replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        names_an_encoding = re.match(r"\s*#.*?coding[:=]", line)
        if names_an_encoding or not re.fullmatch(r"[\t -~]*", line):
            raise _refusal(lock, number, line)
        if line.lstrip().startswith("#") and not joined:
            continue
        joined += line
        if len(joined) > _LONGEST_LINE:
            raise _refusal(lock, first, joined)
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        if joined.strip():
            yield first, joined.strip()
        first, joined = number + 1, ""
    if joined:
        raise _refusal(lock, first, joined)


def _refusal(lock: Path, number: int, line: str) -> StudyError:
    return StudyError(
        "reproduce.lock_line", lock=str(lock), number=number, text=shown(line)
    )
