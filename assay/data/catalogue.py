"""The catalogue: data sets for studies, their publishers and licences, and the digest of each file.

``data/catalogue.toml`` lists them. The digest of a file that ends in ``.gz`` is that of its uncompressed
content: two programs compress the same bytes differently.
"""

import gzip
import hashlib
import tomllib
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError

from assay.errors import AssayError, StudyError, why_refused
from assay.store.places import shipped
from assay.store.records import Digest, Record
from assay.wording import Sentence

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
        raise ValueError(f"{address!r} is not an address that begins with https://")
    return address


def _inside(path: str) -> str:
    odd = {"", ".", ".."} & set(path.split("/"))
    if odd or "\\" in path or PureWindowsPath(path).drive:
        raise ValueError(f"{path!r} is not a path below the data folder")
    return path


class File(Record):
    """One file of a data set."""

    path: Annotated[str, AfterValidator(_inside)] = Field(
        description="Below the data folder, as studies name it."
    )
    sha256: Digest = Field(
        description="Of the content, uncompressed if the path ends in .gz."
    )
    bytes: int = Field(gt=0, description="Of the same content.")
    address: Annotated[str, AfterValidator(_safe)] | None = Field(
        default=None, alias="from"
    )
    first_bytes: bool = Field(
        default=False,
        description="Whether the file is only the beginning of what the address gives.",
    )
    by_hand: str | None = Field(
        default=None, description="How to obtain it where it has no address."
    )

    @property
    def is_packed(self) -> bool:
        return self.path.endswith(".gz")


class Dataset(Record):
    """A data set, its publisher, and what its licence allows."""

    title: str
    publisher: str
    licence: str
    commercial: Literal["allowed", "forbidden", "unknown"]
    address: Annotated[str, AfterValidator(_safe)]
    files: tuple[File, ...] = Field(min_length=1)

    def terms(self) -> Sentence:
        """Return what its licence allows, in one sentence.

        A data set without a stated licence allows nothing, and the sentence says so.
        """
        return Sentence.of(
            "data_download.terms",
            title=self.title,
            publisher=self.publisher,
            licence=self.licence,
            use=Sentence.of(f"data_download.commercial.{self.commercial}"),
        )


@lru_cache
def catalogue(path: Path = CATALOGUE) -> dict[str, Dataset]:
    """Return every data set by name; none where there is no catalogue.

    Raises
    ------
    AssayError
        If the file is not a catalogue.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Dataset.model_validate(table) for name, table in tables.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, ValidationError) as error:
        fault = str(error).splitlines()[0]
        raise AssayError(
            "data_download.no_catalogue", path=str(path), fault=fault
        ) from None


def dataset(name: str, path: Path = CATALOGUE) -> Dataset:
    """Return a data set by name.

    Raises
    ------
    StudyError
        If there is none of that name.
    """
    datasets = catalogue(path)
    if name not in datasets:
        key = "data_download.unknown" if datasets else "data_download.empty"
        raise StudyError(key, name=name, names=tuple(datasets))
    return datasets[name]


def licence_of(source: str, path: Path = CATALOGUE) -> Dataset | None:
    """Return the data set that a study's source belongs to, None where it belongs to none.

    Examples
    --------
    >>> licence_of("voice-gender/voice.csv").commercial
    'forbidden'
    >>> licence_of("my/own.csv") is None
    True
    """
    return next(
        (
            dataset
            for dataset in catalogue(path).values()
            if any(file.path == source for file in dataset.files)
        ),
        None,
    )


def state_of(file: File, folder: Path) -> State:
    """Return whether a file is in place, by its size and digest."""
    place = folder / file.path
    if not place.is_file():
        return "partial" if part_of(place).is_file() else "missing"
    return "there" if fault_of(file, place) is None else "damaged"


def fault_of(file: File, place: Path, *, packed: bool | None = None) -> Sentence | None:
    """Return what is wrong with a file on disk; None if it is the catalogued one.

    Parameters
    ----------
    packed
        Whether it is gzip; by default, whether its path in the catalogue ends in ``.gz``.
    """
    hashed, size = hashlib.sha256(), 0
    try:
        for block in _content(place, file.is_packed if packed is None else packed):
            hashed.update(block)
            size += len(block)
            if size > file.bytes:
                return too_long(file.bytes)
    except (OSError, EOFError, zlib.error) as error:
        why = why_refused(error) if isinstance(error, OSError) else str(error)
        return Sentence.of("data_download.unreadable", reason=why)
    if size != file.bytes:
        return other_size(size, file.bytes)
    digest, expected = hashed.hexdigest(), file.sha256
    if digest != expected:
        return Sentence.of(
            "data_download.other_digest", digest=digest[:12], expected=expected[:12]
        )
    return None


def too_long(expected: int) -> Sentence:
    return Sentence.of("data_download.too_long", expected=expected)


def other_size(n_bytes: int, expected: int) -> Sentence:
    return Sentence.of("data_download.other_size", n_bytes=n_bytes, expected=expected)


def part_of(place: Path) -> Path:
    """Return the path of an unfinished download."""
    return place.with_name(place.name + ".part")


def _content(place: Path, packed: bool) -> Iterator[bytes]:
    with gzip.open(place) if packed else place.open("rb") as opened:
        while block := opened.read(_AT_ONCE):
            yield block
