import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from assay.store import environment
from assay.store.environment import (
    _group_limits,
    artifacts_folder,
    circumstances,
    code_digest,
    cores_allowed,
    data_folder,
    lock_digest,
    memory_allowed,
    package_file,
    program_digest,
)
from tests.conftest import ROOT


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the program that digests are taken of, free to be changed."""
    for folder in ("assay", "tasks", "flows"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "catalogue.toml", tmp_path / "data")
    monkeypatch.setattr(environment, "PACKAGE", tmp_path / "assay")
    forget()
    yield tmp_path
    monkeypatch.undo()
    forget()


def forget() -> None:
    for function in (code_digest, program_digest, environment._imports):
        function.cache_clear()


def change(path: Path) -> None:
    path.write_text(
        path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8"
    )
    forget()


# `split` reaches seeds and, through it, canonical; it does not reach train.
@pytest.mark.parametrize(
    "name", ["data/split", "store/seeds", "store/canonical", "errors", "store/records"]
)
def test_the_code_digest_changes_with_every_module_that_is_reached(copy, name):
    before = code_digest("assay.data.split")
    change(copy / "assay" / f"{name}.py")

    assert code_digest("assay.data.split") != before


@pytest.mark.parametrize(
    "name", ["networks/train", "gate/stage", "report/page", "data/ingest"]
)
def test_the_code_digest_does_not_change_with_a_module_that_is_not_reached(copy, name):
    before = code_digest("assay.data.split")
    change(copy / "assay" / f"{name}.py")

    assert code_digest("assay.data.split") == before


def test_imports_inside_functions_are_reached(copy):
    before = code_digest("assay.data.split")
    with (copy / "assay" / "store" / "seeds.py").open("a") as file:
        file.write(
            "\n\ndef later():\n    from assay.judge import sentences\n\n    return sentences\n"
        )
    forget()
    linked = code_digest("assay.data.split")
    change(copy / "assay" / "judge" / "sentences.py")

    assert len({before, linked, code_digest("assay.data.split")}) == 3


@pytest.mark.parametrize(
    "name",
    [
        "assay/report/page.html.jinja",
        "assay/report/page.style.jinja",
        "assay/wording/en/report.toml",
        "data/catalogue.toml",
    ],
)
def test_what_a_module_reads_counts_with_the_module_it_is_named_for(copy, name):
    report, split = code_digest("assay.bundle.stage"), code_digest("assay.data.split")
    change(copy / name)

    assert code_digest("assay.bundle.stage") != report
    assert code_digest("assay.data.split") == split


def test_the_code_digest_is_the_same_in_another_folder(copy):
    elsewhere = code_digest("assay.data.split", "tasks.split")
    environment.PACKAGE = ROOT / "assay"
    forget()

    assert code_digest("assay.data.split", "tasks.split") == elsewhere


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("assay/gate/stage.py", True),
        ("assay/report/page.html.jinja", True),
        ("data/catalogue.toml", True),
        ("tasks/gate.py", False),
        ("flows/main.py", False),
        ("flows/terminal.py", False),
    ],
)
def test_the_program_digest_covers_what_decides_a_verdict(copy, name, counts):
    before = program_digest()
    change(copy / name)

    assert (program_digest() != before) == counts


def test_the_lock_digest_follows_the_lock_and_what_is_installed(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.txt"
    monkeypatch.setattr(environment, "shipped", lambda _: lock)

    def digest(content: str) -> str:
        lock.write_text(content)
        lock_digest.cache_clear()
        return lock_digest()

    first = digest("numpy==1.0\n")
    assert digest("numpy==1.0\n") == first
    assert digest("numpy==1.1\n") != first
    monkeypatch.setattr(environment, "_installed_version", lambda _: "9.9")
    assert digest("numpy==1.0\n") != first
    lock_digest.cache_clear()


def test_folders_come_from_the_environment_or_the_project(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    monkeypatch.setenv("ASSAY_ARTIFACTS", str(tmp_path / "a"))
    assert (data_folder(), artifacts_folder()) == (tmp_path, tmp_path / "a")

    for empty in (lambda name: monkeypatch.setenv(name, ""), monkeypatch.delenv):
        empty("ASSAY_DATA")
        empty("ASSAY_ARTIFACTS")
        assert (data_folder(), artifacts_folder()) == (
            ROOT / "data" / "raw",
            ROOT / "artifacts",
        )


def test_a_packages_file_is_found_and_a_missing_one_named():
    assert package_file("sklearn", "datasets/data/digits.csv.gz").is_file()
    for package, inside in (("sklearn", "no.csv"), ("no_such_package", "x")):
        with pytest.raises(FileNotFoundError, match=f"{package} "):
            package_file(package, inside)


def test_circumstances_say_what_ran_and_pass_through_json():
    found = circumstances(1.5)

    assert found.seconds == 1.5
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.versions["scikit-learn"]
    assert found.cores >= 1
    assert found.peak_memory_mb > 10
    assert all(re.match(r"[a-z0-9_]+$", flag) for flag in found.cpu_flags)
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_cores_and_memory_are_what_the_machine_has_or_less():
    assert 1 <= cores_allowed() <= (os.cpu_count() or 1)
    assert memory_allowed() > 10**8


@pytest.mark.parametrize(
    ("line", "file"),
    [("0::/pod/run", "memory.max"), ("4:memory:/pod/run", "memory.limit_in_bytes")],
)
def test_memory_is_limited_by_every_group_above_this_process(tmp_path, line, file):
    """Version 2 and version 1; the second group is not there, as seen from inside a container."""
    own, groups = tmp_path / "cgroup", tmp_path / "groups"
    own.write_text(f"9:name=systemd:/\n{line}\n")
    top = groups / ("memory" if "memory" in line else "")
    (top / "pod").mkdir(parents=True)
    (top / file).write_text("max\n")
    (top / "pod" / file).write_text("2000000000\n")

    assert _group_limits(own, groups) == [2_000_000_000]
    assert _group_limits(tmp_path / "absent", groups) == []
