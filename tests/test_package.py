"""What `pip install .` brings, and that the lists of dependencies agree."""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from containers.audit import verdict
from containers.conda import environment_of
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    "assay/requirements.txt": "requirements.in",
    "requirements.txt": "requirements-prefect.in",
    "requirements-s3.txt": "requirements-s3.in",
    "requirements-dask.txt": "requirements-dask.in",
    "requirements-dev.txt": "requirements-dev.in",
    "containers/tools.txt": "containers/tools.in",
}
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)(.*?)\\?$", re.MULTILINE)
COMPUTES = ("numpy", "scipy", "scikit-learn", "pandas", "keras", "keras-tuner", "onnx")


def pins(lock: str) -> set[tuple[str, ...]]:
    """Name, version and marker of each pin of a lock."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return {tuple(part.strip() for part in pin) for pin in PIN.findall(text)}


def asked(file: str) -> list[Requirement]:
    """The requirements that a file names itself."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    texts = (line.split("#")[0].strip() for line in lines)
    return [Requirement(text) for text in texts if text and text[0] != "-"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_its_file_asks_for_within_its_bounds(lock):
    locked: dict[str, list[str]] = {}
    for name, version, _ in pins(lock):
        locked.setdefault(name, []).append(version)
    for requirement in asked(LOCKS[lock]):
        assert locked[requirement.name], requirement
        assert all(map(requirement.specifier.contains, locked[requirement.name]))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_a_hash_for_every_pin(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert not re.search(
        r"^--(index|extra-index|find-links)|://|file:", text, re.MULTILINE
    )
    assert text.count("==") <= text.count("--hash=sha256:")


def test_the_plain_program_is_locked_to_the_versions_of_a_clone_and_has_no_prefect():
    """So a run from a wheel and one from a clone compute with the same packages."""
    core, clone = pins("assay/requirements.txt"), pins("requirements.txt")

    assert {(name, version) for name, version, _ in core} <= {
        (name, version) for name, version, _ in clone
    }
    assert "prefect" not in {name for name, _, _ in core}
    assert {"prefect", *COMPUTES} <= {name for name, _, _ in clone}


@pytest.mark.parametrize("extra", ["s3", "dask"])
def test_an_extra_asks_for_what_its_lock_is_made_of(extra):
    listed = PROJECT["project"]["optional-dependencies"][extra]

    assert list(map(Requirement, listed)) == asked(f"requirements-{extra}.in")


def test_what_predicting_needs_is_asked_for_as_by_the_program():
    listed = PROJECT["project"]["optional-dependencies"]["predict"]

    assert set(map(Requirement, listed)) <= set(asked("requirements.in"))


def test_the_conda_environment_has_the_versions_of_the_lock():
    lock = (ROOT / "assay" / "requirements.txt").read_text(encoding="utf-8")
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    *_, by_pip = yaml.safe_load(text)["dependencies"]
    named = {
        (r.name, str(r.specifier)[2:]) for r in map(Requirement, by_pip["pip"][:-1])
    }

    assert text == environment_of(lock)
    assert by_pip["pip"][-1] == "."
    assert named == {
        (name, version) for name, version, _ in pins("assay/requirements.txt")
    }


def built(folder: Path, target: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path


def test_a_wheel_holds_the_package_and_what_it_reads_and_two_have_the_same_bytes(
    tmp_path,
):
    wheel = built(tmp_path / "first", "wheel")
    again = built(tmp_path / "second", "wheel")
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
        metadata = next(name for name in files if name.endswith("/METADATA"))
        asks = archive.read(metadata).decode()
    shipped = {
        f"assay/shipped/{path.relative_to(ROOT).as_posix()}"
        for pattern in (
            "hypotheses/*.toml",
            "expectations/*.json",
            "data/catalogue.toml",
            "requirements.in",
        )
        for path in ROOT.glob(pattern)
    }
    own = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "assay").rglob("*")
        if path.suffix in {".py", ".jinja", ".toml", ".json", ".txt", ".typed"}
    }

    assert wheel.read_bytes() == again.read_bytes()
    assert {name for name in files if ".dist-info/" not in name} == own | shipped
    assert "Requires-Dist: numpy" in asks
    assert "prefect" not in asks.partition("\n\n")[0].lower()


def test_a_wheel_and_a_clone_have_the_same_digests(tmp_path):
    """What one of them has stored answers the other; a run of one is reproduced by the other."""
    with zipfile.ZipFile(built(tmp_path / "wheel", "wheel")) as archive:
        archive.extractall(tmp_path / "installed")
    program = (
        "from assay.store.code import code_digest, lock_digest, program_digest\n"
        "print(program_digest(), code_digest('assay.bundle.stage'), lock_digest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for folder in (tmp_path / "installed", ROOT)
    }

    assert len(digests) == 1


def test_a_source_archive_is_enough_to_build_the_wheel(tmp_path):
    archive = built(tmp_path / "archive", "sdist")
    command = [sys.executable, "-m", "tarfile", "-e", archive, tmp_path / "unpacked"]
    subprocess.run(command, check=True, capture_output=True)
    (folder,) = (tmp_path / "unpacked").iterdir()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-t",
            "wheel",
            "-d",
            tmp_path / "again",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (again,) = (tmp_path / "again").iterdir()

    with (
        zipfile.ZipFile(again) as first,
        zipfile.ZipFile(built(tmp_path / "wheel", "wheel")) as other,
    ):
        assert first.namelist() == other.namelist()


def test_the_image_for_prediction_copies_every_module_that_predicting_imports():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stage = text.partition("AS predict-build")[2].partition("\nFROM ")[0]
    copied = {
        file
        for line in re.findall(r"^COPY (assay.*) \S+$", stage, re.MULTILINE)
        for source in line.split()
        for file in [ROOT / source, *(ROOT / source).rglob("*.py")]
        if file.suffix == ".py"
    }
    waiting, reached = [ROOT / "assay" / "predict" / "__main__.py"], set()
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting += imported(file)

    assert reached <= copied


def imported(file: Path) -> list[Path]:
    """The files of this project that a module imports when it is loaded, or later."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            names.add(node.module)
    paths = [
        ROOT.joinpath(*name.split(".")) for name in names if name.startswith("assay.")
    ]
    files = [path.with_suffix(".py") for path in paths] + [
        path / "__init__.py" for path in paths
    ]
    return [path for path in files if path.is_file()]


# What is released, and what is known of it -----------------------------------------------------------

TOOLS = ROOT / ".venv-tools" / "bin" / "python"


def released(clone: Path, output: Path, **settings: str) -> dict[str, bytes]:
    """Build the files of a release from a clone, under settings of a person."""
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    (clone / "assay" / "not committed.py").touch()
    subprocess.run(
        [TOOLS, "containers/release.py", "--output", output],
        cwd=clone,
        env=os.environ | settings,
        check=True,
        capture_output=True,
    )
    return {path.name: path.read_bytes() for path in output.iterdir()}


@pytest.mark.slow
@pytest.mark.skipif(
    not (TOOLS.is_file() and (ROOT / ".git").exists()),
    reason="`make release` installs the tools, in a clone",
)
def test_a_release_of_a_commit_has_the_same_bytes_whoever_builds_it(tmp_path):
    first = released(tmp_path / "a", tmp_path / "first")
    before = os.umask(0o077)
    try:
        again = released(
            tmp_path / "b" / "c", tmp_path / "second",
            TZ="Asia/Seoul", LC_ALL="ko_KR.UTF-8", SOURCE_DATE_EPOCH="1", PYTHONHASHSEED="7",
        )  # fmt: skip
    finally:
        os.umask(before)

    assert {Path(name).suffix for name in first} == {".whl", ".gz", ".json", ""}
    assert first == again
    for line in first["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(first[name]).hexdigest() == digest


KNOWN = {"name": "a", "version": "1", "vulns": []}
FLAWED = KNOWN | {"vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "b", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([KNOWN], 0, "No vulnerability is known of 1 packages."),
        ([KNOWN, FLAWED], 1, "a 1: CVE-1, mended in 2"),
        ([KNOWN, SKIPPED], 2, "1 of 2 packages could not be looked up"),
        ([FLAWED, SKIPPED], 1, "could not be looked up"),
        (None, 2, "The database of vulnerabilities was not reached: no route"),
    ],
)
def test_no_answer_about_vulnerabilities_is_told_from_a_finding(packages, code, said):
    report = "" if packages is None else json.dumps({"dependencies": packages})

    assert verdict(report, "no route")[0] == code
    assert said in verdict(report, "no route")[1]
