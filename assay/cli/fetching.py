"""Catalogued data at the command line: what is there, and what is downloaded when asked."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from assay.data.catalogue import Dataset, State, catalogue, dataset, fault_of, state_of
from assay.data.download import fetch_file
from assay.errors import DataRefused
from assay.judge.sentences import size

_SIGNS: dict[State, str] = {
    "there": "✓ there",
    "missing": "– missing",
    "partial": "… begun",
    "damaged": "✗ damaged",
}


def tell_catalogue(folder: Path) -> None:
    """Print every data set with its terms, and each file with its state."""
    console = Console(highlight=False, soft_wrap=True)
    for name, one in catalogue().items():
        console.print(f"[bold]{name}[/]  {escape(str(one.terms()))}")
        for file in one.files:
            how = "" if file.address else "  (by hand)"
            state = _SIGNS[state_of(file, folder)]
            console.print(
                f"  {state:9} {size(file.bytes):>8}  {escape(file.path)}{how}"
            )
    console.print(
        f"\nLooked for in {escape(str(folder))}. To put one there: python flows/main.py fetch NAME"
    )


def fetch_dataset(name: str, folder: Path) -> None:
    """Put a data set's files in place, each verified, and say what has to be done by hand.

    Raises
    ------
    DataRefused
        If a file is not what the catalogue knows, or has to be put in place by hand.
    """
    one = dataset(name)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{escape(str(one.terms()))}\n{one.address}")
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
        for file in one.files:
            state = state_of(file, folder)
            if state != "there" and file.address is not None:
                line = progress.add_task(file.path, total=file.bytes)
                fetch_file(
                    file,
                    folder,
                    lambda n_bytes, line=line: progress.update(line, completed=n_bytes),  # type: ignore[misc]
                )
                progress.remove_task(line)
                console.print(f"✓ {escape(file.path)}  {size(file.bytes)}, verified")
            elif state == "there":
                console.print(f"✓ {escape(file.path)}  there already, verified")
    sentences = by_hand(one, folder)
    if sentences:
        raise DataRefused("\n".join(sentences))


def by_hand(one: Dataset, folder: Path) -> list[str]:
    """Return for each file that a person has to put in place what it is and where it goes."""
    sentences = []
    for file in one.files:
        state, place = state_of(file, folder), folder / file.path
        if file.address is None and state != "there":
            said = (
                "is not there"
                if state == "missing"
                else f"is another: {fault_of(file, place)}"
            )
            sentences.append(
                f"{file.path} {said}. It has no address; put it at {place}. What it is: {file.by_hand}."
            )
    return sentences
