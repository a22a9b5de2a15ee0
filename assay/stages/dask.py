"""Calls on the workers of a Dask cluster.

A worker computes one call at a time and keeps the result in the store. Workers of a running cluster
see the same artifacts folder, or have their own and a shared store (``--store``). A worker that is lost
costs the call it was at.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from assay.errors import AssayError, ProcessLost, StudyError
from assay.stages.execution import Execution, Worker
from assay.stages.stage import Call, announce_finished
from assay.store.places import PACKAGE
from assay.store.progress import Started, announce
from assay.store.records import Record
from assay.store.runs import for_other_machines

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE_S = 20  # until a scheduler answers


def on_cluster(
    calls: Sequence[Call[Any]],
    missing: Sequence[bool],
    execution: Execution,
    address: str | None,
    n: int,
) -> Iterator[Record]:
    """Carry out calls on a cluster and yield the results in the order of the calls.

    Parameters
    ----------
    address
        Of the scheduler; None: a cluster of ``n`` workers on this machine, for as long as it takes.

    Raises
    ------
    StudyError
        If Dask is not installed, no scheduler answers, or its workers have several threads.
    ProcessLost
        If the workers at a call were lost again and again.
    """
    try:
        from distributed import CancelledError, KilledWorker
    except ImportError:
        raise StudyError("stages.dask_missing") from None

    with _client(address, n) as client:
        futures = {
            number: _submitted(
                client, call, execution.worker(), elsewhere=address is not None
            )
            for number, call in enumerate(calls)
            if missing[number]
        }
        for number, call in enumerate(calls):
            if number not in futures:
                yield execution.run(call)
                continue
            announce(Started(call.stage.name, call.label))
            begun = time.perf_counter()
            try:
                record = cast("Record", futures[number].result())
            except (KilledWorker, CancelledError):
                raise ProcessLost("stages.workers_lost", call=str(call)) from None
            announce_finished(call, record, time.perf_counter() - begun, stored=False)
            yield record


def _submitted(
    client: "Client", call: Call[Any], worker: Worker, *, elsewhere: bool
) -> "Future":
    """Hand a call to a worker. One that may be on another machine finds there all that it needs."""
    if elsewhere:
        for record in call.arguments[1:]:
            if isinstance(record, Record):
                call.store.objects.mend(record)
        call = call.moved(for_other_machines(call.store))
    return client.submit(_on_worker, call, call.key, worker, pure=False, retries=0)


def _on_worker(call: Call[Any], key: str, worker: Worker) -> Record:
    if call.key != key:
        raise AssayError("stages.program_changed")
    with worker() as run:
        return run(call)


@contextmanager
def _client(address: str | None, n: int) -> Iterator["Client"]:
    """Connect to a running cluster, or start one of processes for the block."""
    import dask
    from distributed import Client, LocalCluster

    # Workers find this program however they are started.
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    dask.config.set({"distributed.comm.timeouts.connect": f"{_PATIENCE_S}s"})
    if address is None:
        with (
            LocalCluster(
                n_workers=max(1, n),
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                host="127.0.0.1",
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(address)
    except (OSError, ValueError) as error:
        raise StudyError(
            "stages.no_scheduler", address=address, error=str(error)
        ) from None
    with client:
        _need_single_threads(client)
        yield client


def _need_single_threads(client: "Client") -> None:
    """Refuse workers that would train two networks in one process: seeds are global to a process."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    for name, worker in workers.items():
        if worker["nthreads"] != 1:
            raise StudyError(
                "stages.worker_threads", worker=name, n=int(worker["nthreads"])
            )
