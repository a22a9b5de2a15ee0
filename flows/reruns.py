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


@flow(name="reproduce", flow_run_name="reproduce {run}", validate_parameters=True)
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
        environment: here, in a fresh environment of the run's lock (venv) or of newer versions (newest), or in the
            image (container).
        cpu: Leave the processor only avx2 or avx512, to see what another one changes.
    """
    store = store_of(Path(artifacts) if artifacts else None)
    found, path = reproduced(store, run, Path(data) if data else None, environment, cpu)
    get_run_logger().info("%s Receipt: %s", found.summary(), path)
    sign = "✓" if found.tier else "✗"
    create_markdown_artifact(
        key=f"receipt-{found.study}",
        markdown=f"## {sign} {found.summary()}\n\n{_table(found)}",
        description=f"Whether {found.study} repeats",
    )
    if found.tier is None:
        emit_event(
            "assay.run.differs",
            {
                "prefect.resource.id": f"assay.run.{found.run}",
                "prefect.resource.name": found.run,
            },
            payload={"said": found.summary(), "receipt": str(path)},
        )
        raise NotReproducible(found.summary())
    return found


def _table(found: Receipt) -> str:
    rows = (
        f"| {name} | `{digest[:16]}` | `{found.again.get(name, 'absent')[:16]}` |"
        for name, digest in sorted(found.same.items())
    )
    return "\n".join(["| digest of | then | now |", "| --- | --- | --- |", *rows])
