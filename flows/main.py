"""The Prefect flow, and the program that runs it: ``python flows/main.py``. The way of the data is ``assay/pipeline.py``."""

import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # works from any folder

if __name__ == "__main__":  # a finished run is answered without what stands below
    from assay.cli import main
    from flows.entry import check as check_under_prefect

    main(check=check_under_prefect)
else:
    from flows.settings import read_no_files

    read_no_files()  # this may be a process that computes for a check

from prefect import flow
from pydantic import Field

from assay.pipeline import check
from assay.request import Request, Runner
from assay.store.progress import listening
from assay.store.verdict import Verdict
from flows.logbook import Logbook, run_name, show
from tasks.policies import AsTasks

Override = Annotated[str, Field(pattern=r"^[a-z][^=]*=")]
Share = Annotated[float, Field(ge=0, le=1)]


@flow(
    name="check_hypothesis",
    flow_run_name=run_name,
    validate_parameters=True,
    retries=0,
    persist_result=False,
    log_prints=False,
)
def check_hypothesis(
    study: str = "hypotheses/digits.toml",
    overrides: list[Override] | None = None,
    data: str | None = None,
    artifacts: str | None = None,
    shared: str | None = None,
    runner: Runner = "auto",
    fresh: bool = False,
    multiverse: bool = False,
    audit: Share = 0.0,
) -> Verdict:
    """Check one declared hypothesis, from the study file to a verdict and a run folder.

    Args:
        study: The study file.
        overrides: Changes to it as KEY=VALUE, for instance plan.a.tune.trials=4.
        data: A file to read instead of the study's sources, or the folder they lie in.
        artifacts: Where runs and stored results go.
        shared: Where other machines find results, as s3://BUCKET/PREFIX or file:///FOLDER.
        runner: Where outer folds are computed: auto, local (this process), processes (one per core),
            dask or dask=ADDRESS (a Dask cluster). The verdict is the same.
        fresh: Compute everything again, whatever is stored.
        multiverse: Ask again under every declared alternative of cleaning.
        audit: Share of the stored stages, from 0 to 1, that are computed again and compared.
    """
    request = Request(
        study=Path(study),
        overrides=tuple(overrides or ()),
        data=Path(data) if data else None,
        artifacts=Path(artifacts) if artifacts else None,
        shared=shared,
        runner=runner,
        fresh=fresh,
        multiverse=multiverse,
        audit=audit,
    )
    with listening(Logbook(Path(study).stem).note):
        finished = check(request, AsTasks())
        show(finished.judgement, finished.folder)
    return finished.verdict
