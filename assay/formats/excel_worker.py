"""Opens a workbook in a process of its own: a damaged one can end the library, or ask for all memory.

    python excel_worker.py FILE MEMORY_BYTES CPU_S [SHEET]

Writes JSON lines: what the workbook holds, then each row of the sheet. It loads nothing of ours.
"""

import contextlib
import json
import resource
import sys
from typing import Any


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: dates and times as text."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def _bound(memory: int, cpu_s: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # not on every system
            resource.setrlimit(what, (most, most))


def tell(path: str, wanted: str | None) -> None:
    """Write what the workbook holds, and the rows of the one sheet that can be meant."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum

    say = sys.stdout.write
    with CalamineWorkbook.from_path(path) as book:
        names = [
            one.name
            for one in book.sheets_metadata
            if one.typ == SheetTypeEnum.WorkSheet
        ]
        looked_at = [wanted] if wanted is not None else names
        filled = {}
        for name in looked_at:
            sheet = book.get_sheet_by_name(name) if name in names else None
            if sheet is not None and sheet.height:
                filled[name] = sheet
        head: dict[str, Any] = {"sheets": names, "filled": list(filled)}
        only = next(iter(filled.values())) if len(filled) == 1 else None
        if only is not None:
            head |= {
                "start": only.start,
                "shape": [only.height, only.width],
                "merged": only.merged_cell_ranges or [],
            }
        say(json.dumps(head) + "\n")
        if only is not None:
            for row in only.to_python(skip_empty_area=True):
                say(json.dumps([_plain(value) for value in row]) + "\n")
            say("null\n")


if __name__ == "__main__":
    _bound(int(sys.argv[2]), int(sys.argv[3]))
    try:
        tell(sys.argv[1], sys.argv[4] if len(sys.argv) > 4 else None)
    except BaseException as error:  # a panic of the library is no Exception
        sys.stdout.write(json.dumps({"error": str(error)[:200]}) + "\n")
        sys.exit(1)
