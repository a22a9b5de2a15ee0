"""Two runs side by side: what they say, what was declared, what was equal, and on what they ran."""

import json
from typing import Any

import numpy as np
from pydantic import Field

from assay.judge.sentences import figure
from assay.report.folder import Run
from assay.reproduce.differences import (
    first_difference,
    moved_scores,
    predictions_in,
)
from assay.reproduce.receipt import INPUTS, Tier, tier_of
from assay.store.records import Record, Text
from assay.wording import Sentence, as_sentence


class Line(Record):
    """One thing that both runs have, as each has it; None where one has it not."""

    what: str
    one: str | None
    other: str | None

    @property
    def equal(self) -> bool:
        return self.one == self.other


class Comparison(Record):
    """What two runs have in common and what not."""

    one: str = Field(description="Name of the first run's folder.")
    other: str
    same_run: bool = Field(
        description="Whether the two folders hold one run, to its seconds: nothing was done twice."
    )
    verdicts: tuple[Line, ...]
    study: tuple[Line, ...] = Field(description="Only keys whose values differ.")
    digests: tuple[Line, ...] = Field(
        description="All that must be equal in equal runs."
    )
    circumstances: tuple[Line, ...] = Field(
        description="What may differ, where it does; times left out."
    )
    tier: Tier | None = Field(
        description="That the two together reach, as for a rerun; None: none."
    )
    difference: Text = Field(
        description="The first in the order of the stages, of runs of the same inputs."
    )
    largest_difference: dict[str, float] = Field(
        description="Of each model's predictions, where the folds are the same; empty: not comparable."
    )

    @property
    def equal(self) -> bool:
        """Whether every digest that equal runs share is equal."""
        return all(line.equal for line in self.digests)


def compare(first: Run, other: Run) -> Comparison:
    """Compare two opened runs, key by key."""
    same = [run.manifest.same for run in (first, other)]
    ran = [_circumstances(run) for run in (first, other)]
    studies = [
        _flat(run.registration.study.model_dump(mode="json", exclude={"overrides"}))
        for run in (first, other)
    ]
    keys = list(dict.fromkeys([*same[0], *same[1]]))
    same_run = first.manifest == other.manifest
    return Comparison(
        one=first.folder.resolve().name,
        other=other.folder.resolve().name,
        same_run=same_run,
        verdicts=_lines(_answers(first), _answers(other)),
        study=_differing(*studies),
        digests=tuple(
            Line(what=key, one=same[0].get(key), other=same[1].get(key)) for key in keys
        ),
        circumstances=_differing(*ran),
        tier=None if same_run else _tier(first, other),
        difference=as_sentence(_first_difference(first, other)),
        largest_difference=_largest_difference((first, other)),
    )


def _tier(first: Run, other: Run) -> Tier | None:
    plan = first.registration.study.of(first.verdict.plan)
    return tier_of(
        first.manifest,
        other.manifest,
        (first.verdict, other.verdict),
        moved_scores(first.folder, other.folder),
        plan.margin,
    )


def _first_difference(first: Run, other: Run) -> Sentence | str:
    """Return where two runs of the same inputs part; empty where they are equal or of other inputs."""
    same, later = first.manifest.same, other.manifest.same
    if any(same.get(name) != later.get(name) for name in INPUTS):
        return ""
    difference = first_difference(
        (first.folder, first.manifest), (other.folder, other.manifest)
    )
    return "" if difference is None else difference.sentence()


def _lines(first: dict[str, str], other: dict[str, str]) -> tuple[Line, ...]:
    return tuple(
        Line(what=key, one=first.get(key), other=other.get(key))
        for key in dict.fromkeys([*first, *other])
    )


def _differing(first: dict[str, str], other: dict[str, str]) -> tuple[Line, ...]:
    return tuple(line for line in _lines(first, other) if not line.equal)


def _answers(run: Run) -> dict[str, str]:
    """Return what a run's verdict says, each under the word it has in ``verdict.json``."""
    verdict = run.verdict
    claim, deep, signal = verdict.claim, verdict.deep_learning, verdict.signal
    answers = {
        "study": verdict.study,
        "plan": verdict.plan,
        "outcome": verdict.outcome,
        "metric": verdict.metric,
        "signal": signal.answer,
        "claim": claim.answer,
    }
    if signal.score is not None and signal.p_value is not None:
        answers["signal.score"] = f"{signal.score:.3f} (p = {signal.p_value:.2g})"
    if claim.score is not None and claim.interval is not None:
        low, high = (figure(verdict.metric, end) for end in claim.interval)
        answers["claim.score"] = (
            f"{figure(verdict.metric, claim.score)} ({low} – {high})"
        )
    for name, lead in deep.against.items():
        gain, low, high = (
            figure(verdict.metric, value, signed=True)
            for value in (lead.delta, lead.lower, lead.upper)
        )
        answers[f"against.{name}"] = f"{gain} ({low} – {high})"
    if deep.delta is not None:
        answers["margin"] = f"{deep.margin:g}"
    return answers


def _circumstances(run: Run) -> dict[str, str]:
    values = run.manifest.circumstances.model_dump(
        mode="json", exclude={"seconds", "cpu_seconds", "peak_memory_mb"}
    )
    return _flat(values)


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Return nested tables as one, keys joined by dots; a list of tables by what they are about, or by its places.

    Examples
    --------
    >>> _flat({"folds": 5, "drop": [{"column": "x", "reason": "an id"}], "text": ["y"]})
    {'folds': '5', 'drop.x.reason': 'an id', 'text': '["y"]'}
    """
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        value = _by_name(value)
    if isinstance(value, dict):
        flat: dict[str, str] = {}
        for key, inner in value.items():
            flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return flat
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {prefix: text}


def _by_name(items: list[Any]) -> dict[str, Any]:
    """Return a list of tables so that one more or less leaves the others' keys as they are."""
    for key in ("sentinel", "column", "name"):
        names = [item.get(key) if isinstance(item, dict) else None for item in items]
        if all(isinstance(name, str) for name in names) and len({*names}) == len(names):
            return {
                item[key]: {k: v for k, v in item.items() if k != key} or item
                for item in items
            }
    return {str(place): item for place, item in enumerate(items)}


def _largest_difference(runs: tuple[Run, Run]) -> dict[str, float]:
    """Return how far apart the predictions of the same rows are; empty where the rows or folds differ."""
    tables = [predictions_in(run.folder) for run in runs]
    if any(table is None for table in tables):
        return {}
    first, second = (table for table in tables if table is not None)
    places = ["repeat", "row", "fold", "label"]
    if list(first.columns) != list(second.columns) or not first[places].equals(
        second[places]
    ):
        return {}
    largest: dict[str, float] = {}
    for column in first.columns.difference(places, sort=False):
        apart = np.abs(first[column].to_numpy() - second[column].to_numpy())
        name = str(column).partition(":")[0]
        largest[name] = max(largest.get(name, 0.0), float(apart.max()))
    return largest
