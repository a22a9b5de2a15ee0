"""The process that a check from Python runs in: reads a request, writes events as JSON lines, ends with its parent."""

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from assay.errors import AssayError
from assay.request import Request, answer
from assay.store.places import need_home
from assay.store.progress import Begun, Event, Finished, Started, Step, listening
from assay.store.runs import store_of
from assay.store.verdict import Verdict
from assay.wording import Sentence, speak

_SHOWN = (Begun, Started, Step, Finished)


def main() -> None:
    """Carry out the request on standard input; standard output carries events and nothing else."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_follow, args=(sys.stdin,), daemon=True).start()
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print
    speak(request["language"])
    need_home()

    def send(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message, default=asdict, ensure_ascii=False) + "\n")
        channel.flush()

    try:
        send({"folder": str(_carried_out(request, send))})
    except AssayError as error:
        sentence = error.sentence
        kind = type(error).__name__
        send({"error": kind, "key": sentence.key, "values": sentence.values})


def _carried_out(
    request: dict[str, Any], send: Callable[[dict[str, Any]], None]
) -> Path:
    artifacts = Path(request["artifacts"])
    study = Path(request["table"])
    data = Path(request["data"]) if request["data"] else None
    if request["target"] is not None:
        study, data = _drafted(request, study, artifacts)

    def hear(event: Event) -> None:
        if isinstance(event, _SHOWN):
            send({"event": type(event).__name__, **_plain(event)})

    def waiting(name: str) -> None:
        sentence = Sentence.of("cli.another_check", study=name)
        send({"event": "Waiting", "text": str(sentence)})

    with listening(hear):
        return answer(
            Request(
                study=study,
                overrides=tuple(request["overrides"]),
                data=data,
                artifacts=artifacts,
                runner=request["runner"],
                fresh=request["fresh"],
            ),
            _check,
            waiting,
        ).folder


def _check(request: Request) -> Verdict:
    from assay.pipeline import check

    return check(request).verdict


def _drafted(
    request: dict[str, Any], table: Path, artifacts: Path
) -> tuple[Path, Path | None]:
    from assay.data.foresee import need_rows
    from assay.draft import draft_source
    from assay.draft.files import find_table, keep_draft

    located = find_table(table)
    draft = draft_source(
        located.source, request["target"], request["unit"], request["order"]
    )
    need_rows(draft.facts.n_rows, located.source.name)
    drafted = keep_draft(draft, located, store_of(artifacts))
    return drafted.study, drafted.data


def _plain(event: Event) -> dict[str, Any]:
    values = dict(vars(event))
    for name, value in values.items():
        if isinstance(value, Sentence):
            values[name] = str(value)
    return values


def _follow(parent: IO[str]) -> None:
    """End as soon as the parent closes its end or is gone; finished work is stored already."""
    parent.read()
    os._exit(130)


if __name__ == "__main__":
    main()
