"""Where the independent calls of a plan are computed: in this process, or spread over several.

Nothing here can change what comes out. Each call is one unit, whose seed belongs to its place.
"""

from collections.abc import Generator, Sequence
from statistics import fmean
from typing import Any, cast

from assay.request import Runner
from assay.stages.execution import Execution
from assay.stages.processes import side_by_side
from assay.stages.stage import Call
from assay.store.behaviour import FoldBehaviour
from assay.store.records import FoldResult, Record

_START_S = 7.0  # CPU seconds until a process has loaded what computes
_WORTH = 2.0  # how many times its start a process must have to do


def run_all(
    calls: Sequence[Call[Any]], execution: Execution, runner: Runner, most: int
) -> Generator[Record, None, None]:
    """Carry out every call and yield the results in the order of the calls.

    What a later call announces is not heard before the result of the earlier ones has been taken,
    wherever they are computed: whoever stops asking has been told nothing of the rest.

    Parameters
    ----------
    most
        How many processes there may be.
    """
    if runner == "local":
        yield from (execution.run(call) for call in calls)
        return
    records = [call.stored() for call in calls]
    missing = [record is None for record in records]
    if runner.startswith("dask"):
        from assay.stages.dask import on_cluster

        _, _, address = runner.partition("=")
        yield from on_cluster(calls, missing, execution, address or None, most)
        return
    for number, call in enumerate(calls):
        n = n_processes(runner, sum(missing[number:]), mean_seconds(records), most)
        if n:
            yield from side_by_side(calls[number:], missing[number:], execution, n)
            return
        records[number] = execution.run(call)
        yield cast("Record", records[number])


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


def mean_seconds(records: Sequence[Record | None]) -> float | None:
    """Return how long an outer fold takes on average, or None if none is finished."""
    seconds = [
        record.seconds
        for record in records
        if isinstance(record, FoldResult | FoldBehaviour)
    ]
    return fmean(seconds) if seconds else None
