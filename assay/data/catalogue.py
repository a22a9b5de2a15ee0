"""The catalogue: data sets that studies are about, whose they are, and how each file is known.

``data/catalogue.toml`` lists them. A file that ends in ``.gz`` is known by what is in it: two
programs pack the same bytes differently.
"""

import gzip
import hashlib
import tomllib
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError

from assay.errors import AssayError, StudyError
from assay.store.places import shipped
from assay.store.records import Digest, Record

CATALOGUE = shipped("data/catalogue.toml")
_AT_ONCE = 2**20

State = Literal["there", "missing", "partial", "damaged"]


def is_safe(address: str) -> bool:
    """Return whether an address is https, or on this very machine.

    Examples
    --------
    >>> is_safe("https://example.org/a.csv"), is_safe("http://example.org/a.csv")
    (True, False)
    """
    parts = urlsplit(address)
    here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and here)
    )


def _safe(address: str) -> str:
    if not is_safe(address):
        raise ValueError(f"{address!r} is no address that begins with https://")
    return address


def _inside(path: str) -> str:
    if path.startswith("/") or {"", ".", ".."} & set(path.split("/")) or "\\" in path:
        raise ValueError(f"{path!r} is no path below the data folder")
    return path


class File(Record):
    """One file of a data set."""

    path: Annotated[str, AfterValidator(_inside)] = Field(
        description="Below the data folder, as studies name it."
    )
    sha256: Digest = Field(
        description="Of the content, unpacked if the path ends in .gz."
    )
    bytes: int = Field(gt=0, description="Of the same content.")
    address: Annotated[str, AfterValidator(_safe)] | None = Field(
        default=None, alias="from"
    )
    first_bytes: bool = Field(
        default=False,
        description="Whether the file is only the beginning of what lies there.",
    )
    by_hand: str | None = Field(
        default=None, description="How to come by it where it has no address."
    )

    @property
    def is_packed(self) -> bool:
        return self.path.endswith(".gz")


class Dataset(Record):
    """A data set: what it is, whose, and what may be done with it."""

    title: str
    publisher: str
    licence: str
    commercial: Literal["allowed", "forbidden", "unknown"]
    address: Annotated[str, AfterValidator(_safe)]
    files: tuple[File, ...] = Field(min_length=1)

    def terms(self) -> str:
        """Return what its licence asks, in one sentence.

        A licence that nobody stated allows nothing: that is said too.
        """
        use = {
            "allowed": "commercial use is allowed",
            "forbidden": "commercial use is forbidden",
            "unknown": "ask before commercial use",
        }[self.commercial]
        return f"{self.title} ({self.publisher}): licence {self.licence}, {use}"


@lru_cache
def catalogue(path: Path = CATALOGUE) -> dict[str, Dataset]:
    """Return every data set by name; none where there is no catalogue.

    Raises
    ------
    AssayError
        If the file is no catalogue.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Dataset.model_validate(one) for name, one in values.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, ValidationError) as error:
        said = str(error).splitlines()[0]
        raise AssayError(f"{path} is no catalogue of data sets: {said}.") from None


def dataset(name: str, path: Path = CATALOGUE) -> Dataset:
    """Return a data set by name.

    Raises
    ------
    StudyError
        If there is none of that name.
    """
    known = catalogue(path)
    if name not in known:
        raise StudyError(
            f"There is no data set {name!r} in the catalogue, but {', '.join(known) or 'nothing at all'}."
        )
    return known[name]


def licence_of(source: str, path: Path = CATALOGUE) -> Dataset | None:
    """Return the data set that a study's source is a file of, with its licence; None where it is of none.

    Examples
    --------
    >>> licence_of("voice-gender/voice.csv").commercial
    'forbidden'
    >>> licence_of("my/own.csv") is None
    True
    """
    return next(
        (
            one
            for one in catalogue(path).values()
            if any(file.path == source for file in one.files)
        ),
        None,
    )


def state_of(file: File, folder: Path) -> State:
    """Return whether a file is in place, by its size and digest."""
    place = folder / file.path
    if not place.is_file():
        return "partial" if part_of(place).is_file() else "missing"
    return "there" if fault_of(file, place) is None else "damaged"


def fault_of(file: File, place: Path, *, packed: bool | None = None) -> str | None:
    """Return what is wrong with a file on disk, in words; None if it is the catalogued one.

    ``packed`` says whether it is gzip; by default, whether its path in the catalogue ends so.
    """
    hashed, size = hashlib.sha256(), 0
    try:
        for block in _content(place, file.is_packed if packed is None else packed):
            hashed.update(block)
            size += len(block)
            if size > file.bytes:
                return f"it holds more than the {file.bytes:,} bytes it should"
    except (OSError, EOFError, zlib.error) as error:
        return f"it cannot be read: {error}"
    if size != file.bytes:
        return f"it holds {size:,} bytes instead of {file.bytes:,}"
    if hashed.hexdigest() != file.sha256:
        return f"its SHA-256 is {hashed.hexdigest()[:12]}... instead of {file.sha256[:12]}..."
    return None


def part_of(place: Path) -> Path:
    """Return where what has been downloaded so far is kept."""
    return place.with_name(place.name + ".part")


def _content(place: Path, packed: bool) -> Iterator[bytes]:
    with gzip.open(place) if packed else place.open("rb") as opened:
        while block := opened.read(_AT_ONCE):
            yield block
