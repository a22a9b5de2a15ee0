"""A study drafted at the command line: for a person to read, or to be checked at once."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from assay.draft import Draft, Role, draft_source, picture_in, question_of
from assay.draft.files import Drafted, Table, find_table, keep_draft, near, write_draft
from assay.store.store import Store

_MOST_LINES = 30  # columns with a line of their own; more of a role share one
_PIPE_WIDTH = 120


@dataclass(frozen=True)
class Wanted:
    """What a person says of a table: its columns of interest, and how it is read."""

    target: str
    unit: str | None = None
    order: str | None = None
    read: tuple[str, ...] = ()


def drafted(
    table: Path, data: Path | None, wanted: Wanted, output: Path | None
) -> tuple[Draft, Drafted]:
    """Draft a study of a table and write it where a person will edit it."""
    found, draft = _draft(table, data, wanted)
    return draft, write_draft(draft, found, output)


def _draft(table: Path, data: Path | None, wanted: Wanted) -> tuple[Table, Draft]:
    found = find_table(table, data, wanted.read)
    return found, draft_source(found.source, wanted.target, wanted.unit, wanted.order)


def drafted_for_check(
    store: Store, table: Path, data: Path | None, wanted: Wanted
) -> tuple[Path, Path | None]:
    """Draft a study of a table into the store; return the study and the folder of its source."""
    found, draft = _draft(table, data, wanted)
    written = keep_draft(draft, found, store)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(
        f"[bold]draft[/]     {escape(summary(draft))}: {escape(near(written.study, Path.cwd()))}"
    )
    for sentence in [*left_out(draft), *remarks(draft)]:
        console.print(f"[dim]          {escape(sentence)}[/]")
    return written.study, written.data


def tell_draft(draft: Draft, written: Drafted) -> None:
    """Print the columns with their roles, what was left out and what to decide, and the next command."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(highlight=False, width=width)
    console.print(f"[bold]{escape(summary(draft))}[/]\n")
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in ("column", "role", "what was seen"):
        grid.add_column(head, overflow="fold")
    for name, role, seen in lines(draft.facts.roles):
        grid.add_row(escape(name), role, escape(seen))
    console.print(grid)
    for title, sentences in (
        ("Why", list(map(str, draft.facts.aim.why))),
        ("Left out", left_out(draft)),
        ("To decide", remarks(draft)),
    ):
        if sentences:
            console.print(f"\n[bold]{title}[/]")
            for sentence in sentences:
                console.print(f"  {escape(sentence)}", soft_wrap=True)
    here = Path.cwd()
    said = "Written" if written.new else "There already, word for word"
    console.print(
        f"\n[bold]{said}[/]\n  {escape(near(written.study, here))}\n  {escape(near(written.suite, here))}",
        soft_wrap=True,
    )
    console.print(
        f"\n[bold]Next[/]: edit them, or check as it stands:\n  {escape(written.command)}",
        soft_wrap=True,
    )


def summary(draft: Draft) -> str:
    """Return the table and the task in a few words."""
    facts = draft.facts
    what = {
        "binary": "two classes",
        "multiclass": f"{len(facts.aim.classes)} classes",
        "regression": "a number",
    }
    return (
        f"{facts.source}: {facts.n_rows:,} rows, {len(facts.roles):,} columns; '{facts.aim.column}' is "
        f"{what[facts.aim.task]}"
    )


def lines(roles: tuple[Role, ...]) -> list[tuple[str, str, str]]:
    """Return a line for each column, the target's first; of a wide table one for each role."""
    ordered = sorted(roles, key=lambda role: role.word != "target")
    if len(roles) <= _MOST_LINES:
        return [_line(role) for role in ordered]
    words = dict.fromkeys(role.word for role in ordered)
    found: list[tuple[str, str, str]] = []
    for word in words:
        some = [role for role in ordered if role.word == word]
        if len(some) <= 3:
            found += map(_line, some)
        else:
            found.append(
                (
                    f"{some[0].column} ... {some[-1].column}",
                    str(some[0].title),
                    f"{len(some):,} columns",
                )
            )
    return found


def _line(role: Role) -> tuple[str, str, str]:
    return role.column, str(role.title), str(role.seen)


def left_out(draft: Draft) -> list[str]:
    """Return for each reason which columns models are not shown."""
    by_reason: dict[str, list[str]] = {}
    for role in draft.facts.roles:
        if role.left_out:
            by_reason.setdefault(str(role.left_out), []).append(role.column)
    return [f"{_listed(names)}: {reason}" for reason, names in by_reason.items()]


def remarks(draft: Draft) -> list[str]:
    """Return what a person should know or decide, column by column."""
    said = [
        f"{role.column}: {sentence}"
        for role in draft.facts.roles
        for sentence in (
            role.remark,
            question_of(role, f"--{role.asks} {shlex.quote(role.column)}"),
        )
        if sentence
    ]
    picture = picture_in(draft.facts.roles)
    return [*said, str(picture)] if picture else said


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
