"""What Prefect adds to a stage: a task with retries and a timeout, whose results lie in the store.

The key, the result's form and what counts as whole are the stage's own (:mod:`assay.stages.stage`), so that a
study checked without Prefect is answered here from the store, and the other way round.
"""

import importlib
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from prefect import Task, tags
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas import TaskRun
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.filesystems import WritableFileSystem
from prefect.results import ResultRecord, ResultRecordMetadata  # type: ignore[attr-defined]
from prefect.serializers import Serializer

from assay.errors import Unreachable, is_retryable
from assay.stages import Call, Stage
from assay.stages.execution import Run, Worker
from assay.stages.stage import (
    RETRY_DELAYS_S,
    announce_finished,
    as_stored,
    decode,
    encode,
    read_result,
)
from assay.store.progress import Started, announce
from assay.store.records import Record
from assay.store.runs import Roaming, store_of
from assay.store.store import Store

R = TypeVar("R", bound=Record)

_not_kept: dict[Path, OSError | Unreachable] = {}  # by file; Prefect only logs it


def as_task(stage: Stage[..., R], *, timeout_s: float) -> Task[..., R]:
    """Return the Prefect task of a stage.

    Parameters
    ----------
    timeout_s
        When Prefect gives the stage up; a long call into C is only seen after it ends.
    """

    @wraps(stage.function)
    def compute(*args: Any, **kwargs: Any) -> R:
        bound = stage.signature.bind(*args, **kwargs).args
        return Call(stage, bound).compute()

    def key(_context: TaskRunContext, parameters: dict[str, Any]) -> str:
        return f"{stage.name}/{stage.key(parameters)}"

    return Task(
        compute,
        name=stage.name,
        cache_policy=CacheKeyFnPolicy(cache_key_fn=key),
        persist_result=True,
        result_serializer=RecordSerializer(),
        cache_result_in_memory=False,
        retries=len(RETRY_DELAYS_S),
        retry_delay_seconds=list(RETRY_DELAYS_S),
        retry_condition_fn=_can_pass,
        timeout_seconds=timeout_s,
        log_prints=False,
    )


class AsTasks:
    """Carries out each call as a Prefect task run, in this process and in those started for the flow run."""

    def run(self, call: Call[R]) -> R:
        return run_task(call)

    def worker(self) -> Worker:
        from prefect.context import serialize_context

        context = serialize_context()
        flow = context["flow_run_context"].pop("flow").fn
        return partial(_in_flow_run, context, (flow.__module__, flow.__name__))

    def tagged(self, tag: str) -> AbstractContextManager[Any]:
        return tags(tag)


@contextmanager
def _in_flow_run(context: dict[str, Any], flow: tuple[str, str]) -> Iterator[Run]:
    """Let a process take part in the flow run that started it; the flow's code goes by name."""
    import logging

    from prefect.context import hydrated_context
    from prefect.events.worker import EventsWorker

    logging.raiseExceptions = False  # a server that is gone is reported once, elsewhere
    module, name = flow
    own = getattr(importlib.import_module(module), name)
    run = context["flow_run_context"] | {"flow": own}
    with hydrated_context(context | {"flow_run_context": run}):
        yield run_task
        EventsWorker.instance().wait_until_empty()


def run_task(call: Call[R]) -> R:
    """Run a call as a Prefect task named after what it works on."""
    from tasks import TASKS

    store = call.store
    announce(Started(call.stage.name, call.label))
    begun = time.perf_counter()
    task = TASKS[call.stage.name].with_options(
        task_run_name=str(call), refresh_cache=store.fresh
    )
    # Prefect wants a block saved on the server; a saved one would keep this machine's path there.
    task.result_storage = ResultFiles(
        folder=None if isinstance(store, Roaming) else str(store.folder),
        shared=store.shared and store.shared.address,
    )
    state = cast("State[R]", task(*call.arguments, return_state=True))
    record = cast("R", as_stored(cast("Record", state.result())))
    if _not_kept and (error := _not_kept.pop(store.results.path(call.name), None)):
        raise error
    is_stored = state.name == "Cached"
    announce_finished(call, record, time.perf_counter() - begun, stored=is_stored)
    if is_stored and store.is_audited(call.key):
        call.audit(record)
    return record


def _can_pass(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    try:
        state.result()
    except Exception as error:  # whatever the stage raised: only its kind is looked at
        return is_retryable(error)
    return False


class RecordSerializer(Serializer):
    """Records as canonical JSON under their class name; nothing but a record can be read back."""

    type: Literal["assay-record"] = "assay-record"

    def dumps(self, obj: Any) -> bytes:
        return encode(obj)

    def loads(self, blob: bytes) -> Any:
        return decode(blob)


class ResultFiles(WritableFileSystem):
    """Results as the store keeps them, in the envelope that Prefect reads and writes."""

    _block_type_name = "Assay results"
    _block_type_slug = "assay-results"

    folder: str | None  # None: the artifacts folder of the machine that asks
    shared: str | None = None

    def _store(self) -> Store:
        return store_of(Path(self.folder) if self.folder else None, shared=self.shared)

    def _resolve_path(self, _path: str) -> None:
        """Tell Prefect that a key is no path of this machine."""

    # Prefect calls its own blocks with _sync=True from synchronous flows; ours are never anything else.
    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]
        store = self._store()
        record = read_result(store, path)
        store.results.offer(path, record)
        metadata = ResultRecordMetadata(serializer=RecordSerializer(), storage_key=path)
        return ResultRecord(result=record, metadata=metadata).serialize()

    def write_path(  # type: ignore[override]
        self, path: str, content: bytes, _sync: bool = True
    ) -> None:
        store = self._store()
        try:
            store.results.put(path, json.loads(content)["result"].encode())
        except (OSError, Unreachable) as error:
            _not_kept[store.results.path(path)] = error
            raise
