"""A small study that is disturbed while it is checked, and what must hold once it is checked again."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.wording import Sentence
from bench.program import PROGRAM, STORED, same_digests
from tests.flow_runs import Workplace, make

# The lines of an undisturbed check of the small study, in their order.
LINES = (
    *("ingest", "validate", "clean", "split", "audit", "gate", "self_test"),
    *("tune",) * 6,
    *("final", "judge", "weigh", "explain", "explain", "bundle"),
)
STAGES = ("start", *dict.fromkeys(LINES), "publish")
_ENDED = str(
    Sentence("cli.lost")
)  # what a process that was ended says, by its listener
PATIENCE_S = 900.0  # a check that takes longer hangs


@dataclass(frozen=True)
class Seen:
    """How a check ended, the lines on stderr with the seconds at which they came, and how long it took."""

    code: int
    lines: tuple[str, ...]
    at_s: tuple[float, ...]
    seconds: float

    @property
    def finished(self) -> list[str]:
        """Return the lines that say that a stage has ended."""
        return [line for line in self.lines if line.split(" ")[0] in LINES]

    @property
    def said(self) -> list[str]:
        """Return the lines that are no progress."""
        return [
            line
            for line in self.lines
            if line not in self.finished and not line.startswith(("plan a", "plan b"))
        ]

    @property
    def stage(self) -> str:
        """Return the stage that was at work when the check ended."""
        if not any(line.startswith("plan a") for line in self.lines):
            return "start"
        n = len(self.finished)
        return LINES[n] if n < len(LINES) else "publish"


@dataclass(frozen=True)
class Trial:
    """One disturbance: what it hit, how the check took it, and what was wrong after it."""

    fault: str
    stage: str
    code: int
    said: str
    problems: tuple[str, ...] = ()


@dataclass
class Subject:
    """A workplace whose check is disturbed again and again."""

    place: Workplace
    reference: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    n_done: int = 0  # stages that have told of their end, in the order of LINES

    def start(
        self, *options: str, prepare: Callable[[], None] | None = None
    ) -> "subprocess.Popen[str]":
        """Start a check in a process group of its own."""
        place = self.place
        scratch = place.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        command = [sys.executable, str(PROGRAM), "check", str(place.study)]
        command += ["--data", str(place.folder), "--artifacts", str(place.artifacts)]

        def begin() -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # not if ignored
            if prepare is not None:
                prepare()

        return subprocess.Popen(
            [*command, *(options or ("--runner", "local"))],
            cwd=place.folder,
            env={**os.environ, "TMPDIR": str(scratch), **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=begin,
        )

    def disturbed(
        self,
        process: "subprocess.Popen[str]",
        n_lines: int,
        delay_s: float,
        act: Callable[["subprocess.Popen[str]"], None],
    ) -> Seen:
        """Act on a check ``delay_s`` after ``n_lines`` stages have ended, and see it end; -1: after its start."""
        begun = time.perf_counter()
        lines: list[str] = []
        at_s: list[float] = []
        due = threading.Event()
        if n_lines < 0:
            due.set()

        def read() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                lines.append(line.rstrip("\n"))
                at_s.append(time.perf_counter() - begun)
                if n_lines >= 0 and _n_finished(lines) >= n_lines and _begun(lines):
                    due.set()
            due.set()

        reader = threading.Thread(target=read)
        reader.start()
        due.wait(PATIENCE_S)
        time.sleep(delay_s)
        if process.poll() is None:
            act(process)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            lines.append("It never came to an end.")
        reader.join()
        assert process.stderr is not None
        process.stderr.close()
        return Seen(
            process.wait(), tuple(lines), tuple(at_s), time.perf_counter() - begun
        )

    def watched(self, *options: str) -> Seen:
        """Check without disturbing."""
        return self.disturbed(self.start(*options), -1, 0.0, lambda _: None)

    def trial(self, fault: str, seen: Seen, codes: Sequence[int]) -> Trial:
        """Note what is wrong about a disturbed check itself: its code, its words, what it made again."""
        problems = [*self.lost(seen), *wording(seen)]
        if seen.code not in codes:
            problems.append(f"exit code {seen.code}")
        return Trial(
            fault, seen.stage, seen.code, (seen.said or [""])[-1], tuple(problems)
        )

    def lost(self, seen: Seen) -> list[str]:
        """Return which stages were computed although an earlier check had told of their end."""
        again = [line for line in seen.finished[: self.n_done] if STORED not in line]
        self.n_done = max(self.n_done, len(seen.finished))
        return [f"computed again: {line.split('  ')[0]}" for line in again]

    def mended(self) -> tuple[str, ...]:
        """Check once more, plainly, and return everything that is not as if nothing had happened."""
        seen = self.watched()
        problems = [*self.lost(seen), *wording(seen)]
        if seen.code != 0:
            return (
                *problems,
                f"the plain check ends with {seen.code}: {(seen.said or [''])[-1]}",
            )
        if same_digests(self.place.artifacts) != dict(self.reference):
            problems.append("other digests")
        return (*problems, *left(self.place))


def _begun(lines: Sequence[str]) -> bool:
    return any(line.startswith("plan a") for line in lines)


def _n_finished(lines: Sequence[str]) -> int:
    return sum(line.split(" ")[0] in LINES for line in lines)


def wording(seen: Seen) -> list[str]:
    """Return what is wrong about the words of a check: more than a sentence, or one of another kind."""
    said = [line for line in seen.said if "is running; waiting" not in line and line]
    if any("Traceback" in line for line in said):
        return [f"a traceback: {said[-1]}"]
    killed = seen.code in (-signal.SIGKILL, -signal.SIGTERM)
    if killed:
        said = [line for line in said if line != _ENDED]
    waits = any("does not answer" in line for line in said)
    if len(said) > (0 if (killed or seen.code == 0) and not waits else 1):
        return [f"{len(said)} lines: {said[-1][:200]}"]
    if seen.code in (1, 2, 3, 4, 130) and not said:
        return [f"no word about exit code {seen.code}"]
    return []


def left(place: Workplace) -> list[str]:
    """Return locks that are held and unfinished files that lie about, though nobody is at work."""
    problems = [
        f"lock {path.name} is held"
        for path in place.artifacts.glob("locks/*")
        if path.is_file() and not _free(path)
    ]
    for folder in (place.artifacts / "tmp", place.folder / "scratch"):
        problems += [f"left in {folder.name}: {path.name}" for path in folder.glob("*")]
    return problems


def _free(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@dataclass(frozen=True)
class Reference:
    """One check that nothing disturbed: its folder, its digests, and how long each stage took."""

    place: Workplace
    digests: Mapping[str, str]
    seen: Seen

    def window(self, n_lines: int) -> float:
        """Return how many seconds passed between the end of ``n_lines`` stages and what came next."""
        ends = [0.0, *self._ends(), self.seen.seconds]
        return max(ends[n_lines + 2] - ends[n_lines + 1], 0.05)

    def _ends(self) -> list[float]:
        """Return when the first plan was taken up, and when each stage ended."""
        return [
            at
            for line, at in zip(self.seen.lines, self.seen.at_s, strict=True)
            if line in self.seen.finished or line.startswith("plan a")
        ]

    def subject(
        self, folder: Path, before: str | None = None, finished: bool = False
    ) -> Subject:
        """Return another workplace of the same study, whose stages before ``before`` have ended."""
        shutil.rmtree(folder, ignore_errors=True)
        subject = Subject(make(folder), self.digests)
        if finished:
            shutil.copytree(self.place.artifacts, subject.place.artifacts)
            shutil.rmtree(subject.place.artifacts / "tmp", ignore_errors=True)
            subject.n_done = len(LINES)
        elif before is not None:
            _copy_until(self.place, subject.place, LINES[LINES.index(before) - 1])
            subject.n_done = LINES.index(before)
        return subject


def _copy_until(whole: Workplace, place: Workplace, stage: str) -> None:
    """Copy what was in the store when a stage had ended."""
    source = whole.artifacts
    results = (source / "results" / stage).iterdir()
    last = max(path.stat().st_mtime_ns for path in results)
    for folder in ("objects", "results", "registrations"):
        for path in (source / folder).rglob("*"):
            if path.is_file() and path.stat().st_mtime_ns <= last:
                target = place.artifacts / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)


def undisturbed(folder: Path) -> Reference:
    """Check the small study once, and take it for what every other check must come to."""
    shutil.rmtree(folder, ignore_errors=True)
    subject = Subject(make(folder), {})
    seen = subject.watched()
    if seen.code != 0 or [line.split(" ")[0] for line in seen.finished] != list(LINES):
        raise RuntimeError("The small study does not check:\n" + "\n".join(seen.lines))
    return Reference(subject.place, same_digests(subject.place.artifacts), seen)
