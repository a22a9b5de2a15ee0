"""Digests of the code and of the packages it runs on."""

import ast
import re
import sys
from functools import lru_cache
from pathlib import Path

from assay.store.canonical import digest_bytes, digest_file, digest_json
from assay.store.machine import installed_version
from assay.store.places import PACKAGE, shipped

_FACES = ("assay/cli/", "assay/api/")


def core_lock() -> Path:
    """Return the lock of the plain pipeline, which the wheel brings; in a clone without it the clone's own lock."""
    core = PACKAGE / "requirements.txt"
    return core if core.is_file() else shipped("requirements.txt")


@lru_cache
def lock_digest() -> str:
    """Return a digest of the core lock, the Python version, and what is really installed.

    Only packages that the lock names count, so that a test runner beside them changes nothing;
    their installed versions count, so that an upgrade past the lock does.
    """
    content = core_lock().read_bytes()
    pins = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", content.decode(), flags=re.MULTILINE
    )
    installed = {name: installed_version(name) for name in sorted(set(pins))}
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return digest_json(
        {"lock": digest_bytes(content), "python": python, "installed": installed}
    )


@lru_cache
def code_digest(*modules: str) -> str:
    """Return a digest of the source of ``modules`` and of every ``assay`` module they reach.

    Imports are read from the text, those inside functions too, so that the digest covers what a
    stage can call whether or not it has been called yet. A template or table beside a module, and a table in
    ``data``, counts with the module it is named for.
    """
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting.extend(_imports(_source_file(module)))
    sources = [_source_file(module) for module in reached]
    read = [file for source in sources for file in _read_by(source)]
    return digest_json(
        {_name_of(file): digest_file(file) for file in [*sources, *read]}
    )


@lru_cache
def program_digest() -> str:
    """Return a digest of everything that can decide a verdict: the package and what it reads, but not its faces."""
    files = [
        file
        for file in PACKAGE.rglob("*")
        if file.suffix in {".py", ".jinja", ".toml"}
        and not file.is_relative_to(PACKAGE / "shipped")  # a wheel's studies and suites
        and not _name_of(file).startswith(_FACES)
    ]
    files.append(shipped("data/catalogue.toml"))
    return digest_json({_name_of(file): digest_file(file) for file in sorted(files)})


def _name_of(file: Path) -> str:
    """Return what a file of this program is called in a digest: the same in a clone and in a wheel."""
    shipped_here = PACKAGE / "shipped"
    base = shipped_here if file.is_relative_to(shipped_here) else PACKAGE.parent
    return file.relative_to(base).as_posix()


def _read_by(source: Path) -> list[Path]:
    """Return the files that a module reads when it runs: templates and tables named for it, one in ``data``."""
    beside = sorted(
        file
        for ending in ("jinja", "toml")
        for file in source.parent.glob(f"{source.stem}.*{ending}")
    )
    if source.stem == "say":  # other modules keep sentences as keys and values
        beside += sorted((PACKAGE / "wording").glob("*/*.toml"))
    table = shipped(f"data/{source.stem}.toml")
    return [*beside, table] if table.is_file() else beside


def _source_file(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@lru_cache
def _imports(path: Path) -> tuple[str, ...]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(
        sorted(
            name
            for name in names
            if name.startswith("assay.") and _source_file(name).is_file()
        )
    )
