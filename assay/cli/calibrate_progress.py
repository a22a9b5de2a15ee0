"""What a person sees of a calibration: a bar for each world while it runs, then the rates."""

from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from assay.calibrate.rates import Calibration
from assay.cli.terminal import near
from assay.wording import Sentence, Value


class Bars:
    """A bar for each world at work and one for all; without a terminal, a line for each finished world."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:20}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bars: dict[str, TaskID] = {}
        self._all = self._progress.add_task(str(Sentence.of("cli.all_worlds")), total=0)
        self._seen: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def hear(self, world: str, done: int, wanted: int) -> None:
        """Take in how many tables of a world are finished."""
        before = self._seen.get(world, (0, 0))[0]
        self._seen[world] = (done, wanted)
        if world not in self._bars:
            self._bars[world] = self._progress.add_task(world, total=wanted)
        at_work = 0 < done < wanted
        self._progress.update(self._bars[world], completed=done, visible=at_work)
        finished, total = (
            sum(counts) for counts in zip(*self._seen.values(), strict=True)
        )
        self._progress.update(self._all, completed=finished, total=total)
        if done >= wanted and before < wanted:
            tables = Sentence.of("cli.n_tables", n=done)
            self._console.print(f"[bold]{world:20}[/] [dim]{tables}[/]")


def tell_rates(calibration: Calibration, folder: Path) -> None:
    """Print every rate with what it should be, and where the page lies."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("world", "what"):
        table.add_column(_text(f"column.{column}"), overflow="fold")
    for column in ("rate", "of", "promise", "range"):
        table.add_column(_text(f"column.{column}"), justify="right", no_wrap=True)
    table.add_column("")
    for rate in calibration.rates:
        low, high = rate.band
        table.add_row(
            rate.world,
            str(rate.what),
            f"{rate.rate:.3f}",
            str(rate.n),
            str(rate.promise),
            _text("range", low=low, high=high),
            "" if rate.holds else f"[bold]{_text('mark')}[/]",
        )
    console.print(table)
    console.print(f"[bold]{calibration.summary()}[/]")
    console.print(f"[dim]{near(folder)}/calibration.md[/]", soft_wrap=True)


def _text(key: str, **values: Value) -> str:
    """Return a text as the page of a calibration has it."""
    return str(Sentence.of(f"calibrate.page.{key}", **values))
