import os
import re
import subprocess
import sys

import pytest

from assay.store.machine import (
    _group_limits,
    circumstances,
    cores_allowed,
    memory_allowed,
)
from tests.conftest import ROOT


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


def test_tensorflow_that_was_imported_with_other_settings_is_told_in_words():
    program = """
import os, sys, types
sys.modules["tensorflow"] = types.ModuleType("tensorflow")
os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
from assay.errors import AssayError
from assay.store.machine import pin
try:
    pin()
except AssayError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "TensorFlow was already imported" in ended.stdout
