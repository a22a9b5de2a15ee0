"""Runs that were made to do harm: each is refused in one sentence, and nothing of theirs is run."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from assay.errors import AssayError, CorruptObject, StudyError
from assay.report.folder import open_run
from assay.report.rerun_receipts import receipts_of
from assay.reproduce import again, rerun
from assay.reproduce.again import checker, reproduced
from assay.reproduce.differences import predictions_in
from assay.reproduce.signatures import Signature
from assay.store.run_folder import fitting
from assay.store.store import Store
from bench import fuzz
from tests.kept_run import laid_out, with_file

RAN = "it-ran"


@pytest.fixture
def run(tmp_path) -> Path:
    return laid_out(tmp_path)


def refusal(run: Path, environment: str = "venv") -> str:
    with pytest.raises(AssayError) as refused:
        reproduced(Store(run.parent / "store"), str(run), environment=environment)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def with_wheel(run: Path) -> Path:
    """Lay a package into the run that leaves a file behind as soon as anything starts with it."""
    wheel = run / "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("evil.pth", f"import pathlib; pathlib.Path('{RAN}').touch()\n")
        archive.writestr("evil-1.0.dist-info/METADATA", "Name: evil\nVersion: 1.0\n")
        archive.writestr("evil-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("evil-1.0.dist-info/RECORD", "")
    content = wheel.read_bytes()
    wheel.unlink()
    return with_file(run, f"wheels/{wheel.name}", content)


@pytest.mark.parametrize(
    "head",
    [
        b"--find-links==wheels\nevil==1.0 --hash=sha256:%b\n" % (b"0" * 64),
        b"-r==more.txt\n",
        b"# -*- coding: utf-7 -*-\n# +AAo---find-links=wheels+AAo-evil==1.0\n",
    ],
    ids=["find-links", "more", "utf-7"],
)
def test_a_run_whose_lock_pip_reads_otherwise_is_refused_and_runs_nothing(
    run, head, monkeypatch
):
    monkeypatch.setattr(again, "_called", lambda *_: pytest.fail("something ran"))
    lock = (run / "requirements.txt").read_bytes()
    with_file(with_wheel(run), "requirements.txt", head + lock)
    with_file(run, "more.txt", b"wheels/evil-1.0-py3-none-any.whl\n")

    assert "is neither a package with its version nor a hash" in refusal(run)
    assert list(run.parent.rglob(RAN)) == []


def test_a_rerun_imports_nothing_from_the_current_folder(run, tmp_path, monkeypatch):
    for name in ("sitecustomize", "json", "assay", "numpy", "multiprocessing"):
        (run / f"{name}.py").write_text(f"open({str(tmp_path / RAN)!r}, 'w')\n")
    monkeypatch.chdir(run)
    (tmp_path / "place").mkdir()
    checker("here", None, (), tmp_path / "place", None)(["--version"])

    assert not (tmp_path / RAN).exists()


# What lies in the folder ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["evil.py", "bundle/evil.pth", "deep/er/x"])
def test_a_file_that_the_manifest_does_not_list_is_refused(run, name):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_text("import os")

    assert f"holds '{name}', which its manifest.json does not list" in refusal(run)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.parametrize("name", ["verdict.json", "manifest.json", "bundle/net.onnx"])
def test_a_pipe_is_refused_and_never_waited_for(run, name):
    (run / name).unlink()
    os.mkfifo(run / name)

    with pytest.raises(AssayError, match=r"not a regular file|not a finished run"):
        rerun.open_run(run)


@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "manifest.json", ""])
def test_a_link_is_refused_wherever_it_leads(run, target):
    (run / "trials.json").unlink()
    (run / "trials.json").symlink_to(target or run.parent)

    assert "is not a regular file" in refusal(run)


@pytest.mark.parametrize("name", ["/etc/passwd", "../table.csv", "x\x00y", "a" * 5000])
def test_a_name_that_leads_elsewhere_is_no_file_of_the_run(run, name):
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["files"][name] = "0" * 64
    (run / "manifest.json").write_text(json.dumps(manifest))

    assert "which its manifest.json lists, is missing" in refusal(run)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "is not the JSON that a run leaves"),
        (b'{"study": "a", "study": "b"}', "the key 'study' occurs twice"),
        (b'{"study": ' + b"9" * 5000 + b"}", "is not the JSON"),
        (b'{"study": NaN}', "was left by another version"),
        (b"[]", "was left by another version"),
        (b"\xff", "is not the JSON"),
        (b" " * (64 * 1024**2 + 1), "are the most"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_record_that_is_none_is_refused(run, content, said):
    (run / "manifest.json").write_bytes(content)
    assert said in refusal(run)


def test_predictions_that_unpack_to_far_more_than_the_file_are_not_read(run):
    """One text of a megabyte in 100,000 rows: 300 bytes in the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    label = pa.DictionaryArray.from_arrays(
        pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 10**6])
    )
    pq.write_table(
        pa.table({"label": label}),
        run / "predictions.parquet",
        compression="zstd",
    )
    with pytest.raises(CorruptObject, match="cannot be used"), fitting(run):
        predictions_in(run)


def test_a_damaged_run_or_receipt_is_read_or_refused_in_words(tmp_path):
    for kind, cases in (("run", range(4)), ("receipt", range(2))):
        for number in cases:
            outcome, said = fuzz.run_case(kind, number, 0, tmp_path)
            assert outcome in fuzz.GOOD, f"{kind} case {number}\n{said}"


def test_a_receipt_that_is_a_link_or_too_large_is_unreadable(run, tmp_path):
    folder = tmp_path / "receipts"
    folder.mkdir()
    (folder / "a.json").symlink_to(tmp_path / "receipt.json")
    (folder / "b.json").write_bytes(b" " * 2**20 + b"{}")
    (folder / "c.json").write_bytes(b"[" * 100_000)
    (folder / "d.json").write_bytes((tmp_path / "receipt.json").read_bytes())
    kept = receipts_of(open_run(run), folder, lambda _: Signature("none"))

    assert [one.fault for one in kept] == [None, *["unreadable"] * 3]


def test_an_intact_run_opens(run):
    assert open_run(run).manifest == rerun.open_run(run).manifest
    with pytest.raises(StudyError, match="is not a finished run"):
        rerun.open_run(run / "bundle" / "nothing")
