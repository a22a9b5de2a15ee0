"""What a person sees in Prefect: a line in the log for every stage, and the verdict as an artifact."""

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from assay.progress import Begun, Event, Finished
from assay.verdict import Verdict
from assay.words import HEADLINES, sentences


def note(event: Event) -> None:
    """Log which plan is taken up and what came of each stage; the rest is for a terminal."""
    match event:
        case Begun(plan, claim):
            get_run_logger().info("plan %s: %s", plan, claim)
        case Finished(stage, _, seconds, stored, summary):
            took = "stored" if stored else f"{seconds:.1f} s"
            get_run_logger().info("%s (%s): %s", stage, took, summary)


def show(verdict: Verdict, run: str) -> None:
    """Log the verdict and put it on the run's page; a page that fails takes no verdict with it."""
    sign, headline = HEADLINES[verdict.outcome]
    said = [f"{sign} {headline}", *sentences(verdict), f"Run folder: runs/{run}"]
    for line in said:
        get_run_logger().info(line)
    _page(verdict.study, "\n\n".join([f"## {said[0]}", *said[1:]]), return_state=True)


@task(name="page", task_run_name="page", cache_policy=NO_CACHE)
def _page(study: str, text: str) -> None:
    create_markdown_artifact(
        key="verdict", markdown=text, description=f"The verdict on {study}"
    )
