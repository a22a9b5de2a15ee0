"""What a person sees in Prefect: a line in the log for every stage, how far the folds are, the verdict's pages.

Pages lie under the study's name (``verdict-``, ``folds-``, ``trials-``, ``progress-``), so that its runs make a
history. None of them can fail a run: a page that does not come about is missed in the log, no more.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from assay.judge.sentences import HEADLINES, sentences
from assay.store.progress import Ahead, Begun, Event, Finished
from assay.store.verdict import Evidence, Judgement
from flows.pages import Line, fold_rows, trial_rows, verdict_page

_BETWEEN_S = 1.0  # two updates of how far the folds are


def run_name() -> str:
    """Return what a run of the flow is called: the study it checks."""
    return f"check {Path(flow_run.parameters['study']).stem}"


class Logbook:
    """Writes what stages announce into the log, and how far the folds are on a page."""

    def __init__(self, study: str) -> None:
        self._study, self._plan = study, ""
        self._page: UUID | None = None
        self._done = self._total = 0
        self._updated = 0.0

    def note(self, event: Event) -> None:
        match event:
            case Begun(plan, claim):
                self._plan = plan
                get_run_logger().info("plan %s: %s", plan, claim)
            case Ahead("tune", total):
                self._done, self._total, self._page = 0, total, None
                self._update()
            case Finished(stage, _, seconds, stored, summary):
                took = "stored" if stored else f"{seconds:.1f} s"
                get_run_logger().info("%s (%s): %s", stage, took, summary)
                if stage == "tune":
                    self._done += 1
                    self._update()

    def _update(self) -> None:
        """Tell how far the folds are: at first, when all are done, and now and then between."""
        is_due = time.monotonic() - self._updated >= _BETWEEN_S
        if not (self._done in (0, self._total) or is_due):
            return
        share = 100.0 * self._done / max(1, self._total)
        said = f"plan {self._plan}: {self._done} of {self._total} outer folds"
        with _or_missed("how far the folds are"):
            if self._page is None:
                key = f"progress-{self._study}"
                self._page = cast("UUID", create_progress_artifact(share, key, said))
            else:
                update_progress_artifact(self._page, share, said)
        self._updated = time.monotonic()


def show(
    judgement: Judgement, evidence: Evidence, claim: str, margin: float, folder: Path
) -> None:
    """Log the verdict and put it on pages: what was found, the folds, the trials."""
    verdict = judgement.verdict
    sign, headline = HEADLINES[verdict.outcome]
    for line in (
        f"{sign} {headline}",
        *map(str, sentences(verdict)),
        f"Run folder: {folder}",
    ):
        get_run_logger().info(line)
    with _or_missed("the verdict's pages"):
        _pages(
            verdict.study,
            verdict_page(judgement, evidence, claim, margin, f"{folder}/report.html"),
            fold_rows(evidence, verdict),
            trial_rows(evidence, verdict),
            return_state=True,
        )


@task(name="pages", task_run_name="pages of {study}", cache_policy=NO_CACHE)
def _pages(study: str, verdict: str, folds: list[Line], trials: list[Line]) -> None:
    create_markdown_artifact(verdict, f"verdict-{study}", f"The verdict on {study}")
    if folds:
        said = f"What each model scored on the outer folds of {study}"
        create_table_artifact(folds, f"folds-{study}", said)
        said = f"What was tried in each outer fold of {study}, the best of each search first"
        create_table_artifact(trials, f"trials-{study}", said)


@contextmanager
def _or_missed(what: str) -> Iterator[None]:
    """Let a run go on without a page, whatever keeps Prefect from taking it."""
    try:
        yield
    except Exception as error:
        get_run_logger().warning("Prefect does not show %s: %s", what, error)
