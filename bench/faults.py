"""What can go wrong around a check, each as often as asked, on a store of its own."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.disturbed import LINES, Reference, Subject, Trial
from tests.flow_runs import prefect_running

KILL, TERM, CTRL_C = "kill -9", "SIGTERM", "Ctrl-C"
WORKER = "kill -9 of a worker process"
FULL, TOO_LARGE = "disk full", "file larger than allowed"
SEALED, SEALING = "folder read-only", "folder read-only in mid-run"
DAMAGE = "damaged files"
GONE, STOPPED = "no server", "server stopped in mid-run"
LOCKED = "server's database locked"
CLOCK, TWICE = "clock set back", "two checks at once, one killed"

_ENDINGS = {KILL: signal.SIGKILL, TERM: signal.SIGTERM, CTRL_C: signal.SIGINT}
_CODES = {KILL: (-9,), TERM: (-15,), CTRL_C: (130, -2)}  # the same to a shell
_KIND = {  # what each kind of file in the store is called, and where it lies
    "an object": "objects/*/*",
    "a result": "results/*/*",
    "a registration": "registrations/*/*.json",
    "a mark": "registrations/*/*.begun",
    "a run's file": "runs/*/**/*.*",
    "a lock": "locks/*",
}


class Skipped(Exception):
    """This machine cannot be disturbed so; the message says why."""


@dataclass(frozen=True)
class Arena:
    """Where disturbances happen: what an undisturbed check came to, a folder, and a draw."""

    reference: Reference
    folder: Path
    draw: random.Random

    def subject(self, before: str | None = None, finished: bool = False) -> Subject:
        return self.reference.subject(self.folder, before, finished)


Fault = Callable[[Arena, Sequence[str]], list[Trial]]


def one_life(name: str, arena: Arena, targets: Sequence[str]) -> list[Trial]:
    """End a check in each of some stages in turn, at a random moment of it, then check plainly."""
    subject, trials, ending = arena.subject(), [], _ENDINGS[name]
    for stage in targets:
        n_lines = _lines_before(stage, arena.draw)
        delay = arena.draw.uniform(0, arena.reference.window(n_lines))
        seen = subject.disturbed(
            subject.start(), n_lines, delay, lambda process: _end(process, ending)
        )
        if seen.code == 0:  # it was quicker than we
            break
        trials.append(subject.trial(name, seen, _CODES[name]))
    return _judged(trials, subject.mended())


def _lines_before(stage: str, draw: random.Random) -> int:
    """Return after how many lines a stage is at work; of several of its kind, any."""
    if stage == "start":
        return -1
    if stage == "publish":
        return len(LINES)
    return draw.choice([n for n, name in enumerate(LINES) if name == stage])


def _end(process: "subprocess.Popen[str]", ending: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, ending)


def _judged(trials: list[Trial], after: tuple[str, ...]) -> list[Trial]:
    """Charge what is wrong after the last check to the last disturbance."""
    if not trials or not after:
        return trials
    *others, last = trials
    return [*others, replace(last, problems=last.problems + after)]


def kill(arena: Arena, targets: Sequence[str]) -> list[Trial]:
    return one_life(KILL, arena, targets)


def terminate(arena: Arena, targets: Sequence[str]) -> list[Trial]:
    return one_life(TERM, arena, targets)


def interrupt(arena: Arena, targets: Sequence[str]) -> list[Trial]:
    return one_life(CTRL_C, arena, targets)


def kill_workers(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Kill two processes of a check that is spread over processes, at random; it goes on by itself."""
    subject, hit = arena.subject(before="self_test"), 0

    def act(process: "subprocess.Popen[str]") -> None:
        nonlocal hit
        for _ in range(2):
            while process.poll() is None and not (workers := _workers(process.pid)):
                time.sleep(0.1)
            time.sleep(arena.draw.uniform(0, 20))
            if process.poll() is None and (workers := _workers(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(arena.draw.choice(workers), signal.SIGKILL)
                    hit += 1

    seen = subject.disturbed(subject.start("--runner", "processes"), 6, 0.0, act)
    trial = replace(subject.trial(WORKER, seen, (0,)), stage="tune")
    return _judged([trial] * hit, subject.mended())


def _workers(parent: int) -> list[int]:
    """Return the children of a check that compute."""
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes()
            if int(fields[1]) == parent and b"spawn_main" in words:
                children.append(int(folder.name))
    return children


def disk_full(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Check on a disk that is full at once, and has a little more room each time."""
    if os.geteuid() != 0:
        raise Skipped("a disk of its own needs root")
    subject, trials = arena.subject(), []
    room = 40
    with _disk(subject.place.artifacts, room):
        while True:
            seen = subject.watched()
            if seen.code == 0:
                break
            trials.append(subject.trial(FULL, seen, (1, 2)))
            room += arena.draw.randint(30, 200)
            _mount("-o", f"remount,size={room}k", str(subject.place.artifacts))
        return _judged(trials, subject.mended())


@contextmanager
def _disk(folder: Path, room: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(*words: str) -> None:
    try:
        subprocess.run(["mount", *words], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Skipped("this system mounts no disk of its own") from None


def too_large(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Check under a limit on the size of a file that rises each time."""
    subject, trials = arena.subject(), []
    for limit in (500, 4_000, 12_000, 40_000, 100_000):

        def lower(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        process = subject.start(prepare=lower)
        seen = subject.disturbed(process, -1, 0.0, lambda _: None)
        if seen.code == 0:
            break
        trials.append(subject.trial(TOO_LARGE, seen, (1, 2)))
    return _judged(trials, subject.mended())


def sealed(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Check into a folder that cannot be written to, from the start and from some stage on."""
    subject = arena.subject()
    subject.place.artifacts.mkdir()
    with _sealed(subject.place.artifacts):
        trials = [subject.trial(SEALED, subject.watched(), (2,))]
    artifacts = subject.place.artifacts
    for stage in ("validate", "gate", "tune", "explain", "bundle"):
        n_lines = LINES.index(stage)
        seen = subject.disturbed(
            subject.start(), n_lines, 0.0, lambda _: _seal(artifacts, on=True)
        )
        _seal(artifacts, on=False)
        if seen.code == 0:
            break
        trials.append(subject.trial(SEALING, seen, (1, 2)))
    return _judged(trials, subject.mended())


@contextmanager
def _sealed(folder: Path) -> Iterator[None]:
    _seal(folder, on=True)
    try:
        yield
    finally:
        _seal(folder, on=False)


def _seal(folder: Path, *, on: bool) -> None:
    """Forbid to write into a folder and those below; root is not kept out by modes, but by a flag."""
    if os.geteuid() == 0:
        change = ["chattr", "+i" if on else "-i"]
        folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        done = subprocess.run([*change, *map(str, folders)], capture_output=True)
        if done.returncode != 0 and on and not any(folder.iterdir()):
            raise Skipped("this file system forbids root nothing")
        return
    for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        path.chmod(0o555 if on else 0o755)


def damage(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Flip, cut, empty, remove and blank files of every kind, and check again."""
    trials = []
    for kind, pattern in _KIND.items():
        subject = arena.subject(finished=True)
        artifacts = subject.place.artifacts
        files = sorted(path for path in artifacts.glob(pattern) if path.is_file())
        chosen = arena.draw.sample(files, min(len(files), 5))
        for path, harm in zip(chosen, _HARMS, strict=False):
            harm(path)
        if not pattern.startswith("runs"):
            for run in artifacts.glob("runs/*/manifest.json"):
                run.unlink()  # else the finished run answers, and nothing of it is looked at
        subject.n_done = 0  # what is damaged is computed again
        after = subject.mended()
        trials += [Trial(f"{DAMAGE}: {kind}", "", 0, "") for _ in chosen[1:]]
        trials.append(Trial(f"{DAMAGE}: {kind}", "", 0, "", after))
    return trials


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes()) or bytearray(b"\0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _blank(path: Path) -> None:
    """Leave a file its length and nothing else, as some file systems do after a power cut."""
    path.write_bytes(bytes(path.stat().st_size))


_HARMS: tuple[Callable[[Path], None], ...] = (_flip, _cut, _empty, Path.unlink, _blank)


def no_server(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Check against an address at which nothing listens."""
    subject = arena.subject()
    subject.environment = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    trial = subject.trial(GONE, subject.watched(), (1,))
    subject.environment = {}
    return _judged([trial], subject.mended())


def server_stopped(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Stop the server a check reports to, at the beginning of some stage."""
    stage = arena.draw.choice(["validate", "tune", "explain", "bundle"])
    subject = arena.subject(before=stage)
    home = arena.folder / "home"
    home.mkdir(parents=True)
    with prefect_running(home) as address:
        subject.environment = {"PREFECT_API_URL": address}
        process = subject.start()
        pid = _listener(address)
        seen = subject.disturbed(
            process,
            LINES.index(stage),
            arena.draw.uniform(0, 1),
            lambda _: os.kill(pid, signal.SIGKILL),
        )
    subject.environment = {}
    trial = replace(subject.trial(STOPPED, seen, (0, 1)), stage=stage)
    return _judged([trial], subject.mended())


def database_locked(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Keep the database of the server locked for half a minute in mid-run."""
    stage = arena.draw.choice(["validate", "tune", "explain", "bundle"])
    subject = arena.subject(before=stage)
    home = arena.folder / "home"
    home.mkdir(parents=True)

    def act(_: "subprocess.Popen[str]") -> None:
        connection = sqlite3.connect(home / "prefect.db", timeout=60)
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(30)
        connection.rollback()
        connection.close()

    with prefect_running(home) as address:
        subject.environment = {"PREFECT_API_URL": address}
        seen = subject.disturbed(subject.start(), LINES.index(stage), 0.0, act)
    subject.environment = {}
    trial = replace(subject.trial(LOCKED, seen, (0, 1)), stage=stage)
    return _judged([trial], subject.mended())


def _listener(address: str) -> int:
    """Return the process that serves an address."""
    port = address.rsplit(":", 1)[1].split("/")[0].encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"server" in words and port in words:
                return int(folder.name)
    raise RuntimeError(f"nobody serves {address}")


def clock_back(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Set the clock of a check back by two days at the beginning of some stage."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Skipped("a clock of its own needs a C compiler")
    stage = arena.draw.choice(["validate", "tune", "explain", "bundle"])
    subject = arena.subject(before=stage)
    clock, back = arena.folder / "set_back.so", arena.folder / "back"
    source = Path(__file__).with_name("set_back.c")
    build = [compiler, "-shared", "-fPIC", "-o", str(clock), str(source)]
    subprocess.run(build, check=True)
    subject.environment = {"LD_PRELOAD": str(clock), "SET_BACK": str(back)}
    seen = subject.disturbed(
        subject.start(), LINES.index(stage), 0.0, lambda _: back.touch()
    )
    subject.environment = {}
    trial = replace(subject.trial(CLOCK, seen, (0,)), stage=stage)
    return _judged([trial], subject.mended())


def twice(arena: Arena, _: Sequence[str]) -> list[Trial]:
    """Start two checks of one study at once and kill one of them; the other goes on."""
    subject = arena.subject(before="self_test")
    other = Subject(subject.place, subject.reference)
    killed, going = subject.start(), other.start()
    n_lines = arena.draw.randint(-1, len(LINES) - 1)
    first = other.disturbed(
        killed,
        min(n_lines, 6),
        arena.draw.uniform(0, 5),
        lambda process: _end(process, signal.SIGKILL),
    )
    seen = subject.disturbed(going, -1, 0.0, lambda _: None)
    trial = subject.trial(TWICE, seen, (0,))
    return _judged([replace(trial, stage=first.stage)], subject.mended())


FAULTS: dict[str, Fault] = {
    KILL: kill,
    TERM: terminate,
    CTRL_C: interrupt,
    WORKER: kill_workers,
    FULL: disk_full,
    TOO_LARGE: too_large,
    SEALED: sealed,
    DAMAGE: damage,
    GONE: no_server,
    STOPPED: server_stopped,
    LOCKED: database_locked,
    CLOCK: clock_back,
    TWICE: twice,
}
