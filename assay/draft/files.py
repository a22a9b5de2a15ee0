"""Where drafted files go: never over a file that says something else."""

import os
import re
import shlex
import tempfile
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from assay.draft import Draft
from assay.errors import DataRefused, StudyError
from assay.store.canonical import digest_bytes, digest_file
from assay.store.places import data_folder, package_file, project_folder
from assay.store.store import Store
from assay.study.plans import ReadPlan
from assay.study.sources import BUILT_IN, Source

_MOST_LETTERS = 63
_ENDINGS = re.compile(r"(\.[A-Za-z0-9]{1,7}){1,2}$")
_INITIALS = (
    "g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h",
)  # fmt: skip
_VOWELS = (
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu", "ui", "i",
)  # fmt: skip
_FINALS = (
    "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng", "t", "t", "k", "t", "p", "t",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table to draft from: as a study will name it, and the folder that then needs naming."""

    source: Source
    data: Path | None


@dataclass(frozen=True)
class Drafted:
    """A drafted study and suite on disk.

    Attributes
    ----------
    data
        The folder to give as ``--data``; None where the source is found without.
    command
        What checks the study.
    new
        Whether a file was written; False where all was there already.
    """

    study: Path
    suite: Path
    data: Path | None
    command: str
    new: bool


def find_table(table: Path, data: Path | None = None, how: Sequence[str] = ()) -> Table:
    """Find a table: ``builtin:NAME``, or a file, which a study names from the data folder if it lies there.

    Parameters
    ----------
    data
        The folder it lies in, where that is not ``ASSAY_DATA``.
    how
        What the reader is not to find out, as ``KEY=VALUE``, such as ``sheet=Orders``.

    Raises
    ------
    StudyError
        If there is no such built-in table, or ``data`` is no folder that holds the table, or ``how``
        says something no reader knows.
    DataRefused
        If the file is not there or cannot be read.
    """
    read = _read_plan(how)
    try:
        if str(table).startswith("builtin:"):
            return Table(_built_in(str(table)), None)
        path = table.resolve()
        if not str(path).isprintable():
            raise StudyError(
                f"{str(path)!r} has control characters in its name, which no study can hold. Rename it."
            )
        digest = digest_file(path)
    except FileNotFoundError:
        raise DataRefused(
            f"{table} is not there. Give the path of a table, such as a CSV file."
        ) from None
    except OSError as error:
        raise DataRefused(f"{table} cannot be read: {error.strerror}.") from None
    folder = (data or data_folder()).resolve()
    inside = path.is_relative_to(folder)
    if data is not None and not inside:
        raise StudyError(
            f"--data {data}: {table.name} does not lie below it. Leave --data out, or give a folder that holds the table."
        )
    name = path.relative_to(folder).as_posix() if inside else path.name
    source = Source(name=name, path=str(path), digest=digest, read=read)
    return Table(source, data if inside else path.parent)


def _read_plan(how: Sequence[str]) -> ReadPlan:
    values = {}
    for one in how:
        key, equals, text = one.partition("=")
        if not equals or key not in ReadPlan.model_fields or key == "sample":
            known = ", ".join(
                name for name in ReadPlan.model_fields if name != "sample"
            )
            raise StudyError(
                f"--read {one}: write KEY=VALUE, where KEY is one of {known}."
            )
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except ValueError:
            values[key] = text
    try:
        return ReadPlan.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise StudyError(
            f"--read {'.'.join(map(str, first['loc']))}: it {said}."
        ) from None


def _built_in(name: str) -> Source:
    inside = BUILT_IN.get(name.removeprefix("builtin:"))
    if inside is None:
        raise StudyError(
            f"{name}: the built-in tables are {', '.join(sorted(BUILT_IN))}."
        )
    path = package_file("sklearn", inside)
    return Source(name=name, path=str(path), digest=digest_file(path))


def write_draft(draft: Draft, table: Table, output: Path | None, here: Path) -> Drafted:
    """Write study and suite where a person will look for them.

    Into ``hypotheses/`` and ``expectations/`` when the program is run in the project, else into
    the current folder; with ``output``, the suite goes beside it. Files that say something else are
    left alone, and ``.draft`` is put before the ending.

    Raises
    ------
    StudyError
        If both names are taken, ``output`` does not end in ``.toml``, or nothing can be written there.
    """
    if output is not None and output.suffix.lower() != ".toml":
        raise StudyError(f"-o {output}: a study file ends in .toml.")
    name = study_name(
        output.stem if output else stem(table.source.name), table.source.digest
    )
    beside = (
        output.parent
        if output
        else None
        if here.is_relative_to(project_folder())
        else here
    )
    first = output.stem if output else name
    taken = []
    for base in (first, f"{first}.draft"):
        study, suite = _places(base, beside)
        told = base if beside is None else suite.name
        texts = _texts(draft, name, told, command(near(study, here), table.data))
        if all(map(_is_free, (study, suite), texts)):
            new = [
                _write_new(path, text)
                for path, text in zip((study, suite), texts, strict=True)
            ]
            said = command(near(study, here), table.data)
            return Drafted(study, suite, table.data, said, any(new))
        taken.append(near(study, here))
    raise StudyError(
        f"{taken[0]} and {taken[1]}, or their suites, are there already and differ from this draft; neither was "
        f"touched. Move one away, or name another file with -o."
    )


def keep_draft(draft: Draft, table: Table, store: Store) -> Drafted:
    """Write study and suite below ``drafts/`` of the store, in a folder that their content names.

    Raises
    ------
    StudyError
        If a file there was edited since.
    """
    name = study_name(stem(table.source.name), table.source.digest)
    plain = _texts(draft, name, f"{name}.json", command(f"{name}.toml", table.data))
    digest = digest_bytes("".join(plain).encode())[:12]
    folder = store.folder / "drafts" / f"{name}-{digest}"
    study, suite = folder / f"{name}.toml", folder / f"{name}.json"
    said = command(str(study), table.data)
    texts = _texts(draft, name, suite.name, said)
    new = False
    for path, text in zip((study, suite), texts, strict=True):
        if not _is_free(path, text):
            raise StudyError(
                f"{path} was edited since it was drafted. To check it as it stands: {said}"
            )
        if not path.exists():
            store.files.write(path, text.encode())
            new = True
    return Drafted(study, suite, table.data, said, new)


def _texts(draft: Draft, name: str, suite: str, command: str) -> tuple[str, str]:
    return draft.study(name, suite, command), draft.suite(name)


def _places(base: str, beside: Path | None) -> tuple[Path, Path]:
    if beside is not None:
        return beside / f"{base}.toml", beside / f"{base}.json"
    project = project_folder()
    return (
        project / "hypotheses" / f"{base}.toml",
        project / "expectations" / f"{base}.json",
    )


def _is_free(path: Path, text: str) -> bool:
    """Return whether a file is not there, or says just this."""
    try:
        return path.read_bytes() == text.encode()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _write_new(path: Path, text: str) -> bool:
    """Write a whole file if there is none, and return whether it was written; another's is never replaced."""
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".draft-") as file:
            file.write(text.encode())
            file.flush()
            os.link(file.name, path)
        path.chmod(0o644)
    except OSError as error:
        if path.exists():
            said = f"{path} was written by another program just now. Run again."
        else:
            said = f"{path} cannot be written: {error.strerror}."
        raise StudyError(said) from None
    return True


def command(study: str, data: Path | None) -> str:
    """Return what checks a study, as it is typed."""
    words = ["python", "flows/main.py", "check", study]
    return shlex.join(words + ([] if data is None else ["--data", str(data)]))


def near(path: Path, here: Path) -> str:
    """Return a path as short as it can be said from a folder."""
    path = here / path
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


# Names -----------------------------------------------------------------------------------------


def stem(source: str) -> str:
    """Return a source's name without folder and endings.

    Examples
    --------
    >>> stem("shop/orders 2024.csv.gz"), stem("builtin:digits")
    ('orders 2024', 'digits')
    """
    return _ENDINGS.sub("", source.rsplit("/", 1)[-1].removeprefix("builtin:"))


def study_name(title: str, digest: str) -> str:
    """Return a title in the letters that a study's name may have; Hangul is romanised.

    Examples
    --------
    >>> study_name("Orders (2024)", "ab" * 32), study_name("라면 평점", "ab" * 32)
    ('orders-2024', 'ramyeon-pyeongjeom')
    >>> study_name("表", "ab" * 32)
    'table-abababab'
    """
    composed = unicodedata.normalize("NFC", title)
    latin = "".join(map(_romanised, composed))
    plain = unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode()
    name = (
        re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_MOST_LETTERS].strip("-")
    )
    return name or f"table-{digest[:8]}"


def _romanised(letter: str) -> str:
    """Return a syllable of Hangul in Latin letters, one by one, without assimilation."""
    number = ord(letter) - ord("가")
    if not 0 <= number < 11_172:
        return letter
    initial, rest = divmod(number, 588)
    return _INITIALS[initial] + _VOWELS[rest // 28] + _FINALS[rest % 28]
