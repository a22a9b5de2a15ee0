"""A study: one declared hypothesis and all it takes to check it.

The file is TOML and the only configuration. :func:`load` reads it and refuses unknown keys.
"""

import difflib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assay.errors import StudyError, why_refused
from assay.store.places import project_folder, shipped
from assay.store.records import Record
from assay.study.invalid import Invalid, reason_of
from assay.study.plans import Study
from assay.wording import Sentence, program

_MAX_BYTES = 1024**2
_MOST_PARTS = 64
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(
    rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MOST_PARTS}}}"
)


def load(
    path: Path, overrides: tuple[str, ...] = (), data: Path | None = None
) -> Study:
    """Read a study file and apply ``KEY=VALUE`` overrides.

    Parameters
    ----------
    path
        The TOML file; looked up in the project, then among the shipped studies, when it is not in the current folder.
    overrides
        For instance ``plan.a.tune.trials=4``. Values are TOML; anything else is text.
    data
        A file to read instead of the plans' sources; recorded like an override.

    Raises
    ------
    StudyError
        If the file is missing, is not TOML, or declares something that no study can. The message names
        the table, the key, the value and the bound.
    """
    file, values = _read(path)
    return declared(path, file.stem, values, overrides, data)


def declared(
    path: Path,
    name: str,
    values: dict[str, Any],
    overrides: tuple[str, ...] = (),
    data: Path | None = None,
) -> Study:
    """Return the study that TOML values declare, by a file's name; see :func:`load`."""
    for key, value in map(_parse_override, overrides):
        _set(values, key, value, path)
    if data is not None and data.is_file():
        overrides = (*overrides, f"data={data.name}")
    if "overrides" in values:
        raise StudyError("study.overrides_in_file", path=str(path))
    try:
        return Study.model_validate({"name": name, **values, "overrides": overrides})
    except ValidationError as error:
        sentence = _explain(path, error)
        raise StudyError(sentence.key, **sentence.values) from None


def locate(path: Path) -> Path:
    """Return where a study file lies: as given, or else in the project, or else among the shipped ones."""
    if path.is_file() or path.is_absolute():
        return path
    own = project_folder() / path
    return own if own.is_file() else shipped(path.as_posix())


def _read(path: Path) -> tuple[Path, dict[str, Any]]:
    if path.suffix.lower() != ".toml" and not path.is_dir():
        raise StudyError("study.not_a_study", path=str(path), program=program())
    try:
        file = locate(path)
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise StudyError("study.too_large", path=str(path), most=_MAX_BYTES)
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        return file, _parse(text)
    except FileNotFoundError:
        raise StudyError("study.missing_file", path=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(
            "study.unreadable", path=str(path), why=why_refused(error)
        ) from None
    except (ValueError, RecursionError) as error:
        raise StudyError("study.no_toml", path=str(path), why=str(error)) from None


def _parse(text: str) -> dict[str, Any]:
    """Return what TOML declares.

    Raises
    ------
    ValueError, RecursionError
        If it is no TOML, or a key has far more parts than a study's, which would take memory by their square.
    """
    long = _LONG_KEY.search(text)
    if long:
        raise Invalid("study.long_key", key=_cut(long[0]), most=_MOST_PARTS)
    return tomllib.loads(text)


def _parse_override(override: str) -> tuple[list[str], Any]:
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_.-]+", key):
        raise StudyError("study.override", override=override)
    try:
        return key.split("."), _parse(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return key.split("."), text


def _set(values: dict[str, Any], key: list[str], value: Any, path: Path) -> None:
    table = values
    for part in key[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise StudyError(
                "study.override_in_value",
                path=str(path),
                key=".".join(key),
                value=part,
            )
        table = inner
    table[key[-1]] = value


def _explain(path: Path, error: ValidationError) -> Sentence:
    """Return one sentence on the first problem: a person corrects one thing at a time."""
    problems = [problem for problem in error.errors() if not _other_branch(problem)]
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    sentence = _problem(path, first)
    n_more = len(problems) - 1
    return (
        Sentence.of("study.and_more", first=sentence, n=n_more) if n_more else sentence
    )


def _problem(path: Path, problem: Any) -> Sentence:
    parts = [_cut(str(part)) for part in problem["loc"] if not _branch(part)]
    key, table = (parts[-1], parts[:-1]) if parts else ("", [])
    place = _place(path, table)
    match problem["type"]:
        case "extra_forbidden":
            return _unknown_key(place, key, _keys_of(table))
        case "missing" if key.isdecimal():
            return Sentence.of("study.missing_value", place=place, number=int(key) + 1)
        case "missing":
            return Sentence.of("study.missing_key", place=place, key=key)
    reason = reason_of(problem)
    if problem["type"] == "value_error":
        return Sentence.of("study.rule", place=_place(path, parts), reason=reason)
    try:
        value = json.dumps(problem["input"], default=str, ensure_ascii=False)
    except ValueError:  # a whole number of thousands of digits, written in hexadecimal
        value = "..."
    return Sentence.of(
        "study.bound", place=place, key=key, value=_cut(value, 77), reason=reason
    )


def _place(path: Path, table: list[str]) -> str:
    return f"{path} [{'.'.join(table)}]" if table else str(path)


def _unknown_key(place: str, key: str, keys: list[str]) -> Sentence:
    near = difflib.get_close_matches(key, keys, n=1)
    if near:
        return Sentence.of("study.unknown_key", place=place, key=key, near=near[0])
    return Sentence.of("study.no_such_key", place=place, key=key, keys=tuple(keys))


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


def _keys_of(table: list[str]) -> list[str]:
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
    return next((record for record in inner if record is not None), None)
