"""A study: one declared hypothesis and all it takes to check it.

The file is TOML and the only configuration. :func:`load` reads it and refuses what it does not know.
"""

import difflib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assay.errors import StudyError
from assay.store.places import project_folder, shipped
from assay.store.records import Record
from assay.study.plans import Study


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
    if path.is_file() or path.is_absolute():
        return path
    own = project_folder() / path
    return own if own.is_file() else shipped(path.as_posix())


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
