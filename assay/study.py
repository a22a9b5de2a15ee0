"""A study: one declared hypothesis and all it takes to check it.

The file is TOML and the only configuration. :func:`load` reads it, refuses what it does not know,
and :func:`register` writes it down in canonical form before any data is read.
"""

import difflib
import json
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from assay.canonical import canonical_json, digest_json, digest_path
from assay.environment import (
    ROOT,
    artifacts_folder,
    data_folder,
    lock_digest,
    package_file,
    program_digest,
)
from assay.errors import CorruptObject, DataRefused, StudyError
from assay.plans import ImageSource, Plan, ReadPlan, Study
from assay.records import Digest, Record, circumstance
from assay.store import Store

BUILT_IN = {
    "digits": "datasets/data/digits.csv.gz",
    "breast-cancer": "datasets/data/breast_cancer.csv",
}


class Suite(Record):
    """An expectation suite as text: what it says decides, not where it lies."""

    name: str
    text: str


class LocatedImages(Record):
    """Where the images of a plan's rows lie, and how they become pixels."""

    name: str = Field(description="As the study says it.")
    path: str = circumstance("Where they lie here.")
    digest: Digest = Field(description="Of the archive, or of a folder's files.")
    plan: ImageSource


class Source(Record):
    """Where a plan's rows come from: named in the study, resolved on this machine."""

    name: str = Field(description="As the study says it.")
    path: str = circumstance("Where it lies here.")
    digest: Digest
    read: ReadPlan = ReadPlan()
    seed: int = Field(default=0, description="Of a sample of rows; 0 without one.")
    images: LocatedImages | None = None

    def digests(self) -> str | list[str]:
        """Return the digests of every file that is read."""
        return self.digest if self.images is None else [self.digest, self.images.digest]


class Registration(Record):
    """A study as it stood before its data was read."""

    study: Study
    digest: Digest
    order: int = Field(
        description="How many studies of this name were registered before."
    )


# Reading ---------------------------------------------------------------------------------------


def load(
    path: Path, overrides: tuple[str, ...] = (), data: Path | None = None
) -> Study:
    """Read a study file and apply ``KEY=VALUE`` overrides.

    Parameters
    ----------
    path
        The TOML file; looked up in the project when it is not in the current folder.
    overrides
        For instance ``plan.a.tune.trials=4``. Values are TOML; what is no TOML is text.
    data
        A file to read instead of the plans' sources; recorded like an override.

    Raises
    ------
    StudyError
        If the file is missing, is no TOML, or says something no study can say. The message names
        the table, the key, the value and the bound.
    """
    try:
        found = locate(path)
        values = tomllib.loads(found.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise StudyError(
            f"{path} is not there. Give the path of a study file, such as hypotheses/digits.toml."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} cannot be read: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{path} is not valid TOML: {error}.") from None
    for key, value in map(_parse_override, overrides):
        _set(values, key, value, path)
    changed = (
        (*overrides, f"data={data.name}")
        if data is not None and data.is_file()
        else overrides
    )
    if "overrides" in values:
        raise StudyError(f"{path}: overrides is not a key of a study file; use --set.")
    try:
        return Study.model_validate(
            {"name": found.stem, **values, "overrides": changed}
        )
    except ValidationError as error:
        raise StudyError(_explain(path, error)) from None


def locate(path: Path) -> Path:
    """Return where a study file lies: as given, or else in the project."""
    return path if path.is_file() or path.is_absolute() else ROOT / path


def _parse_override(override: str) -> tuple[list[str], Any]:
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_.-]+", key):
        raise StudyError(
            f"--set {override}: write KEY=VALUE, for instance plan.a.tune.trials=4."
        )
    try:
        return key.split("."), tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return key.split("."), text


def _set(values: dict[str, Any], key: list[str], value: Any, path: Path) -> None:
    table = values
    for part in key[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise StudyError(
                f"{path}: --set {'.'.join(key)}: {part} is a value, not a table."
            )
        table = inner
    table[key[-1]] = value


def _explain(path: Path, error: ValidationError) -> str:
    """Say in one sentence what is wrong first; a person mends one thing at a time."""
    problems = [one for one in error.errors() if not _other_branch(one)]
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    parts = [_cut(str(part)) for part in first["loc"] if not _branch(part)]
    key, table = (parts[-1], parts[:-1]) if parts else ("", [])
    place = f"{path} [{'.'.join(table)}]" if table else f"{path}"
    more = f" ({len(problems) - 1} more after this one.)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, _known_keys(table), n=1)
        hint = (
            f" Did you mean {near[0]!r}?"
            if near
            else f" Known here: {', '.join(_known_keys(table))}."
        )
        return f"{place}: unknown key {key!r}.{hint}{more}"
    if first["type"] == "missing":
        what = f"value {int(key) + 1}" if key.isdecimal() else key
        return f"{place}: {what} is missing.{more}"
    said = re.sub(r"^(Value error,|Input|String|Tuple) ", "", first["msg"])
    if first["type"] == "value_error":
        return f"{path}{f' [{chr(46).join(parts)}]' if parts else ''}: {said}.{more}"
    value = json.dumps(first["input"], default=str, ensure_ascii=False)
    shown = value if len(value) <= 80 else value[:77] + "..."
    return f"{place}: {key} = {shown}, but it {said}.{more}"


def _cut(key: str, most: int = 60) -> str:
    return key if len(key) <= most else key[:most] + "..."


def _branch(part: str | int) -> str:
    """Return which form of a target a part of an error's place stands for; empty for a key."""
    branches = ("constrained-str", "LabelRule")
    return next((name for name in branches if name in str(part)), "")


def _other_branch(problem: Any) -> bool:
    """Return whether a problem is about a form of the target that the study does not use."""
    branch = next(filter(None, map(_branch, problem["loc"])), "")
    if branch == "constrained-str":
        return isinstance(problem["input"], dict)
    return branch == "LabelRule" and problem["type"] == "model_type"


def _known_keys(table: list[str]) -> list[str]:
    model: Any = Study
    for part in table:
        if part.isdigit():
            continue
        field = model.model_fields.get(part)
        model = _record_in(field.annotation) if field else None
        if model is None:
            return []
    return [name for name in model.model_fields if name != "overrides"]


def _record_in(annotation: Any) -> Any:
    """Return the record class inside an annotation such as ``Plan | None`` or ``tuple[Drop, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    inner = (_record_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((found for found in inner if found is not None), None)


# Finding ---------------------------------------------------------------------------------------


def suite_of(plan: Plan, beside: Path) -> Suite:
    """Read the plan's expectation suite: ``expectations/NAME.json`` of the project, or a path.

    A path ends in ``.json`` and starts from the study file's folder, ``beside``.

    Raises
    ------
    StudyError
        If there is no such file, or it is not UTF-8 text.
    """
    path = (
        beside / plan.suite
        if plan.suite.endswith(".json")
        else ROOT / "expectations" / f"{plan.suite}.json"
    )
    try:
        return Suite(name=path.stem, text=path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"suite = {plan.suite!r}, but there is no file {_shown(path)}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(
            f"suite = {plan.suite!r}: {_shown(path)} cannot be read: {error}."
        ) from None


def source_of(plan: Plan, data: Path | None = None, seed: int = 0) -> Source:
    """Find the plan's source and images, and digest their bytes; nothing is parsed yet.

    Parameters
    ----------
    data
        A file to read in the source's place, or the folder to look in instead of ``ASSAY_DATA``.
    seed
        What a sample of its rows, if the plan declares one, is drawn with.

    Raises
    ------
    StudyError
        If a built-in source has no such name, or the source is an address rather than a file.
    DataRefused
        If a file is not there or cannot be read.
    """
    if data is not None:
        _need_no_address(str(data), "data")
    path = (
        data
        if data is not None and not data.is_dir()
        else _place(plan.source, data or data_folder())
    )
    return Source(
        name=plan.source if path != data else path.name,
        path=str(path),
        digest=_digest(path, plan.source),
        read=plan.read,
        seed=seed if plan.read.sample is not None else 0,
        images=_images_of(plan, data),
    )


def _images_of(plan: Plan, data: Path | None) -> LocatedImages | None:
    if plan.images is None:
        return None
    name = plan.images.source
    path = _under(
        data if data is not None and data.is_dir() else data_folder(),
        name,
        "images.source",
    )
    endings = (".tar", ".tar.gz", ".tgz", ".zip")
    if not path.is_dir() and not name.lower().endswith(endings):
        raise StudyError(
            f"images.source = {name!r} must be a folder, or end in {', '.join(endings)}."
        )
    return LocatedImages(
        name=name,
        path=str(path),
        digest=_digest(path, name, folder=True),
        plan=plan.images,
    )


def _digest(path: Path, name: str, *, folder: bool = False) -> str:
    """Return the digest of a source's bytes, or refuse what is not there or no file."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not (folder and stat.S_ISDIR(mode)):
            what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise DataRefused(f"{_shown(path)} cannot be read: it is {what}.")
        return digest_path(path)
    except FileNotFoundError:
        raise DataRefused(
            f"{_shown(path)} is not there. Put the file in place, or set ASSAY_DATA to the folder that holds "
            f"{name}."
        ) from None
    except OSError as error:
        raise DataRefused(f"{_shown(path)} cannot be read: {error.strerror}.") from None


def _place(source: str, folder: Path) -> Path:
    kind, _, name = source.partition(":")
    if kind == "builtin":
        if name not in BUILT_IN:
            raise StudyError(
                f"source = {source!r}: the built-in sources are {', '.join(sorted(BUILT_IN))}."
            )
        return package_file("sklearn", BUILT_IN[name])
    return _under(folder, source, "source")


def _under(folder: Path, name: str, key: str) -> Path:
    """Return a path inside the data folder; neither dots nor links may lead out of it."""
    _need_no_address(name, key)
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a bad name
        raise StudyError(f"{key} = {name!r} names no file: {error}.") from None
    if not inside:
        raise StudyError(
            f"{key} = {name!r} leads out of the data folder {_shown(folder)}."
        )
    return path


def _need_no_address(name: str, key: str) -> None:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", name):
        raise StudyError(
            f"{key} = {name!r} is an address. Download the file, put it under ASSAY_DATA, and name it there: "
            f"its bytes are part of the result, and nothing is fetched during a check."
        )


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def store_of(
    artifacts: Path | None = None, *, fresh: bool = False, audit: float = 0.0
) -> Store:
    """Open the store in ``artifacts``, or in the default folder.

    ``fresh``: trust no stored result; ``audit``: the share of them to be computed again and compared.

    Raises
    ------
    StudyError
        If nothing can be written there.
    """
    store = Store(artifacts or artifacts_folder(), fresh=fresh, audit=audit)
    try:
        store.scratch()
    except OSError as error:
        raise StudyError(
            f"{_shown(store.folder)} cannot hold what a run leaves: {error.strerror}. Choose another with --artifacts."
        ) from None
    return store


# Registering -----------------------------------------------------------------------------------


def register(store: Store, study: Study) -> tuple[Registration, tuple[str, ...]]:
    """Write the study down under its digest, before any of its data is read.

    Returns
    -------
    tuple
        The registration, and what differs from each earlier registration of the same name, in
        words; empty when this is the first or the same again.
    """
    folder = store.folder / "registrations" / study.name
    digest = study.essence_digest()
    with store.lock(f"registrations-{study.name}"):
        earlier = _registrations(store, folder)
        mine = next((one for one in earlier if one.digest == digest), None)
        if mine is None:
            mine = Registration(
                study=study,
                digest=digest,
                order=1 + max((one.order for one in earlier), default=-1),
            )
            store.write_checked(
                folder / f"{digest}.json", canonical_json(mine.model_dump(mode="json"))
            )
    others = (one for one in earlier if one.order < mine.order)
    before = sorted(
        # a version that knew fewer keys digested the same study otherwise
        (one for one in others if one.study.essence_digest() != digest),
        key=lambda one: one.order,
    )
    return mine, tuple(
        _deviation(one, study, begun=_mark(folder, one).exists()) for one in before
    )


def begin(store: Store, registration: Registration) -> None:
    """Note that the registered study is about to look at scores."""
    folder = store.folder / "registrations" / registration.study.name
    store.write(_mark(folder, registration), b"")


def _mark(folder: Path, registration: Registration) -> Path:
    return folder / f"{registration.digest}.begun"


def _registrations(store: Store, folder: Path) -> list[Registration]:
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Registration.model_validate_json(store.read_checked(path)))
        except (CorruptObject, ValidationError):
            continue  # written by another version or damaged: it cannot testify
    return found


def _deviation(earlier: Registration, study: Study, *, begun: bool) -> str:
    old, new = _flat(earlier.study.essence()), _flat(study.essence())
    changed = sorted(
        key
        for key in old.keys() | new.keys()
        if old.get(key) != new.get(key) and key != "overrides"
    )
    shown = ", ".join(
        f"{key} ({old.get(key)} -> {new.get(key)})" for key in changed[:4]
    )
    more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
    known = "whose scores could be seen" if begun else "which never came to a score"
    return (
        f"differs from registration {earlier.digest[:12]} of the same name, {known}, in "
        f"{shown or 'nothing but --set'}{more}"
    )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            k: v
            for name, inner in value.items()
            for k, v in _flat(inner, f"{prefix}.{name}" if prefix else name).items()
        }
    return {prefix: value}


class Identity(Record):
    """Everything that decides a run's result, digested: equal identity, equal result."""

    name: str = Field(description="The folder the run leaves.")
    sources: dict[str, Source]
    suites: dict[str, Suite]
    study: Digest
    program: Digest
    lock: Digest


def identify(
    study: Study, path: Path, data: Path | None = None, *, multiverse: bool = False
) -> Identity:
    """Digest the study, its sources and suites, the program and the lock. Nothing is parsed yet.

    ``path`` is the study file, ``data`` what :func:`source_of` takes; ``multiverse``: whether the
    verdict is asked again under every declared alternative.

    Raises
    ------
    StudyError, DataRefused
        If a suite or a source is not there or cannot be read.
    """
    beside = locate(path).parent
    suites = {name: suite_of(study.of(name), beside) for name in study.plans()}
    sources = {
        name: source_of(study.of(name), data, study.seed_of(name))
        for name in study.plans()
    }
    program, lock, digest = program_digest(), lock_digest(), study.essence_digest()
    inputs = {
        "study": digest,
        "sources": {name: source.digests() for name, source in sources.items()},
        "suites": {name: suite.essence_digest() for name, suite in suites.items()},
        "program": program,
        "lock": lock,
    } | ({"multiverse": True} if multiverse else {})
    if multiverse and not any(study.of(name).alternatives for name in study.plans()):
        raise StudyError(
            f"{path} declares no alternative: write [[plan.a.alternatives]] with a name and the keys of clean that "
            f"differ, or leave out --multiverse."
        )
    return Identity(
        name=f"{study.name}-{digest_json(inputs)[:12]}",
        sources=sources,
        suites=suites,
        study=digest,
        program=program,
        lock=lock,
    )
