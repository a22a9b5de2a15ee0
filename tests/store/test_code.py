import shutil
from pathlib import Path

import pytest

from assay.store import code, places
from assay.store.code import code_digest, core_lock, lock_digest, program_digest
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
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "assay")
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "assay")
    forget()
    yield tmp_path
    monkeypatch.undo()
    forget()


def forget() -> None:
    for function in (code_digest, program_digest, code._imports):
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
    code.PACKAGE = places.PACKAGE = ROOT / "assay"
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
        ("flows/server.py", False),
    ],
)
def test_the_program_digest_covers_what_decides_a_verdict(copy, name, counts):
    before = program_digest()
    change(copy / name)

    assert (program_digest() != before) == counts


def test_the_lock_digest_follows_the_lock_and_what_is_installed(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.txt"
    monkeypatch.setattr(code, "core_lock", lambda: lock)

    def digest(content: str) -> str:
        lock.write_text(content)
        lock_digest.cache_clear()
        return lock_digest()

    first = digest("numpy==1.0\n")
    assert digest("numpy==1.0\n") == first
    assert digest("numpy==1.1\n") != first
    monkeypatch.setattr(code, "installed_version", lambda _: "9.9")
    assert digest("numpy==1.0\n") != first
    lock_digest.cache_clear()


def test_the_core_lock_is_the_packages_own_where_it_has_one(tmp_path, monkeypatch):
    """A clone and a wheel then digest the same bytes."""
    (tmp_path / "requirements.txt").write_bytes(b"numpy==1.0\n")

    assert core_lock().is_file()
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    assert core_lock() == tmp_path / "requirements.txt"
