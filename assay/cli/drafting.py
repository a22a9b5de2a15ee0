"""A study drafted at the command line: for a person to read, or to be checked at once."""

import shlex
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from assay.data.foresee import need_rows
from assay.data.ingest import read_source
from assay.draft import Draft, Role, draft_source, draft_table, picture_in, question_of
from assay.draft.files import Drafted, Table, find_table, keep_draft, near, write_draft
from assay.request import Request
from assay.study.load import declared
from assay.wording import Sentence, Value

_MOST_LINES = 30  # columns with a line of their own; more of a role share one
_MOST_NAMES = 6  # of columns that are left out for one reason
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
    source, draft = _draft(table, data, wanted)
    return draft, write_draft(draft, source, output)


def _draft(table: Path, data: Path | None, wanted: Wanted) -> tuple[Table, Draft]:
    found = find_table(table, data, wanted.read)
    return found, draft_source(found.source, wanted.target, wanted.unit, wanted.order)


def drafted_for_check(request: Request, wanted: Wanted) -> Request:
    """Draft a study of the table that a request names into its store; return the request of that study.

    Raises
    ------
    StudyError, DataRefused
        If the study would be refused, changes and all; nothing is written then.
    """
    table = find_table(request.study, request.data, wanted.read)
    frame = read_source(table.source).frame
    need_rows(len(frame), table.source.name)
    named = wanted.target, wanted.unit, wanted.order
    draft = draft_table(frame, table.source, *named)
    text = tomllib.loads(draft.study("draft", "draft.json", ""))
    declared(Path(request.study.name), "draft", text, request.overrides)
    written = keep_draft(draft, table, request.store())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    place = near(written.study, Path.cwd())
    console.print(f"[bold]draft[/]     {escape(summary(draft))}: {escape(place)}")
    for sentence in [*left_out(draft), *remarks(draft)]:
        console.print(f"[dim]          {escape(sentence)}[/]")
    return replace(request, study=written.study, data=written.data)


def tell_draft(draft: Draft, written: Drafted) -> None:
    """Print the columns with their roles, what was left out and what to decide, and the next command."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(highlight=False, width=width)
    console.print(f"[bold]{escape(summary(draft))}[/]\n")
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in ("column", "role", "seen"):
        grid.add_column(_text(head), overflow="fold")
    for name, role, seen in lines(draft.facts.roles):
        grid.add_row(escape(name), role, escape(seen))
    console.print(grid)
    here = Path.cwd()
    files = [near(written.study, here), near(written.suite, here)]
    for title, sentences in (
        (_text("why"), list(map(str, draft.facts.aim.why))),
        (_text("left_out"), left_out(draft)),
        (_text("to_decide"), remarks(draft)),
        (_text("written" if written.new else "unchanged"), files),
        (_text("next"), [_text("edit_or_check"), written.command]),
    ):
        if sentences:
            console.print(f"\n[bold]{title}[/]")
            for sentence in sentences:
                console.print(f"  {escape(sentence)}", soft_wrap=True)


def summary(draft: Draft) -> str:
    """Return the table and the task in a few words."""
    facts = draft.facts
    return _text(
        "summary",
        source=facts.source,
        n_rows=facts.n_rows,
        n_columns=len(facts.roles),
        target=facts.aim.column,
        task=Sentence.of(f"cli.drafted.{facts.aim.task}", n=len(facts.aim.classes)),
    )


def lines(roles: tuple[Role, ...]) -> list[tuple[str, str, str]]:
    """Return a line for each column, the target's first; of a wide table one for each role."""
    ordered = sorted(roles, key=lambda role: role.word != "target")
    if len(roles) <= _MOST_LINES:
        return [_line(role) for role in ordered]
    shown: list[tuple[str, str, str]] = []
    for word in dict.fromkeys(role.word for role in ordered):
        alike = [role for role in ordered if role.word == word]
        if len(alike) <= 3:
            shown += map(_line, alike)
        else:
            columns = f"{alike[0].column} ... {alike[-1].column}"
            n_columns = _text("n_columns", n=len(alike))
            shown.append((columns, str(alike[0].title), n_columns))
    return shown


def _line(role: Role) -> tuple[str, str, str]:
    return role.column, str(role.title), str(role.seen)


def left_out(draft: Draft) -> list[str]:
    """Return for each reason which columns models are not shown."""
    by_reason: dict[str, list[str]] = {}
    for role in draft.facts.roles:
        if role.left_out:
            by_reason.setdefault(str(role.left_out), []).append(role.column)
    return [
        _text("reason", columns=_listed(names), reason=reason)
        for reason, names in by_reason.items()
    ]


def remarks(draft: Draft) -> list[str]:
    """Return what a person should know or decide, column by column."""
    notes = [
        _text("reason", columns=role.column, reason=note)
        for role in draft.facts.roles
        for note in (
            role.remark,
            question_of(role, f"--{role.asks} {shlex.quote(role.column)}"),
        )
        if note
    ]
    picture = picture_in(draft.facts.roles)
    return [*notes, str(picture)] if picture else notes


def _listed(names: list[str]) -> tuple[str | Sentence, ...]:
    if len(names) <= _MOST_NAMES:
        return tuple(names)
    more = Sentence.of("cli.drafted.more", n=len(names) - _MOST_NAMES)
    return (*names[:_MOST_NAMES], more)


def _text(key: str, **values: Value) -> str:
    return str(Sentence.of(f"cli.drafted.{key}", **values))
