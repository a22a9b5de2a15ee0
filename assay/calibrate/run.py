"""Many tables with a known truth, each taken through the stages of a check, in parallel processes."""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from assay import stages
from assay.calibrate.page import as_json, as_markdown
from assay.calibrate.rates import Calibration, rates
from assay.calibrate.repetitions import Ledger, Repetition, repetition
from assay.calibrate.worlds import (
    WORLDS,
    World,
    own_world,
    relabelled_samples,
    snapshot_of,
)
from assay.errors import StudyError
from assay.pipeline import Way
from assay.stages.execution import Unstored
from assay.stages.processes import follow, imports_outside_the_current_folder
from assay.store.canonical import digest_json
from assay.store.code import code_digest, lock_digest
from assay.store.seeds import seed_for
from assay.store.store import Store
from assay.store.verdict import Opened
from assay.study.plans import PlanName, Study
from assay.study.sources import Identity

_MOST_AT_ONCE = 5  # tables that a kill can cost each process
_BATCHES_OF_A_PROCESS = 100  # TensorFlow keeps a little of every table
# What a repetition runs: a change to any of these, and to nothing else, makes new repetitions necessary.
_STAGES = (
    "assay.calibrate.worlds",
    "assay.calibrate.repetitions",
    "assay.data.clean",
    "assay.data.samples",
    "assay.data.split",
    "assay.audit.stage",
    "assay.gate.stage",
    "assay.models.self_test",
    "assay.models.tune",
    "assay.judge.stage",
)

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class OwnTable:
    """A study's own samples, opened once; each repetition permutes their labels."""

    study: Study
    opened: Opened
    artifacts: str

    def world(self) -> World:
        columns = (column.name for column in self.opened.snapshot.columns)
        return own_world(self.study, tuple(columns))


@dataclass(frozen=True)
class _Batch:
    """Some repetitions of a world, for one process."""

    world: str
    numbers: list[int]
    seed: int
    own: OwnTable | None


@dataclass(frozen=True)
class Wanted:
    """Which worlds a person wants, and how many tables of each; None: the world's own number."""

    worlds: tuple[str, ...]
    repetitions: int | None
    seed: int
    own: OwnTable | None = None

    def chosen(self) -> dict[str, World]:
        """Return the worlds whose names begin with a wanted one; all if none is named.

        Raises
        ------
        StudyError
            If no world's name begins with one of them.
        """
        if self.own is not None:
            world = self.own.world()
            return {world.name: world}
        for name in self.worlds:
            if not any(world.startswith(name) for world in WORLDS):
                raise StudyError("cli.unknown_world", name=name, worlds=tuple(WORLDS))
        return {
            name: world
            for name, world in WORLDS.items()
            if not self.worlds or name.startswith(self.worlds)
        }


def calibrated(
    wanted: Wanted, store: Store, processes: int, command: str, tell: Tell
) -> tuple[Calibration, Path]:
    """Take every wanted world to its number of tables and count.

    What one program finished under one seed lies in one folder, so that an interrupted calibration
    continues and no rate mixes two programs. ``tell`` is called with a world, how many of its tables
    are finished, and how many are wanted.

    Returns
    -------
    tuple
        The rates, and the folder with ``calibration.md`` and ``calibration.json``.
    """
    worlds, own = wanted.chosen(), wanted.own
    counts = {
        name: wanted.repetitions or world.repetitions for name, world in worlds.items()
    }
    program = code_digest(*_STAGES)
    place = digest_json([program, lock_digest()])[:12]
    folder = store.folder / "calibrations" / f"{place}-{wanted.seed}"
    if own is not None:
        inputs = [own.study.essence_digest(), own.opened.cleaned.essence_digest()]
        folder = folder / digest_json(inputs)[:12]
    with store.lock(f"calibration-{folder.name}"):
        done = _finish(wanted, counts, folder, processes, tell)
    calibration = Calibration(
        command=command,
        program=program,
        lock=lock_digest(),
        seed=wanted.seed,
        repetitions={name: len(tables) for name, tables in done.items()},
        cpu_s=sum(table.cpu_s for tables in done.values() for table in tables),
        rates=tuple(
            rate
            for name, tables in done.items()
            for rate in rates(worlds[name], tables)
        ),
    )
    page = as_markdown(calibration, worlds)
    store.files.write(folder / "calibration.md", page.encode())
    store.files.write(folder / "calibration.json", as_json(calibration).encode())
    return calibration, folder


def _finish(
    wanted: Wanted, counts: dict[str, int], folder: Path, processes: int, tell: Tell
) -> dict[str, list[Repetition]]:
    """Return every world's repetitions by number: those in the folder, and those that were missing."""
    ledgers = {name: Ledger(folder / f"{name}.jsonl") for name in counts}
    done = {
        name: {
            table.number: table
            for table in ledger.read()
            if table.number < counts[name]
        }
        for name, ledger in ledgers.items()
    }
    for name, n in counts.items():
        tell(name, len(done[name]), n)
    batches = [
        _Batch(name, numbers, wanted.seed, wanted.own)
        for name, n in counts.items()
        for numbers in _gaps(set(done[name]), n)
    ]
    for batch, finished in _spread(batches, processes):
        ledgers[batch.world].add(finished)
        done[batch.world] |= {table.number: table for table in finished}
        tell(batch.world, len(done[batch.world]), counts[batch.world])
    return {
        name: [tables[number] for number in sorted(tables)]
        for name, tables in done.items()
    }


def _gaps(finished: set[int], n: int) -> Iterator[list[int]]:
    """Yield the numbers below n that are not finished, a few at a time."""
    missing = [number for number in range(n) if number not in finished]
    for start in range(0, len(missing), _MOST_AT_ONCE):
        yield missing[start : start + _MOST_AT_ONCE]


def open_own(store: Store, study: Study, identity: Identity) -> OwnTable:
    """Read, validate and clean plan A's table of a study."""
    opened = Way(store, study, identity, execution=Unstored()).open("a")
    return OwnTable(study, opened, str(store.folder))


def _spread(
    waiting: list[_Batch], processes: int
) -> Iterator[tuple[_Batch, list[Repetition]]]:
    """Yield batches as they are finished, from new processes now and then.

    The pool's own ``max_tasks_per_child`` can wait forever for a process that it does not start
    (https://github.com/python/cpython/issues/115634), so each share of the work has a pool of its own.
    """
    share = processes * _BATCHES_OF_A_PROCESS
    for start in range(0, len(waiting), share):
        yield from _pooled(waiting[start : start + share], processes)


def _pooled(
    waiting: list[_Batch], processes: int
) -> Iterator[tuple[_Batch, list[Repetition]]]:
    """Yield batches as they are finished. Processes are spawned: TensorFlow does not survive a fork."""
    context = get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=follow, initargs=(lifeline,)
    )
    try:
        with imports_outside_the_current_folder():
            running = {pool.submit(_repeat_all, batch): batch for batch in waiting}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
        pool.shutdown()
    finally:
        held.close()
        pool.shutdown(wait=False, cancel_futures=True)


# One repetition --------------------------------------------------------------------------------------


def _repeat_all(batch: _Batch) -> list[Repetition]:
    return [
        repeat(batch.world, number, batch.seed, batch.own) for number in batch.numbers
    ]


def repeat(
    name: str, number: int, seed: int, own: OwnTable | None = None
) -> Repetition:
    """Take one table of a world to its verdict, plan B included, as a check would."""
    begun = time.process_time()
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        store = Store(Path(folder))
        world = WORLDS[name] if own is None else own.world()
        study = world.study(seed_for(seed, "study", name, number))
        way = Way(store, study, _nobody(study), execution=Unstored())

        def opened(plan: PlanName) -> Opened:
            if own is not None:
                return _open_relabelled(store, own, seed, number)
            return _open_world(way, world, plan, seed, number)

        plans = way.decide(opened)
    evidence = dict(zip(study.plans(), (plan[0] for plan in plans), strict=False))
    verdict = plans[-1][1].verdict
    return repetition(name, number, verdict, evidence, time.process_time() - begun)


def _open_world(
    way: Way, world: World, plan: PlanName, seed: int, number: int
) -> Opened:
    snapshot, report = snapshot_of(way.store, world, seed, number)
    cleaning = way.study.of(plan).cleaning()
    cleaned = way.run(stages.clean.of(way.store, snapshot, report, cleaning))
    return Opened(snapshot=snapshot, report=report, cleaned=cleaned)


def _open_relabelled(store: Store, own: OwnTable, seed: int, number: int) -> Opened:
    theirs = Store(Path(own.artifacts))
    cleaned = relabelled_samples(theirs, own.opened.cleaned, seed, number).keep(store)
    return own.opened.model_copy(update={"cleaned": cleaned})


def _nobody(study: Study) -> Identity:
    return Identity(
        name=study.name,
        sources={},
        suites={},
        study=study.essence_digest(),
        program=code_digest(*_STAGES),
        lock=lock_digest(),
    )
