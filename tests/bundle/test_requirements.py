"""What predicting needs, out of the lock."""

import importlib.metadata
import re
import subprocess
import sys
import venv

import numpy as np
import pytest

from assay.bundle.requirements import PACKAGES, subset
from assay.store.code import core_lock
from tests.bundle_factories import make_bundle
from tests.conftest import ROOT
from tests.factories import make_table


def needed_by(name: str) -> set[str]:
    """A package and all that it asks for, extras left out."""
    found, waiting = set(), [name]
    while waiting:
        first = waiting.pop()
        if first in found:
            continue
        found.add(first)
        asked = importlib.metadata.requires(first) or []
        waiting += [re.match(r"[\w.-]+", line)[0].lower() for line in asked if "extra ==" not in line]  # fmt: skip
    return found


def test_the_packages_are_those_that_onnxruntime_and_pyarrow_ask_for():
    assert set(PACKAGES) == needed_by("onnxruntime") | needed_by("pyarrow")


def test_each_is_pinned_as_in_the_lock_with_every_hash_and_marker():
    lock = core_lock().read_text(encoding="utf-8")
    kept = subset(lock)
    lines = [line for line in kept.splitlines() if not line.startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]

    assert {re.match(r"[\w.-]+", pin)[0] for pin in pins} == set(PACKAGES)
    assert sum(pin.startswith("numpy==") for pin in pins) == len(re.findall(r"^numpy==", lock, re.MULTILINE))  # fmt: skip
    assert all(line in lock for line in lines)
    for name in PACKAGES:
        for block in re.findall(
            rf"^{name}==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL
        ):
            for digest in re.findall(r"sha256:[0-9a-f]{64}", block):
                assert digest in kept


def test_a_lock_without_one_of_them_is_refused():
    with pytest.raises(ValueError, match="the lock has no numpy"):
        subset("pandas==1 \\\n    --hash=sha256:00\n", ("numpy",))


def installed(folder, requirements) -> str:
    """Return the Python of a new environment with these packages, or a skip that says why there is none."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    words = ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "--retries", "1"]  # fmt: skip
    done = subprocess.run([python, *words, "-r", requirements], capture_output=True, text=True, timeout=900)  # fmt: skip
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        if re.search(r"connection|resolve|No matching|Could not find|timed out", done.stderr):  # fmt: skip
            pytest.skip(f"no package index answers: {reason[:120]}")
        pytest.fail(reason)
    return str(python)


@pytest.mark.slow
def test_a_new_environment_with_nothing_else_predicts_what_training_does(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        subset(core_lock().read_text(encoding="utf-8"))
    )
    python = installed(tmp_path / "venv", tmp_path / "requirements.txt")
    frame = make_table(80)
    made = make_bundle(tmp_path / "b", frame)
    frame.to_parquet(tmp_path / "t.parquet")
    words = [made.folder, tmp_path / "t.parquet", "-o", tmp_path / "o.csv"]
    subprocess.run([python, "-m", "assay.predict", *words], cwd=ROOT, check=True)
    found = np.loadtxt(tmp_path / "o.csv", delimiter=",", skiprows=1, usecols=(2, 3))
    listed = subprocess.run([python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True)  # fmt: skip
    names = {line.split("==")[0].lower() for line in listed.stdout.split()}

    np.testing.assert_allclose(found, made.trained(frame), atol=1e-5)
    assert names - {"pip", "setuptools", "wheel"} == set(PACKAGES)
    assert sys.version_info[:2] >= (3, 11)
