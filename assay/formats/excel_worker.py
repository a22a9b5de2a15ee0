"""Open a workbook in a process of its own: a damaged one can end the library, or ask for all memory.

    python excel_worker.py FILE MEMORY_BYTES CPU_S [SHEET]

Writes JSON lines: what the workbook holds, then each row of the sheet. It loads no other module of Assay.
Linux holds the process to both limits and macOS to CPU time. Windows has neither limit: a damaged workbook
there can take memory until the system ends this process, but not the one that reads its lines.
"""

import contextlib
import json
import sys
from datetime import date
from itertools import islice
from typing import Any

# Excel counts a 29 February 1900 that never was: before this day two of its numbers are one day, and a duration
# under a format of dates is a day of 1899 or 1900.
_FIRST_SURE = "1900-03-01"


class Unsure(Exception):
    """A date of Excel's that cannot be known; its text."""


def _plain(value: Any, sure: bool) -> Any:
    """Return a cell as JSON has it: dates and times as text; ``sure``: whether days are not counted as Excel does."""
    if isinstance(value, bool | int | float | str):
        return value
    if not sure and isinstance(value, date) and str(value) < _FIRST_SURE:
        raise Unsure(value)
    return str(value)


def _limit(memory: int, cpu_s: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # not on every system
            resource.setrlimit(limit, (most, most))


def tell(path: str, wanted: str | None) -> None:
    """Write what the workbook holds, and the rows of the one sheet that can be meant."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum

    write = sys.stdout.write
    with CalamineWorkbook.from_path(path) as book:
        names = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet
        ]
        filled = {}
        for name in names if wanted is None else [wanted]:
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
        write(json.dumps(head) + "\n")
        if only is not None:
            above = only.start[0] if only.start is not None else 0
            rows = enumerate(islice(only.iter_rows(), above, None), above + 1)
            for number, row in rows:
                try:
                    cells: Any = [_plain(value, path.endswith(".ods")) for value in row]
                except Unsure as unsure:
                    cells = {"unsure": [number, str(unsure)]}
                write(json.dumps(cells) + "\n")
            write("null\n")


if __name__ == "__main__":
    _limit(int(sys.argv[2]), int(sys.argv[3]))
    try:
        tell(sys.argv[1], sys.argv[4] if len(sys.argv) > 4 else None)
    except BaseException as error:  # a panic of the library is no Exception
        sys.stdout.write(json.dumps({"error": str(error)[:200]}) + "\n")
        sys.exit(1)
