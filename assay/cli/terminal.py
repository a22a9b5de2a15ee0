"""What a person at the terminal sees. Results go to stdout, progress to stderr; pipes stay plain."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from assay.judge.sentences import HEADLINES, sentences
from assay.store.progress import (
    Audited,
    Begun,
    Event,
    Finished,
    Started,
    Step,
    listening,
)
from assay.store.verdict import Verdict
from assay.wording import Sentence

if TYPE_CHECKING:
    from assay.dry_run import Forecast

_WIDTH = 9
_STATUS = {"stored": "cli.stored", "would_run": "cli.would_run"}


class Watcher:
    """A live line for the stage at work, and a lasting line for every stage that has ended.

    Parameters
    ----------
    doing
        Key of what is done before the first stage.
    """

    def __init__(self, doing: str) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._doing = str(Sentence.of(doing))
        self._line = self._progress.add_task(self._doing, total=None)
        self._listening = listening(self._hear)

    def __enter__(self) -> "Watcher":
        self._listening.__enter__()
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        self._listening.__exit__(kind, error, trace)

    def _hear(self, event: Event) -> None:
        match event:
            case Begun(plan, claim):
                line = Sentence.of("cli.plan", plan=plan, claim=claim)
                self._console.print(f"[dim]{escape(str(line))}[/]", soft_wrap=True)
            case Started(stage, label):
                self._progress.reset(
                    self._line, description=f"{stage:{_WIDTH}} {label}", total=None
                )
                self._doing = f"{stage:{_WIDTH}} {label}".rstrip()
            case Step(what, done, total):
                self._progress.update(
                    self._line,
                    description=f"{self._doing}  {what}",
                    completed=done,
                    total=total,
                )
            case Audited(stage, label, seconds):
                self._console.print(
                    f"[bold]{'audit':{_WIDTH}}[/] [dim]{seconds:6.1f} s[/]  "
                    + str(Sentence.of("cli.audited", stage=f"{stage} {label}".rstrip()))
                )
            case Finished(stage, _, seconds, stored, summary):
                took = _stored() if stored else f"{seconds:6.1f} s"
                self._console.print(
                    f"[bold]{stage:{_WIDTH}}[/] [dim]{took}[/]  {escape(str(summary))}",
                    soft_wrap=True,
                )


def tell(
    verdict: Verdict, folder: Path, seconds: float, *, stored: bool, terms: str = ""
) -> None:
    """Print the verdict in a few sentences, on what terms its data may be used, and where its run lies."""
    console = Console(highlight=False, soft_wrap=True)
    sign, headline = HEADLINES[verdict.outcome]
    outcome = Sentence.of(
        "cli.outcome", study=verdict.study, plan=verdict.plan, outcome=verdict.outcome
    )
    console.print(f"\n[bold]{sign} {headline}[/]  [dim]({escape(str(outcome))})[/]")
    for sentence in sentences(verdict):
        console.print(f"  {escape(str(sentence))}")
    if terms:
        console.print(f"[dim]  {escape(terms)}[/]")
    how = Sentence.of("cli.answered" if stored else "cli.computed", seconds=seconds)
    console.print(f"[dim]  {escape(near(folder))}/report.html ({how})[/]")


def tell_plan(forecast: "Forecast", *, finished: bool) -> None:
    """Print which stages are stored, which would run, and what they would cost."""
    console = Console(highlight=False, soft_wrap=True)
    for line in forecast.stages:
        status = str(Sentence.of(_STATUS[line.status]))
        console.print(
            f"[bold]{line.stage:{_WIDTH}}[/] {set_cell_size(status, 12)} {escape(str(line.detail))}"
        )
    for sentence in forecast.sentences:
        console.print(f"  {escape(str(sentence))}")
    if finished:
        console.print(f"  {Sentence.of('cli.run_is_finished')}")


def _stored() -> str:
    word = str(Sentence.of("cli.stored"))
    return " " * (8 - cell_len(word)) + word


def near(folder: Path) -> str:
    """Return a path as short as it can be said from here."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)
