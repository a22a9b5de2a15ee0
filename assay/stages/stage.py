"""A stage: a function whose result is kept in the store under a key of all that decides it.

The key covers what the stage is handed, its own text, the code of every ``assay`` module it reaches, and the
lock. A result is a record, kept as checksummed JSON; it counts only if the file is whole and so is every
stored object the record refers to. Anything else is computed again.
"""

import ast
import functools
import importlib
import inspect
import json
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from assay.errors import AssayError, CorruptObject, NotReproducible, is_retryable
from assay.store.canonical import canonical_json, digest_json
from assay.store.code import code_digest, lock_digest
from assay.store.places import PACKAGE
from assay.store.progress import Audited, Finished, Started, announce
from assay.store.records import Record, record_class
from assay.store.store import Store

P = ParamSpec("P")
R = TypeVar("R", bound=Record)

RETRY_DELAYS_S = (1.0, 5.0)  # before each further try at what may pass by itself


@dataclass(frozen=True)
class Call(Generic[R]):
    """A stage and its arguments, the store first: work that this or another process can do."""

    stage: "Stage[..., R]"
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.stage.name} {self.label}".strip()

    @property
    def store(self) -> Store:
        return cast("Store", self.arguments[0])

    @property
    def label(self) -> str:
        """Which repeat and fold the call is about; empty where it is about all rows."""
        place = self.named().get("place")
        if place is None:
            return ""
        return f"repeat {place.repeat + 1} fold {place.fold + 1}"

    @property
    def key(self) -> str:
        """The digest of the stage, its inputs, its code and the lock."""
        return self.stage.key(self.named())

    @property
    def name(self) -> str:
        """Where the result lies among the store's results."""
        return f"{self.stage.name}/{self.key}"

    def named(self) -> dict[str, Any]:
        """Return the arguments by the names of the stage's parameters."""
        bound = self.stage.signature.bind(*self.arguments)
        bound.apply_defaults()
        return bound.arguments

    def moved(self, store: Store) -> "Call[R]":
        """Return the same call on another store."""
        return Call(self.stage, (store, *self.arguments[1:]))

    def stored(self) -> R | None:
        """Return the stored result if there is a whole one; None where the store asks for fresh ones."""
        if self.store.fresh:
            return None
        try:
            return cast("R", read_result(self.store, self.name))
        except CorruptObject:
            return None

    def compute(self) -> R:
        """Compute the result, whatever is stored, and keep nothing but the objects it refers to.

        Raises
        ------
        AssayError
            If the code changed on disk meanwhile: nobody knows which version ran.
        """
        record = self.stage.function(*self.arguments)
        if not self.stage.is_current():
            raise AssayError("stages.program_changed")
        return cast("R", as_stored(record))

    def keep(self, record: R) -> None:
        """Store a result; the objects it refers to are stored already."""
        self.store.results.put(self.name, encode(record))

    def audit(self, record: R) -> None:
        """Compute a stored result again.

        Raises
        ------
        NotReproducible
            If the same code computes another one now.
        """
        announce(Started("audit", str(self)))
        begun = time.perf_counter()
        fields = differing(record, self.compute())
        if fields:
            raise NotReproducible(
                "stages.other_result", stage=str(self), fields=tuple(fields)
            )
        announce(Audited(self.stage.name, self.label, time.perf_counter() - begun))


class Stage(Generic[P, R]):
    """A named function from a store and records to a record."""

    def __init__(self, function: Callable[Concatenate[Store, P], R]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = function.__name__
        self.signature = inspect.signature(function)
        text, self._modules = _text_and_modules(function)
        # Taken before any stage runs: what is loaded later must still be what was digested here.
        self._reached = code_digest(*self._modules)
        self._code = digest_json([text, self._reached])

    def __reduce__(self) -> tuple[Callable[[str], "Stage[..., Any]"], tuple[str]]:
        return _by_name, (self.name,)

    def __call__(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> R:
        """Answer from the store, or compute and keep."""
        return run_memoised(self.of(store, *args, **kwargs))

    def of(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Return the call without making it."""
        return Call(self, self.signature.bind(store, *args, **kwargs).args)

    def key(self, arguments: dict[str, Any]) -> str:
        """Return the digest that names a result.

        Parameters
        ----------
        arguments
            By parameter; the store is no part of the key.
        """
        inputs = {
            name: _plain(value)
            for name, value in arguments.items()
            if not isinstance(value, Store)
        }
        return digest_json(
            {
                "stage": self.name,
                "inputs": inputs,
                "code": self._code,
                "lock": lock_digest(),
            }
        )

    def is_current(self) -> bool:
        """Return whether the code that the stage reaches is on disk what it was when it was loaded."""
        return bool(code_digest.__wrapped__(*self._modules) == self._reached)


def stage(function: Callable[Concatenate[Store, P], R]) -> Stage[P, R]:
    """Make a function a stage. Its first parameter is the store; the others are records or plain values."""
    return Stage(function)


def run_memoised(call: Call[R]) -> R:
    """Answer a call from the store, or compute and keep its result; errors that can pass are tried again."""
    announce(Started(call.stage.name, call.label))
    begun = time.perf_counter()
    record = call.stored()
    is_stored = record is not None
    if record is None:
        record = _with_retries(call.compute)
        call.keep(record)
    else:
        call.store.results.offer(call.name, record)
    announce_finished(call, record, time.perf_counter() - begun, stored=is_stored)
    if is_stored and call.store.is_audited(call.key):
        call.audit(record)
    return record


def announce_finished(
    call: Call[Any], record: Record, seconds: float, *, stored: bool
) -> None:
    """Announce that a call has come to a result."""
    name, label = call.stage.name, call.label
    announce(Finished(name, label, seconds, stored, record.summary()))


def _with_retries(compute: Callable[[], R]) -> R:
    for delay_s in RETRY_DELAYS_S:
        try:
            return compute()
        except (
            Exception
        ) as error:  # whatever the stage raised: only its kind is looked at
            if not is_retryable(error):
                raise
            time.sleep(delay_s)
    return compute()


# Results ---------------------------------------------------------------------------------------


def encode(record: Record) -> bytes:
    """Return a record as canonical JSON under its class name."""
    return canonical_json(
        {"record": type(record).__name__, "value": record.model_dump(mode="json")}
    )


def decode(content: bytes) -> Record:
    """Return the record that :func:`encode` wrote; nothing but a record can be read back."""
    stored = json.loads(content)
    return record_class(stored["record"]).model_validate_json(
        json.dumps(stored["value"])
    )


def as_stored(record: Record) -> Record:
    """Return a record as it comes back from the store, so that a first run goes on like a resumed one."""
    return decode(encode(record))


def read_result(store: Store, name: str) -> Record:
    """Return a stored result.

    Raises
    ------
    CorruptObject
        If the result or an object it refers to is missing or altered.
    """
    try:
        record = decode(store.results.get(name))
    except (ValueError, KeyError):  # of a version that kept results in another form
        raise CorruptObject(
            "stages.unreadable_result", path=str(store.results.path(name))
        ) from None
    if not store.objects.holds_all(record):
        raise CorruptObject(
            "stages.result_without_object", path=str(store.results.path(name))
        )
    return record


def differing(record: Record, again: Record) -> list[str]:
    """Return which fields of two results differ, those aside that may."""
    before, now = record.essence(), again.essence()
    return [name for name in before if before[name] != now.get(name)]


def _plain(value: Any) -> Any:
    match value:
        case Record():
            return {type(value).__name__: value.essence()}
        case tuple() | list():
            return [_plain(item) for item in value]
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(
        f"{type(value).__name__} has no place in a cache key: hand stages records or plain values"
    )


# Code ------------------------------------------------------------------------------------------


def _by_name(name: str) -> "Stage[..., Any]":
    """Return a stage as the process that asks has it, for a stage goes to another process by name."""
    return cast(
        "Stage[..., Any]", getattr(importlib.import_module("assay.stages"), name)
    )


def _text_and_modules(function: Callable[..., Any]) -> tuple[str, tuple[str, ...]]:
    """Return a function's own text, and the modules of this program that it names."""
    text = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(text).body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    names = (node.id for node in ast.walk(definition) if isinstance(node, ast.Name))
    owners = {
        getattr(function.__globals__.get(name), "__module__", "") for name in names
    }
    modules = {*owners, *_imported(definition)}
    ours = sorted(
        name
        for name in modules
        if str(name).startswith("assay.") and not name.startswith("assay.stages.")
    )
    return ast.unparse(definition), tuple(ours)


def _imported(definition: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(definition):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            inside = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from filter(_is_module, inside)


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
