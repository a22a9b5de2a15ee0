"""Where drafted files go: never over a file with other content."""

import os
import re
import secrets
import shlex
import tomllib
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from assay.draft.draft import Draft
from assay.errors import DataRefused, StudyError, why_refused
from assay.store.canonical import digest_bytes, digest_file
from assay.store.places import data_folder, package_file, project_folder, shown
from assay.store.store import Store
from assay.study.invalid import reason_of
from assay.study.plans import ReadPlan
from assay.study.schema import SCHEMA
from assay.study.sources import BUILT_IN, Source
from assay.wording import program

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
    """A table to draft from.

    Attributes
    ----------
    source
        The table as a study will name it.
    data
        The folder that holds it; None where the study finds it by itself.
    """

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
        Whether a file was written; False if both existed already with the same content.
    """

    study: Path
    suite: Path
    data: Path | None
    command: str
    new: bool


def find_table(table: Path, data: Path | None = None, how: Sequence[str] = ()) -> Table:
    """Find a table and digest its bytes. Nothing is parsed, and nothing is written.

    Parameters
    ----------
    table
        A file, or ``builtin:NAME``. A file in the data folder is named from there, any other by its own
        folder.
    data
        The folder it lies in, where that is not ``ASSAY_DATA``.
    how
        How the reader is to read it, as ``KEY=VALUE``, such as ``sheet=Orders``; all else it detects.

    Raises
    ------
    StudyError
        If there is no such built-in table, or ``data`` is no folder that holds the table, or ``how``
        has a key or value that no reader takes.
    DataRefused
        If the file does not exist or cannot be read.
    """
    read = _read_plan(how)
    try:
        if str(table).startswith("builtin:"):
            return Table(_built_in(str(table)), None)
        path = table.resolve()
        if not str(path).isprintable():
            raise StudyError("draft.unprintable_name", path=repr(str(path)))
        digest = digest_file(path)
    except FileNotFoundError:
        raise DataRefused("draft.missing_table", path=str(table)) from None
    except IsADirectoryError:
        raise DataRefused("draft.table_is_folder", path=str(table)) from None
    except OSError as error:
        raise DataRefused(
            "draft.unreadable_table", path=str(table), why=why_refused(error)
        ) from None
    folder = (data or data_folder()).resolve()
    inside = path.is_relative_to(folder)
    if data is not None and not inside:
        raise StudyError("draft.not_in_data", data=str(data), table=table.name)
    name = path.relative_to(folder).as_posix() if inside else path.name
    source = Source(name=name, path=str(path), digest=digest, read=read)
    return Table(source, data if inside else path.parent)


def _read_plan(how: Sequence[str]) -> ReadPlan:
    keys = tuple(name for name in ReadPlan.model_fields if name != "sample")
    values = {}
    for option in how:
        key, equals, text = option.partition("=")
        if not equals or key not in keys:
            raise StudyError("draft.read_option", option=option, keys=keys)
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except ValueError:
            values[key] = text
    try:
        return ReadPlan.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise StudyError(
            "draft.read_value",
            key=".".join(map(str, problem["loc"])),
            reason=reason_of(problem),
        ) from None


def _built_in(name: str) -> Source:
    inside = BUILT_IN.get(name.removeprefix("builtin:"))
    if inside is None:
        raise StudyError("draft.built_in", name=name, names=tuple(sorted(BUILT_IN)))
    path = package_file("sklearn", inside)
    return Source(name=name, path=str(path), digest=digest_file(path))


def write_draft(draft: Draft, table: Table, output: Path | None = None) -> Drafted:
    """Write ``NAME.toml`` and ``NAME.json`` where a person will edit them.

    Into ``hypotheses/`` and ``expectations/`` of the project folder (``ASSAY_HOME``, else the clone, else the
    current folder); with ``output``, the study there and the suite beside it. A file that exists with other
    content is left alone, and ``.draft`` is put before the ending.

    Raises
    ------
    StudyError
        If both names are taken, ``output`` does not end in ``.toml``, or nothing can be written there.
    """
    if output is not None and output.suffix.lower() != ".toml":
        raise StudyError("draft.output_ending", path=str(output))
    first = stem(table.source.name) if output is None else output.stem
    name = study_name(first, table.source.digest)
    beside = output.absolute().parent if output is not None else None
    plain = name if output is None else first
    taken = []
    for base in (plain, f"{plain}.draft"):
        drafted = _placed(base, beside, table)
        texts = (
            draft.study(
                name,
                drafted.suite.name if beside else base,
                drafted.command,
                _schema_for(drafted.study),
            ),
            draft.suite(name),
        )
        files = (drafted.study, drafted.suite)
        if all(map(_is_free, files, texts)):
            new = [_write_new(*pair) for pair in zip(files, texts, strict=True)]
            return replace(drafted, new=any(new))
        taken.append(shown(drafted.study))
    raise StudyError("draft.taken", first=taken[0], second=taken[1])


def _placed(base: str, beside: Path | None, table: Table) -> Drafted:
    """Return where study and suite belong: beside each other, or where the project keeps them."""
    project = project_folder()
    study = (beside or project / "hypotheses") / f"{base}.toml"
    suite = (beside or project / "expectations") / f"{base}.json"
    typed = command(shown(study), table.data)
    return Drafted(study, suite, table.data, typed, new=False)


def _schema_for(study: Path) -> str:
    """Return the address of the schema from a study: relative within a clone, which may be moved."""
    project = project_folder()
    if SCHEMA.is_relative_to(project) and study.is_relative_to(project):
        return Path(os.path.relpath(SCHEMA, study.parent)).as_posix()
    return SCHEMA.as_uri()


def keep_draft(draft: Draft, table: Table, store: Store) -> Drafted:
    """Write study and suite into ``drafts/NAME-DIGEST/`` of the store, and nothing elsewhere.

    The digest is that of both texts: the same draft again finds its files. The study needs
    ``--data FOLDER`` (``Drafted.data``) unless the table lies in the data folder.

    Raises
    ------
    StudyError
        If a file there was edited since.
    """
    name = study_name(stem(table.source.name), table.source.digest)
    suite_text = draft.suite(name)
    plain = draft.study(name, f"{name}.json", command(f"{name}.toml", table.data))
    digest = digest_bytes(f"{plain}{suite_text}".encode())[:12]
    folder = store.folder / "drafts" / f"{name}-{digest}"
    study, suite = folder / f"{name}.toml", folder / f"{name}.json"
    typed = command(str(study), table.data)
    new = False
    for path, text in (
        (study, draft.study(name, suite.name, typed)),
        (suite, suite_text),
    ):
        if not _is_free(path, text):
            raise StudyError("draft.edited", path=str(path), command=typed)
        if not path.exists():
            store.files.write(path, text.encode())
            new = True
    return Drafted(study, suite, table.data, typed, new)


def _is_free(path: Path, text: str) -> bool:
    """Return whether a file does not exist, or has just this content."""
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
    part = path.with_name(f".draft-{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            file.write(text.encode())
        os.link(part, path)
    except OSError as error:
        if path.exists():
            raise StudyError("draft.written_meanwhile", path=str(path)) from None
        raise StudyError(
            "draft.cannot_write", path=str(path), why=why_refused(error)
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return True


def command(study: str, data: Path | None) -> str:
    """Return what checks a study, as it is typed."""
    options = [] if data is None else ["--data", str(data)]
    return f"{program()} {shlex.join(['check', study, *options])}"


def near(path: Path, here: Path) -> str:
    """Return a path as short as it can be written from a folder."""
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
    """Return a syllable of Hangul in Latin letters, without assimilation to its neighbours."""
    number = ord(letter) - ord("가")
    if not 0 <= number < 11_172:
        return letter
    initial, rest = divmod(number, 588)
    return _INITIALS[initial] + _VOWELS[rest // 28] + _FINALS[rest % 28]
