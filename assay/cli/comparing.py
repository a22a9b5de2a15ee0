"""Two finished runs side by side."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assay.cli.entry import write_page
from assay.report.folder import open_run
from assay.report.say import Say
from assay.report.two_runs import Comparison, compare
from assay.report.two_runs_page import sentences, side_by_side, tables
from assay.reproduce.rerun import find_run
from assay.store.run_folder import fitting
from assay.store.store import Store
from assay.wording import Language

_KEY = 36  # letters of a key that are not broken


def compared(
    store: Store, one: str, other: str, language: Language, output: Path | None
) -> Comparison:
    """Compare two runs, say what came of it, and write a page of it where one is asked for.

    Raises
    ------
    StudyError
        If there is no such run.
    CorruptObject
        If a file of a run is not what its manifest names.
    """
    runs = [open_run(find_run(store, name)) for name in (one, other)]
    with fitting(runs[0].folder):
        comparison = compare(*runs)
        if output is not None:
            page = side_by_side(comparison, language).encode()
            write_page(output, page, "-o")
    _tell(comparison, Say(language))
    return comparison


def _tell(comparison: Comparison, say: Say) -> None:
    console = Console(highlight=False)
    for sentence in sentences(comparison, say):
        console.print(escape(sentence.striptags()), soft_wrap=True)
    for name, lines in tables(comparison).items():
        console.print(f"\n[bold]{say.plain(f'compare.{name}')}[/]")
        table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
        longest = max(len(line.what) for line in lines)
        table.add_column("", width=1)
        table.add_column("", overflow="fold", width=min(longest, _KEY))
        for head in ("compare.one", "compare.other"):
            table.add_column(say.plain(head), overflow="fold")
        for line in lines:
            cells = [_short(value) for value in (line.one, line.other)]
            table.add_row("=" if line.equal else "≠", escape(line.what), *cells)
        console.print(table)


def _short(value: str | None, most: int = 60) -> str:
    """Return a value as a cell: of a digest the beginning, of a long text too."""
    if value is None:
        return "–"
    is_digest = len(value) == 64 and set(value) <= set("0123456789abcdef")
    most = 12 if is_digest else most
    return escape(value if len(value) <= most else value[: most - 1] + "…")
