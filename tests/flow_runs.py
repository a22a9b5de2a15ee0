"""Whole runs in processes of their own, on a small study: what the flow tests share."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from assay.request import Request
from bench.program import PLAIN, Run, run_program, same_digests

if TYPE_CHECKING:
    from assay.pipeline import Finished

STUDY = """
position = "Tester"
company = "A company that tests"
rationale = "Small enough to be run many times, large enough for every stage."
question = "Does a sum of two columns tell the classes apart?"
seed = 5

[plan.a]
claim = "The classes are told apart with an AUC of at least 0.6"
at_least = 0.6
source = "table.csv"
target = "{target}"
task = "binary"
suite = "table.json"
split = {{ folds = 3, repeats = 2, inner_folds = 3 }}
gate = {{ permutations = 60, steps = 40, hidden = 8 }}
tune = {{ trials = 2, seeds = 2, epochs = 4, patience = 2, net = {{ depth = [1], width = [16] }} }}
"""
PLAN_B = """
[plan.b]
claim = "Another label of the same table is told apart with an AUC of at least 0.6"
at_least = 0.6
source = "table.csv"
target = "{target}"
task = "binary"
suite = "table.json"
clean = {{ drop = [{{ column = "{other}", reason = "the other plan's label" }}] }}
split = {{ folds = 3, repeats = 2, inner_folds = 3 }}
gate = {{ permutations = 130, steps = 40, hidden = 8 }}
tune = {{ trials = 2, seeds = 2, epochs = 4, patience = 2, net = {{ depth = [1], width = [16] }} }}
"""
SUITE = {
    "name": "table",
    "expectations": [
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 200},
            "meta": {"id": "rows", "why": "fewer rows cannot be compared"},
        },
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "x1", "min_value": -100, "max_value": 100},
            "meta": {
                "id": "x1-range",
                "why": "a reading beyond 100 is a broken sensor",
            },
        },
    ],
}


@dataclass(frozen=True)
class Workplace:
    """A folder with a study, its table and suite, and an artifacts folder."""

    folder: Path

    @property
    def study(self) -> Path:
        return self.folder / "small.toml"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def check(self, *overrides: str, **options: Any) -> "Finished":
        """Check the study in this process, by the plain pipeline."""
        from assay.pipeline import check

        return check(
            Request(
                self.study,
                overrides,
                self.folder,
                self.artifacts,
                runner="local",
                **options,
            )
        )

    def run(
        self,
        *options: str,
        until: Callable[[str], bool] | None = None,
        program: Sequence[str] = PLAIN,
    ) -> Run:
        """Check the study in a process; kill -9 as soon as a line on stderr satisfies ``until``."""
        command = ["check", str(self.study), "--json", "--data", str(self.folder)]
        command += ["--artifacts", str(self.artifacts), *options]
        return run_program(command, self.folder, until, program)

    def same(self) -> dict[str, str]:
        """Return the digests of the one finished run."""
        return same_digests(self.artifacts)


def make(folder: Path, target: str = "label", plan_b: bool = False) -> Workplace:
    """Write a study on 240 rows: ``label`` follows x1 + x2, ``noise`` follows nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(3)
    x = generator.normal(size=(240, 4)).round(6)
    chance = 1 / (1 + np.exp(-2 * (x[:, 0] + x[:, 1])))
    table = pd.DataFrame(x, columns=["x1", "x2", "x3", "x4"])
    table["label"] = np.where(generator.random(240) < chance, "yes", "no")
    table["noise"] = generator.permutation(np.repeat(["yes", "no"], 120))
    other = "noise" if target == "label" else "label"
    if not plan_b:
        table = table.drop(columns=other)
    table.to_csv(folder / "table.csv", index=False)
    (folder / "table.json").write_text(json.dumps(SUITE), encoding="utf-8")
    text = STUDY.format(target=target)
    if plan_b:
        text += f'\n[plan.a.clean]\ndrop = [{{ column = "{other}", reason = "the other plan\'s label" }}]\n'
        text += PLAN_B.format(target=other, other=target)
    workplace = Workplace(folder)
    workplace.study.write_text(text, encoding="utf-8")
    return workplace


@contextmanager
def prefect_running(home: Path) -> Iterator[str]:
    """Keep a Prefect server of its own for as long as the block lasts; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/api"
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"{address}/health", process)
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the server answers; give up only when it has ended."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"the Prefect server ended with {process.returncode}")
