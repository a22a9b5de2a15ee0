"""The flow that repeats a finished run: for schedules, and for the UI to show that it still holds."""

import sys
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # works from any folder

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from assay.errors import NotReproducible
from assay.reproduce.again import reproduced
from assay.reproduce.receipt import Environment, Receipt
from assay.store.runs import store_of
from assay.wording import Sentence


@flow(
    name="reproduce",
    flow_run_name="reproduce {run}",
    validate_parameters=True,
    retries=0,
    persist_result=False,
    log_prints=False,
)
def reproduce(
    run: str,
    data: str | None = None,
    artifacts: str | None = None,
    environment: Environment = "here",
    cpu: Literal["avx2", "avx512"] | None = None,
) -> Receipt:
    """Run a finished run again, compare every digest, and fail where it does not repeat.

    Args:
        run: A run's folder, its name, or a study, of which the newest run is taken.
        data: A file to read instead of the study's sources, or the folder they lie in.
        artifacts: Where the run lies; the rerun and the receipt go there too.
        environment: here, in a fresh virtual environment of the run's lock (venv) or of newer versions (newest), or
            in the image (container).
        cpu: Limit the processor to avx2 or avx512, to see what another processor changes.
    """
    store = store_of(Path(artifacts) if artifacts else None)
    receipt, path = reproduced(
        store, run, Path(data) if data else None, environment, cpu
    )
    get_run_logger().info("%s %s", receipt.summary(), path)
    sign = "✓" if receipt.tier else "✗"
    create_markdown_artifact(
        key=f"receipt-{receipt.study}",
        markdown=f"## {sign} {receipt.summary()}\n\n{_table(receipt)}",
        description=str(Sentence.of("flows.receipt", study=receipt.study)),
    )
    if receipt.tier is None:
        emit_event(
            "assay.run.differs",
            {
                "prefect.resource.id": f"assay.run.{receipt.run}",
                "prefect.resource.name": receipt.run,
            },
            payload={"said": str(receipt.summary()), "receipt": str(path)},
        )
        raise NotReproducible(str(receipt.summary()))
    return receipt


def _table(receipt: Receipt) -> str:
    columns = (
        Sentence(f"flows.column.{name}") for name in ("digest", "first", "again")
    )
    rows = (
        f"| {name} | `{digest[:16]}` | `{receipt.again.get(name, '-')[:16]}` |"
        for name, digest in sorted(receipt.same.items())
    )
    head = " | ".join(map(str, columns))
    return "\n".join([f"| {head} |", "| --- | --- | --- |", *rows])
