"""The finished runs of a store, newest first."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assay.cli.terminal import near
from assay.judge.sentences import HEADLINES
from assay.store import runs
from assay.store.store import Store
from assay.wording import Sentence


def tell_runs(store: Store) -> None:
    """Print a line for each finished run: its name, when it finished, and its verdict."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for key in ("run", "date", "verdict"):
        table.add_column(str(Sentence.of(f"cli.runs_{key}")), overflow="fold")
    finished = runs.all_finished(store)
    for folder, verdict, when in finished:
        sign, _ = HEADLINES[verdict.outcome]
        table.add_row(
            folder.name, f"{when:%Y-%m-%d %H:%M}", f"{sign} {verdict.outcome}"
        )
    if finished:
        console.print(table)
    place = near(store.folder / "runs")
    n_runs = Sentence.of("cli.n_runs", n=len(finished), folder=place)
    console.print(escape(str(n_runs)), soft_wrap=True)
