"""Catalogued data at the command line: what is there, and what is downloaded when asked."""

from functools import reduce
from pathlib import Path

from rich.cells import set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from assay.data.catalogue import Dataset, catalogue, dataset, fault_of, state_of
from assay.data.download import fetch_file
from assay.errors import DataRefused
from assay.judge.sentences import size
from assay.wording import Sentence, Value, program


def tell_catalogue(folder: Path) -> None:
    """Print every data set with its terms, and each file with its state."""
    console = Console(highlight=False, soft_wrap=True)
    for name, entry in catalogue().items():
        console.print(f"[bold]{name}[/]  {escape(str(entry.terms()))}")
        for file in entry.files:
            how = "" if file.address else f"  {_text('by_hand')}"
            state = set_cell_size(_text(state_of(file, folder)), 9)
            console.print(f"  {state} {size(file.bytes):>8}  {escape(file.path)}{how}")
    console.print(f"\n{escape(_text('folder', folder=str(folder), program=program()))}")


def fetch_dataset(name: str, folder: Path) -> None:
    """Put a data set's files in place, each verified, and name those that a person has to put there.

    Raises
    ------
    DataRefused
        If a file is not the catalogued one, or has to be put in place by hand.
    """
    entry = dataset(name)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{escape(str(entry.terms()))}\n{entry.address}")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        for file in entry.files:
            state = state_of(file, folder)
            if state != "there" and file.address is not None:
                bar = progress.add_task(file.path, total=file.bytes)

                def hear(n_bytes: int, bar: TaskID = bar) -> None:
                    progress.update(bar, completed=n_bytes)

                fetch_file(file, folder, hear)
                progress.remove_task(bar)
                verified = _text("verified", file=file.path, size=size(file.bytes))
                console.print(escape(verified))
            elif state == "there":
                console.print(escape(_text("present", file=file.path)))
    missing = by_hand(entry, folder)
    if missing:
        lines = reduce(_below, missing)
        raise DataRefused(lines.key, **lines.values)


def by_hand(entry: Dataset, folder: Path) -> list[Sentence]:
    """Return for each file that a person has to put in place what it is and where it goes."""
    missing = []
    for file in entry.files:
        state, place = state_of(file, folder), folder / file.path
        if file.address is not None or state == "there":
            continue
        facts: dict[str, Value] = {
            "file": file.path,
            "place": str(place),
            "what": str(file.by_hand),
        }
        fault = None if state == "missing" else fault_of(file, place)
        if fault is None:
            missing.append(Sentence.of("cli.fetched.put_missing", **facts))
        else:
            missing.append(Sentence.of("cli.fetched.put_damaged", **facts, fault=fault))
    return missing


def _below(first: Sentence, rest: Sentence) -> Sentence:
    return Sentence.of("cli.lines", first=first, rest=rest)


def _text(key: str, **values: Value) -> str:
    return str(Sentence.of(f"cli.fetched.{key}", **values))
