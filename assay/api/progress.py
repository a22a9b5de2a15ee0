"""How far a check is, in a notebook or on a terminal."""

import html
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assay.wording import Sentence

Show = Callable[[Mapping[str, Any]], None]
_MOST_LINES = 12  # of finished stages that stay in sight


@contextmanager
def shown(*, enabled: bool) -> Iterator[Show]:
    """Give what shows a check's events: in place in a notebook, as lines on a terminal, nowhere else."""
    if enabled and _in_notebook():
        yield _Notebook().show
    elif enabled and sys.stderr.isatty():
        yield _on_terminal
    else:
        yield lambda _: None


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def line_of(event: Mapping[str, Any]) -> str:
    """Return an event that ends something as a line; empty for the others."""
    match event["event"]:
        case "Begun":
            plan, claim = event["plan"], event["claim"]
            return str(Sentence.of("cli.plan", plan=plan, claim=claim))
        case "Finished":
            took = str(Sentence.of("cli.stored"))
            if not event["stored"]:
                took = f"{event['seconds']:.1f} s"
            return f"{event['stage']:10}{took:>8}  {event['summary']}"
        case "Waiting":
            return str(event["text"])
    return ""


def _on_terminal(event: Mapping[str, Any]) -> None:
    line = line_of(event)
    if line:
        sys.stderr.write(line + "\n")


class _Notebook:
    """One output that is written over: the last finished stages, and the one at work."""

    def __init__(self) -> None:
        from IPython.display import display

        self._lines: list[str] = []
        self._handle = display(_Text(""), display_id=True)

    def show(self, event: Mapping[str, Any]) -> None:
        if line := line_of(event):
            self._lines = [*self._lines, line][-_MOST_LINES:]
        at_work = {
            "Started": lambda: f"{event['stage']} {event['label']}",
            "Step": lambda: f"{event['what']} {event['done']}/{event['total']}",
        }.get(event["event"], str)()
        if self._handle is not None:
            self._handle.update(_Text("\n".join([*self._lines, at_work])))


class _Text:
    """Plain text that a notebook shows in a fixed width."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.4">{html.escape(self._text)}</pre>'
