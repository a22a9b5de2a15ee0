"""A plugin of pytest: what is collected, and that groups of tests stay together (``-p`` in pyproject.toml)."""

import re
from pathlib import Path

import pytest

_WHOLLY_SLOW = re.compile(
    r"^pytestmark = (\[\s*)?pytest\.mark\.(slow|flow)\b", re.MULTILINE
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what would be imported for nothing: libraries as large as TensorFlow are what it costs."""
    if collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    if not collection_path.name.startswith("test_"):  # looked into for doctests only
        return ">>>" not in text or None
    quick = (
        "not slow" in config.option.markexpr and "not flow" in config.option.markexpr
    )
    return (quick and _WHOLLY_SLOW.search(text) is not None) or None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Hold that groups of tests stay on one worker; a pytest that breaks this doubles the costly fixtures."""
    if getattr(session.config.option, "loadgroup", False):
        grouped = [
            item for item in session.items if item.get_closest_marker("xdist_group")
        ]
        assert all("@" in item.nodeid for item in grouped), "xdist_group is not seen"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name the contents of a file by their parameter: workers compare names, and a packed file has a time in it."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None
