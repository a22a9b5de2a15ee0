"""Every study of the project, both plans, as one page: verdicts, scores, baselines, price, what leaks are worth.

    python -m bench.bench_results [--studies A,B] [--results DIR] [--output docs/results.md] [--json]

Plan B is checked by itself too, as if it were a plan A, for a check takes it up only where plan A's gate stops. What
is finished is kept in ``DIR`` (default ``artifacts/results``): the same command goes on from there, and times are
told of checks that went through in one go. Studies whose data is not there are passed over.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from assay.store.places import data_folder
from assay.study.load import load
from assay.study.toml import study_text
from bench.program import ROOT, run_program

STUDIES = (
    *(
        "voice-gender",
        "music-genre",
        "ramen",
        "ramen-by-row",
        "youtube-korea",
        "netflix",
    ),
    *("skin-cancer", "skin-cancer-by-row", "breast-cancer", "digits"),
)
BY_ROW = "-by-row"
Row = dict[str, Any]  # study, plan, run, verdict, rows, wall_s, cpu_s, peak_gb


# Running ---------------------------------------------------------------------------------------


def check(study: Path, plan: str, results: Path) -> Row:
    """Check a study and return what came of it, with its costs where it went through in one go."""
    command = ["check", str(study), "--json", "--artifacts", str(results / "artifacts")]
    run = run_program(command)
    if run.code:
        sys.exit(f"{study.stem}: {run.err.splitlines()[-1]}")
    folder = next(
        ROOT / line.split("/report.html")[0].strip()
        for line in run.out.splitlines()
        if "/report.html" in line
    )
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    dear = ("gate", "self_test", "tune", "final")
    whole = bool(run.stage_seconds(*dear)) and not any(map(run.stored, dear))
    return {
        "study": study.stem.removesuffix("-b") if plan == "b" else study.stem,
        "plan": plan,
        "verdict": run.verdict,
        "wall_s": run.wall_s if whole else None,
        "cpu_s": run.cpu_s if whole else None,
        "peak_gb": manifest["circumstances"]["peak_memory_mb"] / 1e3,
    }


def plan_b_alone(study: Path, results: Path) -> Path | None:
    """Write plan B as a study of its own; None where there is none."""
    declared = load(study)
    if declared.plan.b is None:
        return None
    alone = declared.model_copy(
        update={
            "name": f"{declared.name}-b",
            "plan": declared.plan.model_copy(update={"a": declared.plan.b, "b": None}),
        }
    )
    path = results / f"{alone.name}.toml"
    path.write_text(study_text(alone), encoding="utf-8")
    return path


def rows(
    names: Sequence[str], results: Path, *, finished: bool = False
) -> Iterator[Row]:
    """Check what is not yet in ``DIR/rows.jsonl``, or pass it over if only what is ``finished`` is asked for."""
    kept = results / "rows.jsonl"
    finished_rows = [json.loads(line) for line in _lines(kept)]
    for name in names:
        study = ROOT / "hypotheses" / f"{name}.toml"
        sources = (load(study).of(plan).source for plan in load(study).plans())
        if not all(_is_there(source) for source in sources):
            print(f"{name}: passed over, its data is not there", file=sys.stderr)
            continue
        both = {"a": study}
        if not name.endswith(BY_ROW) and (alone := plan_b_alone(study, results)):
            both["b"] = alone
        for plan, path in both.items():
            matching = [
                entry
                for entry in finished_rows
                if (entry["study"], entry["plan"]) == (name, plan)
            ]
            if finished and not matching:
                print(f"{name} {plan}: passed over, not checked yet", file=sys.stderr)
                continue
            row = matching[-1] if matching else check(path, plan, results)
            if not matching:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(f"{name} {plan}: {row['verdict']['outcome']}", file=sys.stderr)
            yield row


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _is_there(source: str) -> bool:
    return source.startswith("builtin:") or (data_folder() / source).is_file()


# Telling ---------------------------------------------------------------------------------------


def page(table: Sequence[Row], command: str, remark: str = "") -> str:
    """Return the page as Markdown."""
    parts = [
        f"# Results\n\nEvery study of `hypotheses/`, plan A as declared and plan B by itself. Written by\n\n    {command}\n",
        _table(table),
        *([f"{remark}\n"] if remark else []),
        *_absent(table),
        *_leaks(table),
        *_published({row["study"] for row in table}),
        "## In words\n",
        *map(_words, table),
    ]
    return "\n".join(parts)


def _absent(table: Sequence[Row]) -> Iterator[str]:
    there = {(row["study"], row["plan"]) for row in table}
    plans = [
        (name, plan)
        for name in STUDIES
        for plan in ("a" if name.endswith(BY_ROW) else "ab")
    ]
    missing = [
        f"{n} (plan {plan.upper()})" for n, plan in plans if (n, plan) not in there
    ]
    if missing:
        yield f"Not on this page, because they were not checked for it: {', '.join(missing)}.\n"


def _table(table: Sequence[Row]) -> str:
    head = (
        "| study | plan | verdict | metric | net (95 %) | claim | simple model it is judged by | gain of the net | seconds a fold, net "
        "and it | wall s | CPU s | GB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | ---: | ---: | ---: |\n"
    )
    return head + "".join(map(_line, table))


def _line(row: Row) -> str:
    verdict = row["verdict"]
    claim, deep = verdict["claim"], verdict["deep_learning"]
    bound = (
        claim["at_least"] if claim.get("at_least") is not None else claim.get("at_most")
    )
    against = deep["against"]
    best = next(
        (name for name in against if against[name]["delta"] == deep["delta"]), None
    )
    first = deep["against"].get(best, {})
    score = gain = seconds = "–"
    if claim["score"] is not None:
        low, high = claim["interval"]
        score = f"{claim['score']:.4f} ({low:.4f} to {high:.4f})"
    if best is not None:
        gain = f"{first['delta']:+.4f} ({first['lower']:+.4f} to {first['upper']:+.4f})"
        seconds = (
            f"{deep['seconds'].get('net', 0):.1f}, {deep['seconds'].get(best, 0):.1f}"
        )
    simple = f"{best} {first['baseline_score']:.4f}" if best else "–"
    cells = [
        row["study"],
        row["plan"].upper(),
        f"`{verdict['outcome']}`",
        verdict["metric"],
        score,
        f"{bound:g}: {claim['answer']}",
        simple,
        gain,
        seconds,
        *(
            "–" if row[key] is None else f"{row[key]:.0f}"
            for key in ("wall_s", "cpu_s")
        ),
        f"{row['peak_gb']:.1f}",
    ]
    return "| " + " | ".join(cells) + " |\n"


def _leaks(table: Sequence[Row]) -> Iterator[str]:
    """Yield what a split by row adds to the scores of a study whose rows belong together."""
    scores = {
        row["study"]: row["verdict"]["claim"]["score"]
        for row in table
        if row["plan"] == "a"
    }
    pairs = [
        (name.removesuffix(BY_ROW), name)
        for name in scores
        if name.endswith(BY_ROW) and name.removesuffix(BY_ROW) in scores
    ]
    if not pairs:
        return
    yield "## What the leak is worth\n"
    yield "The same study twice: folds that keep units whole, and folds of single rows.\n"
    yield "| study | by unit | by row | difference |\n| --- | ---: | ---: | ---: |"
    for whole, by_row in pairs:
        first, second = scores[whole], scores[by_row]
        if first is None or second is None:
            yield f"| {whole} | {first or '–'} | {second or '–'} | – |"
        else:
            yield f"| {whole} | {first:.4f} | {second:.4f} | {second - first:+.4f} |"
    yield ""


def _published(studies: set[str]) -> Iterator[str]:
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    figures = [
        figure for figure in tomllib.loads(text)["figure"] if figure["study"] in studies
    ]
    if figures:
        yield "## Published by others\n"
        yield "| study | figures | where | what differs |\n| --- | --- | --- | --- |"
        for figure in figures:
            yield f"| {figure['study']} | {figure['what']} | {figure['where']} | {figure['differs']} |"
        yield ""


def _words(row: Row) -> str:
    verdict = row["verdict"]
    answered = [flag for flag in verdict["flags"] if flag.get("accepted")]
    reason = verdict["reason"]
    text = reason if isinstance(reason, str) else reason["text"]
    paragraph = f"**{row['study']}, plan {row['plan'].upper()}.** {text}"
    if answered:
        names = ", ".join(flag["sentinel"] for flag in answered)
        paragraph += f" Alarms answered in the study: {names}."
    return paragraph + "\n"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bench_results")
    parser.add_argument("--studies", default=",".join(STUDIES))
    parser.add_argument("--results", type=Path, default=ROOT / "artifacts" / "results")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--remark", default="", help="a sentence below the table")
    parser.add_argument(
        "--finished", action="store_true", help="only what DIR holds; check nothing"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    asked.results.mkdir(parents=True, exist_ok=True)
    names = asked.studies.split(",")
    checked = list(rows(names, asked.results, finished=asked.finished))
    command = "python -m bench.bench_results"
    if asked.studies != ",".join(STUDIES):
        command += f" --studies {asked.studies}"
    text = page(checked, command, asked.remark)
    if asked.output:
        asked.output.write_text(text, encoding="utf-8")
    print(json.dumps(checked) if asked.json else text)


if __name__ == "__main__":
    main(sys.argv[1:])
