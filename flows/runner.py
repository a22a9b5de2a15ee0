"""Where the independent stages of a plan are computed: in this process, or spread over several.

Nothing here can change what comes out. Each call is one task, whose seed belongs to its place.
"""

from collections.abc import Generator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field, TypeAdapter, ValidationError

from assay.errors import StudyError
from assay.store.behaviour import FoldBehaviour
from assay.store.records import FoldResult, Record
from flows.processes import side_by_side

if TYPE_CHECKING:
    from tasks.policies import Call  # brings Prefect: the command line must stay light

# auto, local, processes, dask, or dask=ADDRESS of a scheduler
Runner = Annotated[str, Field(pattern=r"^(auto|local|processes|dask(=\S+)?)$")]

_START_S = 7.0  # CPU seconds until a process has loaded what computes
_WORTH = 2.0  # how many times its start a process must have to do


def records(
    calls: Sequence["Call[Any]"], runner: Runner, most: int
) -> Generator[Record, None, None]:
    """Make every call and yield what each comes to, in their order.

    What a later call announces is not heard before the result of the earlier ones has been taken,
    wherever they are computed: whoever stops asking has been told nothing of the rest.

    Parameters
    ----------
    most
        How many processes there may be.
    """
    if runner == "local":
        yield from (call() for call in calls)
        return
    found = [call.stored() for call in calls]
    missing = [record is None for record in found]
    if runner.startswith("dask"):
        from flows.cluster import on_cluster

        _, _, address = runner.partition("=")
        yield from on_cluster(calls, missing, address or None, most)
        return
    for number, call in enumerate(calls):
        n = n_processes(runner, sum(missing[number:]), seconds(found), most)
        if n:
            yield from side_by_side(calls[number:], missing[number:], n)
            return
        found[number] = call()
        yield cast("Record", found[number])


def n_processes(runner: Runner, n_calls: int, call_s: float | None, most: int) -> int:
    """Return over how many processes calls are spread; 0: they stay in this one.

    Parameters
    ----------
    call_s
        Seconds that a call takes; None where no outer fold is finished, and then ``auto`` waits.

    Examples
    --------
    >>> n_processes("auto", 15, 1.5, most=8), n_processes("auto", 15, 60.0, most=8)
    (0, 8)
    """
    if runner == "processes":
        return min(n_calls, most)
    if runner == "local" or call_s is None:
        return 0
    n = min(n_calls, most, int(n_calls * call_s / (_WORTH * _START_S)))
    return n if n > 1 else 0


def seconds(found: Sequence[Record | None]) -> float | None:
    """Return how long an outer fold takes on average, or None if none is finished."""
    known = [
        record.seconds
        for record in found
        if isinstance(record, FoldResult | FoldBehaviour)
    ]
    return fmean(known) if known else None


def as_runner(word: str) -> Runner:
    """Return a word of the command line as the runner it names.

    Raises
    ------
    StudyError
        If it names none.
    """
    try:
        return TypeAdapter(Runner).validate_python(word)
    except ValidationError:
        raise StudyError(
            f"--runner {word}: it is one of auto, local, processes, dask, or dask=ADDRESS of a scheduler."
        ) from None
