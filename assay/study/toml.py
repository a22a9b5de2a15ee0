"""Studies and values as TOML."""

import json
from collections.abc import Mapping
from typing import Any

from assay.study.plans import Study


def study_text(study: Study) -> str:
    """Return the study as TOML, overrides applied: the file that runs this study again."""
    values = study.model_dump(mode="json", exclude={"overrides"}, exclude_none=True)
    head = (
        [f"# Overrides applied: {', '.join(map(toml, study.overrides))}"]
        if study.overrides
        else []
    )
    return "\n".join([*head, *_tables(values, ())]) + "\n"


def _tables(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {
        key: value
        for key, value in table.items()
        if not isinstance(value, dict) or key == "target"
    }
    lines = [f"{_key(key)} = {toml(value)}" for key, value in plain.items()]
    if path and lines:
        lines.insert(0, f"\n[{'.'.join(map(_key, path))}]")
    for key, value in table.items():
        if key not in plain:
            lines += _tables(value, (*path, key))
    return lines


def toml(value: Any) -> str:
    """Return a text, a number, a list or a table as TOML on one line.

    Examples
    --------
    >>> toml({"column": "a \\"b\\"", "most": 3})
    '{ column = "a \\\\"b\\\\"", most = 3 }'
    """
    if isinstance(value, dict):
        pairs = ", ".join(
            f"{_key(name)} = {toml(inner)}" for name, inner in value.items()
        )
        return f"{{ {pairs} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else toml(name)
