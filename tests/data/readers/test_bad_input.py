"""The page on bad input names, for each of its rows, a test that is there."""

import re

from assay.formats import limits
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8")
ROWS = [
    line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line
]


def test_every_row_names_tests_that_exist():
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(
            r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    rows = [row for row in ROWS if not row.startswith("| what |")]

    assert len(rows) > 50
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= defined, row


def test_the_limits_it_states_are_those_of_the_program():
    gib, mib = limits.GIB, 1024**2
    for stated in (
        f"{limits.MAX_FILE_BYTES // gib} GiB, {limits.MAX_COLUMNS:,} columns or {limits.MAX_CELLS:,} cells",
        f"more than {limits.MAX_UNPACKED_BYTES // gib} GiB, counted while unpacking",
        f"more than {limits.MAX_CELL_CHARACTERS // mib} Mi characters",
        f"more than {limits.MAX_WORKBOOK_BYTES // mib} MiB; more than {limits.MAX_WORKBOOK_MEMORY // gib} GiB of memory "
        f"or {limits.MAX_WORKBOOK_CPU_S} s",
        f"more than {limits.MAX_IMAGE_PIXELS:,} pixels",
    ):
        assert stated in PAGE
