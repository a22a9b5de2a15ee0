"""What a person sees in Prefect: a line in the log for every stage, progress of the folds, and two artifacts.

Artifacts are named for the study (``verdict-``, ``models-``, ``progress-``), so that its runs make a history.
None of them can fail a run: one that Prefect does not take is noted in the log.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.runtime import flow_run

from assay.judge.sentences import HEADLINES, sentences
from assay.store.progress import Ahead, Begun, Event, Finished
from assay.store.verdict import Judgement
from assay.wording import Sentence
from flows.pages import model_rows, verdict_page

_INTERVAL_S = 1.0  # between two updates of the progress


def run_name() -> str:
    """Return the name of a flow run: the study it checks."""
    return f"check {Path(flow_run.parameters['study']).stem}"


class Logbook:
    """Writes what stages announce into the log, and the folds' progress into an artifact."""

    def __init__(self, study: str) -> None:
        self._study, self._plan = study, ""
        self._artifact: UUID | None = None
        self._done = self._total = 0
        self._updated = 0.0

    def note(self, event: Event) -> None:
        match event:
            case Begun(plan, claim):
                self._plan = plan
                get_run_logger().info("plan %s: %s", plan, claim)
            case Ahead("tune", total):
                self._done, self._total, self._artifact = 0, total, None
                self._update()
            case Finished(stage, _, seconds, stored, summary):
                took = Sentence("flows.stored") if stored else f"{seconds:.1f} s"
                get_run_logger().info("%s (%s): %s", stage, took, summary)
                if stage == "tune":
                    self._done += 1
                    self._update()

    def _update(self) -> None:
        """Show the progress: at the start, at the end, and at most once a second between."""
        is_due = time.monotonic() - self._updated >= _INTERVAL_S
        if not (self._done in (0, self._total) or is_due):
            return
        share = 100.0 * self._done / max(1, self._total)
        place = Sentence.of(
            "flows.progress", plan=self._plan, done=self._done, total=self._total
        )
        with _noted_if_refused("progress"):
            if self._artifact is None:
                key = f"progress-{self._study}"
                artifact = create_progress_artifact(share, key, str(place))
                self._artifact = cast("UUID", artifact)
            else:
                update_progress_artifact(self._artifact, share, str(place))
        self._updated = time.monotonic()


def show(judgement: Judgement, folder: Path) -> None:
    """Log the verdict, and keep it and the table of the models as artifacts."""
    verdict = judgement.verdict
    sign, headline = HEADLINES[verdict.outcome]
    lines = (f"{sign} {headline}", *sentences(verdict), folder)
    for line in lines:
        get_run_logger().info("%s", line)
    study = verdict.study
    with _noted_if_refused("verdict"):
        page = verdict_page(verdict, folder / "report.html")
        create_markdown_artifact(page, f"verdict-{study}", str(headline))
        if verdict.outcome != "suspect_leak" and judgement.scores:
            title = str(Sentence("flows.models"))
            create_table_artifact(model_rows(judgement), f"models-{study}", title)


@contextmanager
def _noted_if_refused(artifact: str) -> Iterator[None]:
    """Let a run go on without an artifact, whatever keeps Prefect from taking it."""
    try:
        yield
    except Exception as error:
        reason = Sentence.of("flows.no_artifact", artifact=artifact, reason=str(error))
        get_run_logger().warning("%s", reason)
