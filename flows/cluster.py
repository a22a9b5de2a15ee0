"""Stages on the workers of a Dask cluster, through Prefect's own runner for it.

A worker computes one stage at a time and keeps the result in the store. Workers of a cluster that is
there already see the same artifacts folder, or have their own and a shared store (``--store``). A worker
that is lost costs the stage it was at.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from assay.errors import ProcessLost, StudyError
from assay.store.places import PACKAGE
from assay.store.progress import Finished, Started, announce
from assay.store.records import Record
from assay.store.runs import for_other_machines

if TYPE_CHECKING:
    from prefect_dask import DaskTaskRunner, PrefectDaskFuture

    from tasks.policies import Call

_PATIENCE_S = 20  # until a scheduler answers


def on_cluster(
    calls: Sequence["Call[Any]"], missing: Sequence[bool], address: str | None, n: int
) -> Iterator[Record]:
    """Make calls on a cluster and yield what they come to, in their order.

    Parameters
    ----------
    address
        Of the scheduler; None: a cluster of ``n`` workers on this machine, for as long as it takes.

    Raises
    ------
    StudyError
        If no scheduler answers, or its workers have several threads.
    ProcessLost
        If the workers at a call were lost again and again.
    """
    from distributed import KilledWorker

    with _started(address, n) as runner:
        asked = {
            number: _submitted(runner, call, elsewhere=address is not None)
            for number, call in enumerate(calls)
            if missing[number]
        }
        for number, call in enumerate(calls):
            if number not in asked:
                yield call()
                continue
            announce(Started(call.stage.name, call.label()))
            begun = time.perf_counter()
            try:
                asked[number].wait()
                record = call.stage.taken(asked[number].state)
            except (KilledWorker, CancelledError):
                raise ProcessLost(
                    f"The workers at {call} were lost, one after the other. Look at their memory, then run again: "
                    f"what was finished is kept."
                ) from None
            waited = time.perf_counter() - begun
            announce(
                Finished(call.stage.name, call.label(), waited, False, record.summary())
            )
            yield record


def _submitted(
    runner: "DaskTaskRunner[Any]", call: "Call[Any]", *, elsewhere: bool
) -> "PrefectDaskFuture[Any]":
    """Hand a call to a worker. One that may be on another machine finds there all that it is handed."""
    store, *handed = call.handed
    if elsewhere:
        for record in handed:
            if isinstance(record, Record):
                store.objects.mend(record)
        store = for_other_machines(store)
    return runner.submit(
        call.stage.task(store, call.label()),
        call.stage.signature.bind(store, *handed).arguments,
    )


@contextmanager
def _started(address: str | None, n: int) -> Iterator["DaskTaskRunner[Any]"]:
    with ExitStack() as stack:
        try:
            runner = stack.enter_context(_runner(address, n))
            _need_single_threads(runner)
        except (OSError, ValueError) as error:
            raise StudyError(
                f"--runner dask={address}: no scheduler of a Dask cluster answers there: {error}."
            ) from None
        yield runner


def _runner(address: str | None, n: int) -> "DaskTaskRunner[Any]":
    """Return a runner on a cluster that is there, or on one of processes started for it."""
    import dask
    from prefect_dask import DaskTaskRunner

    # Workers find this program however they are started, and Prefect's log is the one that is read.
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    dask.config.set({"distributed.comm.timeouts.connect": f"{_PATIENCE_S}s"})
    if address is not None:
        return DaskTaskRunner(address=address)
    return DaskTaskRunner(
        cluster_kwargs={
            "n_workers": max(1, n),
            "threads_per_worker": 1,
            "processes": True,
            "dashboard_address": None,
            "host": "127.0.0.1",
        }
    )


def _need_single_threads(runner: "DaskTaskRunner[Any]") -> None:
    """Refuse workers that would train two networks in one process: seeds are global to a process."""
    workers = runner.client.scheduler_info(n_workers=-1)["workers"]
    threads = {name: known["nthreads"] for name, known in workers.items()}
    wrong = [name for name, known in threads.items() if known != 1]
    if wrong:
        raise StudyError(
            f"The worker {wrong[0]} of the Dask cluster has {threads[wrong[0]]} threads. Start every worker with "
            f"--nthreads 1: seeds are global to a process."
        )
