"""The layers of the house: flows -> tasks -> assay, and what only some modules may load."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    file
    for folder in ("flows", "tasks", "assay")
    for file in (ROOT / folder).rglob("*.py")
)

NEVER = {
    "flows": {
        "pandas",
        "sklearn",
        "keras",
        "tensorflow",
        "keras_tuner",
        "great_expectations",
    },
    "tasks": {
        "flows",
        "numpy",
        "pandas",
        "sklearn",
        "keras",
        "tensorflow",
        "keras_tuner",
        "great_expectations",
    },
    "assay": {"flows", "tasks", "prefect", "typer", "rich"},
}
ONLY = {
    "great_expectations": {"assay.validate"},
    "tensorflow": {"assay.graph", "assay.image_graph", "assay.litert"},
    "keras": {"assay.saved_model"},
    "keras_tuner": {"assay.search"},
    "onnx": {"assay.onnx_graph"},
    "onnxruntime": {"assay.export", "assay.predict.network"},
    "PIL": {"assay.readers.image_files", "assay.report.examples"},
    "matplotlib": {
        f"assay.report.{name}"
        for name in (
            "drawing",
            "pictures",
            "searching",
            "curves",
            "numbers",
            "columns",
        )
    },
    "python_calamine": {"assay.readers.excel_worker"},
}
STAGES = {
    "ingest",
    "validate",
    "clean",
    "split",
    "audit",
    "gate",
    "tune",
    "judge",
    "bundle",
}
FLOWS_MAY_READ = {
    "study",
    "sources",
    "registration",
    "records",
    "errors",
    "store",
    "plans",
    "predict",
    "verdict",
    "runs",
    "words",
    "progress",
    "metrics",
    "seeds",
    "canonical",
    "environment",
    "memory",
    "calibrate",
    "catalogue",
    "draft",
    "fetch",
    "ledger",
    "report",
    "receipt",
    "rerun",
    "worlds",
    "behaviour",
    "scope",
}


def imports(path: Path) -> set[str]:
    """Return the dotted names a file imports anywhere, functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_layer_imports_only_what_lies_below_it(path: Path):
    layer = path.relative_to(ROOT).parts[0]
    tops = {name.split(".")[0] for name in imports(path)}

    assert not tops & NEVER[layer]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_have_one_owner_each(path: Path):
    tops = {name.split(".")[0] for name in imports(path)}

    for library, owners in ONLY.items():
        assert library not in tops or name_of(path) in owners


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stages_do_not_import_each_other(stage: str):
    used = {
        name.split(".")[1]
        for name in imports(ROOT / "assay" / f"{stage}.py")
        if name.startswith("assay.")
    }

    assert not used & (STAGES - {stage})


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_audit_calls_the_sentinels_and_they_call_no_stage(path: Path):
    used = {name for name in imports(path) if name.startswith("assay.")}
    a_sentinel = name_of(path).startswith("assay.sentinels")

    if not a_sentinel and name_of(path) != "assay.audit":
        assert not any(name.startswith("assay.sentinels") for name in used)
    if a_sentinel:
        assert not {name.split(".")[1] for name in used} & STAGES


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.py")), ids=name_of)
def test_flows_read_only_the_light_part_of_assay(path: Path):
    used = {name.split(".")[1] for name in imports(path) if name.startswith("assay.")}

    assert used <= FLOWS_MAY_READ


def test_every_stage_has_its_word_in_both_layers():
    for stage in STAGES:
        assert (ROOT / "assay" / f"{stage}.py").is_file()
        assert (ROOT / "tasks" / f"{stage}.py").is_file()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "assay" / "predict").glob("*.py")), ids=name_of
)
def test_what_predicts_needs_numpy_and_onnxruntime_only(path: Path):
    tops = {name.split(".")[0] for name in imports(path)} - sys.stdlib_module_names

    assert tops <= {"assay", "numpy", "onnxruntime", "pyarrow"}
