"""The floors of the house: a package imports from lower ones only, and a heavy library has one owner."""

import ast
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.conftest import ROOT

# Top to bottom. What is on one floor does not import its neighbours.
FLOORS = (
    ("flows",),
    ("__main__",),
    ("cli", "api"),
    ("calibrate", "serve"),
    ("tasks", "pipeline", "dry_run"),
    ("stages",),
    ("request", "bundle"),
    ("audit", "gate", "models", "report"),
    ("networks", "preprocess", "judge", "reproduce", "draft"),
    ("data", "metrics"),
    ("study", "predict"),
    ("formats", "store"),
    ("errors",),
    ("wording",),
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
OWNERS = {
    "great_expectations": {"assay.data.validate"},
    "tensorflow": {
        "assay.networks.tensors",
        "assay.networks.graph",
        "assay.networks.augment",
        "assay.networks.dense_graph",
        "assay.networks.conv_graph",
        "assay.networks.to_litert",
    },
    "keras": {"assay.networks.to_keras"},
    "keras_tuner": {"assay.models.search"},
    "onnx": {"assay.networks.to_onnx"},
    "onnxruntime": {"assay.predict.network"},
    "PIL": {"assay.formats.image_files", "assay.report.examples"},
    "python_calamine": {"assay.formats.excel_worker"},
}


@cache
def modules() -> dict[str, frozenset[str]]:
    """Return every module of the house with the dotted names it imports, inside functions too."""
    files = [
        file
        for folder in ("flows", "tasks", "assay")
        for file in (ROOT / folder).rglob("*.py")
    ]
    return {_name(file): _imports(file) for file in files}


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            names.add(node.module)
    return frozenset(names)


def _room(name: str) -> str:
    parts = name.split(".")
    if parts == ["assay"]:  # its public names are the API's
        return "api"
    return parts[1] if parts[0] == "assay" else parts[0]


def test_a_package_imports_from_lower_floors_only():
    wrong = [
        f"{name} imports {used}"
        for name, names in modules().items()
        for used in names
        if used != "assay"
        and used.split(".")[0] in ("assay", "flows", "tasks")
        and _room(used) in FLOOR
        and _room(used) != _room(name)
        and not FLOOR[_room(name)] < FLOOR[_room(used)]
    ]

    assert not wrong


def test_no_circle_of_files_exists():
    try:
        TopologicalSorter(_files_used(modules())).prepare()
    except CycleError as circle:
        raise AssertionError(" -> ".join(circle.args[1])) from None


def _files_used(names: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    """Return which files each imports: a package's own file only where nothing more exact is named."""
    used = {}
    for name, imported in names.items():
        ours = {other for other in imported if other in names and other != name}
        used[name] = {
            other
            for other in ours
            if not any(more.startswith(f"{other}.") for more in ours)
            and not name.startswith(f"{other}.")
        }
    return used


def test_heavy_libraries_have_one_owner_each():
    wrong = [
        (name, library)
        for name, names in modules().items()
        for library in {used.split(".")[0] for used in names}
        if (library in OWNERS and name not in OWNERS[library])
        or (library == "matplotlib" and not name.startswith("assay.report."))
        or (library == "prefect" and name.startswith("assay"))
        or (library in ("typer", "rich") and not name.startswith("assay.cli"))
    ]

    assert not wrong


def test_what_predicts_needs_numpy_and_onnxruntime_only():
    allowed = {"assay", "numpy", "onnxruntime", "pyarrow", *sys.stdlib_module_names}
    rooms = ("predict", "formats", "errors", "wording")
    wrong = [
        (name, used)
        for name, names in modules().items()
        if name.startswith("assay.predict")
        or (_room(name) in rooms and name not in _TRAINING_ONLY)
        for used in names
        if used.split(".")[0] not in allowed
    ]

    assert not wrong


# Formats that training alone reads.
_TRAINING_ONLY = {"assay.formats.image_files", "assay.formats.excel_worker"}
