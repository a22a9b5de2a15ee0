"""The only place that knows cache keys, retries, timeouts and where results lie.

A stage's key covers what it was handed, the code of every ``assay`` module it reaches, and the
lock. Its result is a record, kept as checksummed JSON; a hit counts only if the file is whole and
so is every stored object the record refers to. Anything else is computed again.
"""

import functools
import importlib
import inspect
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, cast

from prefect import Task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas import TaskRun
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.filesystems import WritableFileSystem
from prefect.serializers import Serializer

from assay.errors import (
    AssayError,
    CorruptObject,
    NotReproducible,
    Unreachable,
    is_retryable,
)
from assay.store.canonical import canonical_json, digest_json
from assay.store.code import code_digest, lock_digest
from assay.store.progress import Audited, Finished, Started, announce
from assay.store.records import Record, record_class
from assay.store.runs import Roaming, store_of
from assay.store.store import Store

P = ParamSpec("P")
R = TypeVar("R", bound=Record)

_RETRY_DELAYS_S = [1.0, 5.0]
_plain: ContextVar[bool] = ContextVar("plain", default=False)
_not_kept: dict[Path, OSError | Unreachable] = {}  # by file; Prefect only logs it


@contextmanager
def plain_stages() -> Iterator[None]:
    """Let stages be the plain functions they wrap inside the block: no task, no cache, no events.

    For running one pipeline thousands of times on tables that nobody will ask for again.
    """
    before = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(before)


@dataclass(frozen=True)
class Call(Generic[R]):
    """A stage and what it is to be handed: something that this or another process can run."""

    stage: "Stage[..., R]"
    handed: tuple[Any, ...]

    def __call__(self) -> R:
        return self.stage(*self.handed)

    def __str__(self) -> str:
        return f"{self.stage.name} {self.label()}".strip()

    def label(self) -> str:
        """Return which repeat and fold the call is about, if it is about one."""
        return self.stage.label(*self.handed)

    def stored(self) -> R | None:
        """Return the result if it is stored and may be used."""
        store: Store = self.handed[0]
        return None if store.fresh else self.stage.stored(*self.handed)

    def key(self) -> str:
        """Return the name of the result, by the code that this process has loaded."""
        return self.stage.key(self.stage.signature.bind(*self.handed).arguments)


class Stage(Generic[P, R]):
    """A stage as a task: called, it answers from the store or computes and keeps the result."""

    def __init__(
        self, function: Callable[Concatenate[Store, P], R], timeout_s: float
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self.name = function.__name__
        self.signature = inspect.signature(function)
        # Taken before any stage runs: what is loaded later must still be what was digested here.
        self._code_digest = code_digest(function.__module__)
        self._task: Task[..., R] = Task(
            self._guarded(function),
            name=self.name,
            cache_policy=CacheKeyFnPolicy(cache_key_fn=self._prefect_key),
            persist_result=True,
            result_serializer=RecordSerializer(),
            cache_result_in_memory=False,
            retries=len(_RETRY_DELAYS_S),
            retry_delay_seconds=_RETRY_DELAYS_S,
            retry_condition_fn=_can_help,
            timeout_seconds=timeout_s,
            log_prints=False,
        )

    def __reduce__(self) -> tuple[Callable[[str], "Stage[..., Any]"], tuple[str]]:
        return _named, (self.name,)

    def of(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Return the call without making it."""
        return Call(self, self.signature.bind(store, *args, **kwargs).args)

    def __call__(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the stage as a Prefect task named after what it works on."""
        if _plain.get():
            return cast("R", _normal(self._function(store, *args, **kwargs)))
        label = self.label(store, *args, **kwargs)
        announce(Started(self.name, label))
        begun = time.perf_counter()
        task = self.task(store, label)
        state = cast("State[R]", task(store, *args, **kwargs, return_state=True))
        record = self.taken(state)
        bound = self.signature.bind(store, *args, **kwargs).arguments
        if _not_kept and (
            error := _not_kept.pop(
                store.results.path(self._name(self.key(bound))), None
            )
        ):
            raise error
        stored = state.name == "Cached"
        announce(
            Finished(
                self.name,
                label,
                time.perf_counter() - begun,
                stored,
                record.summary(),
            )
        )
        if stored and store.is_audited(self.key(bound)):
            self._audit(record, label, store, *args, **kwargs)
        return record

    def _audit(
        self, record: R, label: str, store: Store, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Compute a stored result again.

        Raises
        ------
        NotReproducible
            If it is another one now.
        """
        announce(Started("audit", f"{self.name} {label}".strip()))
        begun = time.perf_counter()
        again = _normal(self._function(store, *args, **kwargs))
        differ = differing(record, cast("R", again))
        if differ:
            raise NotReproducible(
                f"What is stored of {self.name} {label}".rstrip()
                + f" is not what the same code computes now: {', '.join(differ)}. Check the machine's memory and disk, "
                f"then run with --fresh."
            )
        announce(Audited(self.name, label, time.perf_counter() - begun))

    def task(self, store: Store, label: str) -> Task[..., R]:
        """Return the Prefect task of a call, which keeps its result in the store."""
        task = self._task.with_options(
            task_run_name=f"{self.name} {label}".strip(), refresh_cache=store.fresh
        )
        # Prefect wants a block saved on the server; a saved one would keep this machine's path there.
        task.result_storage = ResultFiles(
            folder=None if isinstance(store, Roaming) else str(store.folder),
            shared=store.shared and store.shared.address,
        )
        return task

    def taken(self, state: State[R]) -> R:
        """Return the record that a finished task run came to, or raise its error."""
        return cast("R", _normal(state.result()))

    def _guarded(
        self, function: Callable[Concatenate[Store, P], R]
    ) -> Callable[Concatenate[Store, P], R]:
        """Refuse a result whose code was changed on disk while it was computed: nobody knows which ran."""

        @functools.wraps(function)
        def guarded(store: Store, *args: P.args, **kwargs: P.kwargs) -> R:
            record = function(store, *args, **kwargs)
            if code_digest.__wrapped__(function.__module__) != self._code_digest:
                raise AssayError("The program was changed while it ran. Run again.")
            return record

        return cast("Callable[Concatenate[Store, P], R]", guarded)

    def stored(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Return the stored result if there is a whole one; compute nothing."""
        bound = self.signature.bind(store, *args, **kwargs)
        bound.apply_defaults()
        try:
            return cast("R", _read(store, self._name(self.key(bound.arguments)))[0])
        except CorruptObject:
            return None

    def label(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return which repeat and fold the call is about, if it is about one."""
        bound = self.signature.bind(store, *args, **kwargs).arguments
        place = bound.get("place")
        return (
            f"repeat {place.repeat + 1} fold {place.fold + 1}"
            if place is not None
            else ""
        )

    def key(self, arguments: dict[str, Any]) -> str:
        """Return the name of the result: stage, inputs, code, lock."""
        inputs = {
            name: _spelled(value)
            for name, value in arguments.items()
            if not isinstance(value, Store)
        }
        return digest_json(
            {
                "stage": self.name,
                "inputs": inputs,
                "code": self._code_digest,
                "lock": lock_digest(),
            }
        )

    def _prefect_key(self, _context: TaskRunContext, parameters: dict[str, Any]) -> str:
        return self._name(self.key(parameters))

    def _name(self, key: str) -> str:
        return f"{self.name}/{key}"


def differing(record: Record, again: Record) -> list[str]:
    """Return which fields of two results differ, those aside that may."""
    was, now = record.essence(), again.essence()
    return [name for name in was if was[name] != now.get(name)]


def stage(
    *, timeout_s: float
) -> Callable[[Callable[Concatenate[Store, P], R]], Stage[P, R]]:
    """Make a function a stage. Its first parameter is the store; the others are records or plain values.

    ``timeout_s`` is when Prefect gives the stage up; a long call into C is only seen after it ends.
    """
    return lambda function: Stage(function, timeout_s)


def _named(name: str) -> "Stage[..., Any]":
    """Return a stage as the process that asks has it, for a stage goes to another process by name."""
    return cast("Stage[..., Any]", getattr(importlib.import_module("tasks"), name))


def _normal(record: Record) -> Record:
    """Return a record as it comes back from the store, so that a first run goes on like a resumed one."""
    serializer = RecordSerializer()
    return cast("Record", serializer.loads(serializer.dumps(record)))


def _spelled(value: Any) -> Any:
    match value:
        case Record():
            return {type(value).__name__: value.essence()}
        case tuple() | list():
            return [_spelled(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(
        f"{type(value).__name__} has no place in a cache key: hand stages records or plain values"
    )


def _can_help(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    try:
        state.result()
    except Exception as error:  # whatever the stage raised: only its kind is looked at
        return is_retryable(error)
    return False


class RecordSerializer(Serializer):
    """Records as canonical JSON under their class name; nothing but a record can be read back."""

    type: Literal["assay-record"] = "assay-record"

    def dumps(self, obj: Any) -> bytes:
        return canonical_json(
            {"record": type(obj).__name__, "value": obj.model_dump(mode="json")}
        )

    def loads(self, blob: bytes) -> Any:
        stored = json.loads(blob)
        return record_class(stored["record"]).model_validate_json(
            json.dumps(stored["value"])
        )


class ResultFiles(WritableFileSystem):
    """Results in the store: written whole, checksummed, and believed only if all of it holds."""

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
        record, content = _read(store, path)
        store.results.offer(path, record)
        return content

    def write_path(  # type: ignore[override]
        self, path: str, content: bytes, _sync: bool = True
    ) -> None:
        store = self._store()
        try:
            store.results.put(path, content)
        except (OSError, Unreachable) as error:
            _not_kept[store.results.path(path)] = error
            raise


def _read(store: Store, name: str) -> tuple[Record, bytes]:
    """Return the record of a stored result, and the result's content as Prefect wrote it.

    Raises
    ------
    CorruptObject
        If the result or an object it refers to is missing or altered.
    """
    content = store.results.get(name)
    record = RecordSerializer().loads(json.loads(content)["result"].encode())
    if not store.objects.holds_all(record):
        raise CorruptObject(
            f"{store.results.path(name)} refers to an object that is missing or altered."
        )
    return record, content
