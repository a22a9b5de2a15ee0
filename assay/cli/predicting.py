"""Prediction at the command line: how far it is, and what came of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from assay.predict.command import Summary, predict_file
from assay.wording import Sentence


def predicted(
    bundle: Path,
    table: Path,
    output: Path | None,
    images: Path | None,
    *,
    raw: bool,
) -> Summary:
    """Predict a table, and say how far it is while that lasts."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with _status(console) as status:

        def hear(n_rows: int) -> None:
            if status is not None:
                status.update(str(Sentence.of("cli.n_rows", n=n_rows)))

        return predict_file(bundle, table, output, images, hear, raw=raw)


def tell_prediction(summary: Summary, *, fully: bool) -> None:
    """Print what came of it, with what was decided on the way if asked."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(escape(str(summary.sentence())))
    if fully:
        for line in summary.details():
            console.print(f"[dim]  {escape(str(line))}[/]")


@contextmanager
def _status(console: Console) -> Iterator[Status | None]:
    if not console.is_terminal or sys.stdout.isatty():
        yield None
        return
    with console.status(str(Sentence.of("cli.opening_bundle"))) as status:
        yield status
