"""Disturb a check in every way a machine does, check again plainly, and see whether anything was lost.

python -m bench.chaos [--kills 200] [--seed 1] [--log FILE] [-o docs/chaos.md] [--only FAULT] [--jobs 1]

What is finished stands in the log, under the digest of the program: the same command goes on from
there. Each disturbance begins at a random moment of a stage; the stages that were hit least come first.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from assay.store.code import program_digest
from bench.disturbed import STAGES, Reference, Trial, undisturbed
from bench.faults import (
    CLOCK,
    CTRL_C,
    FAULTS,
    KILL,
    LOCKED,
    STOPPED,
    TERM,
    TWICE,
    WORKER,
    Arena,
    Skipped,
)
from tests.flow_runs import prefect_running

_TIMES = {
    TERM: 20,
    CTRL_C: 20,
    WORKER: 6,
    CLOCK: 3,
    STOPPED: 3,
    LOCKED: 2,
    TWICE: 5,
}  # at least; of others, what one round gives
_MOST_OF_A_LIFE = 12


class Log:
    """The disturbances so far, a line each."""

    def __init__(self, path: Path) -> None:
        self._path, self._program = path, program_digest()
        self._lock = Lock()

    def add(self, trials: Sequence[Trial], seconds: float) -> None:
        entries = [
            asdict(trial) | {"program": self._program, "seconds": seconds / len(trials)}
            for trial in trials
        ]
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in entries))

    def trials(self) -> list[Trial]:
        """Return what this very program was put to."""
        if not self._path.is_file():
            return []
        lines = self._path.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        return [_trial(entry) for entry in entries if entry["program"] == self._program]


def _trial(entry: dict[str, Any]) -> Trial:
    named = {name: entry[name] for name in ("fault", "stage", "code", "said")}
    return Trial(**named, problems=tuple(entry["problems"]))


def rarest(trials: Sequence[Trial], fault: str, draw: random.Random) -> list[str]:
    """Return the stages that a fault has hit least, in the order a check goes through them."""
    hit = Counter(trial.stage for trial in trials if trial.fault == fault)
    order = sorted(STAGES, key=lambda stage: (hit[stage], draw.random()))
    return sorted(order[:_MOST_OF_A_LIFE], key=STAGES.index)


def wanted(trials: Sequence[Trial], fault: str, kills: int) -> bool:
    """Return whether a fault has not yet happened as often as it should, or has missed a stage."""
    hits = [trial for trial in trials if trial.fault.startswith(fault)]
    times = kills if fault == KILL else _TIMES.get(fault, 1)
    if len(hits) < times:
        return True
    return fault == KILL and not set(STAGES) <= {trial.stage for trial in hits}


def put_to(
    fault: str, reference: Reference, log: Log, kills: int, seed: int, folder: Path
) -> str | None:
    """Disturb until a fault has happened often enough; return why it could not, if it could not."""
    number = 0
    while wanted(trials := log.trials(), fault, kills):
        draw = random.Random(f"{seed} {fault} {folder.name} {len(trials)} {number}")
        arena = Arena(reference, folder / f"{fault.replace(' ', '-')}-{number}", draw)
        begun = time.monotonic()
        try:
            done = FAULTS[fault](arena, rarest(trials, fault, draw))
        except Skipped as reason:
            return str(reason)
        shutil.rmtree(arena.folder, ignore_errors=True)
        _need_server()
        if done:
            log.add(done, time.monotonic() - begun)
            _tell(done)
        number += 1
    return None


def _need_server() -> None:
    """Believe nothing that happened after the server of the disturbances was lost itself."""
    try:
        urllib.request.urlopen(f"{os.environ['PREFECT_API_URL']}/health").close()
    except OSError as error:
        raise RuntimeError(
            "The server that all checks report to is gone. Run again."
        ) from error


def _tell(trials: Sequence[Trial]) -> None:
    for trial in trials:
        wrong = "; ".join(trial.problems) or "nothing lost"
        sys.stderr.write(f"{trial.fault} in {trial.stage or 'the store'}: {wrong}\n")


def page(trials: Sequence[Trial], skipped: dict[str, str], seed: int) -> str:
    """Return the table of what happened, as Markdown."""
    kinds: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        kinds[trial.fault].append(trial)
    lines = [
        "# Chaos",
        "",
        f"Written by `python -m bench.chaos --seed {seed}` (`make chaos`), of program `{program_digest()[:12]}`.",
        "A small study is checked and disturbed, then checked once more, plainly. Something is *lost* if that check",
        "has another digest than an undisturbed one, computes a stage again that had told of its end, leaves a held",
        "lock or an unfinished file, or ends in another exit code than 0, and if any check said more than one sentence.",
        "",
        "| fault | times | stages hit | exit codes | lost |",
        "| --- | ---: | --- | --- | --- |",
    ]
    for fault, of_fault in kinds.items():
        hit = Counter(trial.stage for trial in of_fault if trial.stage)
        where = ", ".join(f"{stage} {hit[stage]}" for stage in STAGES if hit[stage])
        codes = ", ".join(
            str(code) for code in sorted({trial.code for trial in of_fault})
        )
        lost = sum(bool(trial.problems) for trial in of_fault)
        lines.append(
            f"| {fault} | {len(of_fault)} | {where or 'the store'} | {codes} | {lost or 'none'} |"
        )
    lines += [
        f"| {fault} | 0 | | | not tried: {why} |" for fault, why in skipped.items()
    ]
    sentences = sorted(
        {(trial.fault, _plain(trial.said)) for trial in trials if trial.said}
    )
    lines += ["", "What was said:", ""]
    lines += [f"- {fault}: {sentence}" for fault, sentence in sentences]
    return "\n".join(lines) + "\n"


def _plain(sentence: str) -> str:
    """Return a sentence without the path and the port that it happened to name."""
    without_path = re.sub(r"(?<!\S)/\S+?(?=:?(\s|$))", "FILE", sentence)
    return re.sub(r"(?<=127\.0\.0\.1:)\d\d+", "PORT", without_path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--log", type=Path, default=Path("artifacts/chaos.jsonl"))
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--only", action="append", choices=list(FAULTS))
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    asked.log.parent.mkdir(parents=True, exist_ok=True)
    log = Log(asked.log)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        skipped = disturb_all(asked, log, Path(name))
    trials = log.trials()
    text = page(trials, skipped, asked.seed)
    if asked.output is not None:
        asked.output.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    sys.exit(any(trial.problems for trial in trials))


def disturb_all(asked: argparse.Namespace, log: Log, folder: Path) -> dict[str, str]:
    """Go through the faults, the kills in several lives at once; return which could not be, and why."""
    (folder / "home").mkdir()
    with prefect_running(folder / "home") as address:
        os.environ["PREFECT_API_URL"] = address
        reference = undisturbed(folder / "reference")

        def job_of(fault: str, job: int) -> tuple[str, str | None]:
            place = folder / f"job-{job}"
            return fault, put_to(fault, reference, log, asked.kills, asked.seed, place)

        faults = asked.only or list(FAULTS)
        jobs = [(fault, 0) for fault in faults]
        if KILL in faults:
            jobs += [(KILL, job) for job in range(1, asked.jobs)]
        with ThreadPoolExecutor(asked.jobs) as pool:
            reasons = dict(pool.map(lambda job: job_of(*job), jobs))
    return {fault: why for fault, why in reasons.items() if why is not None}


if __name__ == "__main__":
    main()
