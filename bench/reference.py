"""Three reference runs against the digests that commit b409744 gave: digits, voice-gender, a drafted table with units.

python -m bench.reference [digits] [voice-gender] [units] [--write] [--program flows/main.py]

Digests of study, data, folds, predictions, scores and weights hold for one processor and one lock: where another
processor moves them, run the earlier commit beside this one (--write keeps what the program given comes to).
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from bench.program import PLAIN, run_program, same_digests

KEPT = Path(__file__).with_name("reference.json")
DIGESTS = ("study", "data", "folds", "predictions", "scores", "weights")
RUNS = {
    "digits": ["hypotheses/digits.toml"],
    "voice-gender": ["hypotheses/voice-gender.toml"],
    "units": ["{table}", "--target", "relapse", "--unit", "patient"],
}
BUDGET = ["--set", "plan.a.tune.trials=3", "--set", "plan.a.split.repeats=2"]


def main(arguments: list[str]) -> None:
    names = [name for name in arguments if name in RUNS] or list(RUNS)
    program = PLAIN
    if "--program" in arguments:
        program = (arguments[arguments.index("--program") + 1],)
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    equal = True
    for name in names:
        digests = digests_of(name, program)
        if "--write" in arguments:
            kept[name] = digests
        differing = [key for key in DIGESTS if digests[key] != kept[name][key]]
        equal &= not differing
        print(
            f"{name:14} {'equal' if not differing else 'differs: ' + ', '.join(differing)}"
        )
    if "--write" in arguments:
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if equal else 4)


def digests_of(name: str, program: tuple[str, ...]) -> dict[str, str]:
    """Check a reference study with nothing stored, and return the digests that must be equal."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "visits.csv"
        visits().to_csv(table, index=False)
        words = [word.format(table=table) for word in RUNS[name]]
        words += BUDGET if name == "units" else []
        artifacts = Path(folder) / "artifacts"
        run = run_program(
            ["check", *words, "--artifacts", str(artifacts), "--runner", "local"],
            program=program,
        )
        if run.code:
            raise SystemExit(run.err)
        same = same_digests(artifacts)
    return {key: same[key] for key in DIGESTS}


def visits() -> pd.DataFrame:
    """Return 480 visits of 80 patients: numbers with gaps, a category, and a label that follows some of them."""
    generator = np.random.default_rng(7)
    n, patients = 480, 80
    patient = np.repeat(np.arange(patients), n // patients)
    frailty = generator.normal(size=patients)[patient]
    frame = pd.DataFrame(
        {
            "patient": [f"p{number:03d}" for number in patient],
            "age": generator.integers(20, 90, size=n),
            "marker": (generator.normal(size=n) + 0.3 * frailty).round(4),
            "dose": generator.choice([5, 10, 20], size=n),
            "ward": generator.choice(["north", "south", "east"], size=n),
            "pressure": generator.normal(120, 15, size=n).round(1),
        }
    )
    logit = (
        1.1 * frame["marker"]
        + 0.03 * (frame["age"] - 55)
        - 0.06 * (frame["dose"] - 10)
        + 0.5 * (frame["ward"] == "north")
    )
    frame["relapse"] = np.where(
        generator.random(n) < 1 / (1 + np.exp(-logit)), "yes", "no"
    )
    frame.loc[generator.random(n) < 0.05, "pressure"] = np.nan
    return frame.sample(frac=1.0, random_state=1).reset_index(drop=True)


if __name__ == "__main__":
    main(sys.argv[1:])
