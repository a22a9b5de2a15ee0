"""A study drafted as TOML for people: every choice has its reason beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assay.draft.column import Role
from assay.draft.roles import picture_in, question_of
from assay.draft.target import Aim
from assay.study.plans import ReadPlan
from assay.study.toml import toml

_WIDTH = 110
_BAR = {
    "auc": (
        "The smallest AUC worth finding. Of two rows, one of each class, it says how often the right one scores "
        "higher: 0.5 is guessing, and under 0.6 a signal is seldom of use. Write what your decision needs instead, "
        "before you check: a bar that is set after the score was seen proves nothing.",
        "What deep learning must gain over simpler models to earn its cost: 0.02 are two such pairs in a hundred.",
    ),
    "r2": (
        "The smallest R² worth finding: the share of the target's variance that is foretold. 0 is guessing the mean; "
        "under 0.1 predictions hardly differ from it. Write what your decision needs instead, before you check: a bar "
        "that is set after the score was seen proves nothing.",
        "What deep learning must gain over simpler models to earn its cost: 0.02 is two hundredths of the variance.",
    ),
}


@dataclass(frozen=True)
class Facts:
    """What a study is drafted from.

    Attributes
    ----------
    source
        The table, as the study names it.
    seed
        Made from the table's digest.
    read
        What the reader was told.
    folds
        Outer and inner folds, where the usual ones are too many.
    """

    source: str
    n_rows: int
    seed: int
    aim: Aim
    roles: tuple[Role, ...]
    unit: str | None
    order: str | None
    read: ReadPlan
    folds: tuple[int, int] | None = None


def draft_study(facts: Facts, name: str, suite: str, command: str) -> str:
    """Return the study as TOML text.

    Parameters
    ----------
    name
        Of the study and its runs.
    suite
        The expectation suite, as the study names it.
    command
        What checks the study from where it lies.
    """
    parts = [_head(facts, name, command), _plan(facts, suite)]
    told = facts.read.model_dump(exclude_defaults=True)
    if told:
        pairs = (f"{key} = {toml(value)}" for key, value in told.items())
        parts.append("\n".join(["[plan.a.read]", *pairs]))
    clean = "\n".join(_clean(facts))
    if clean:
        parts.append(f"[plan.a.clean]\n{clean}")
    if facts.folds is not None:
        outer, inner = facts.folds
        why = _comment("The rows are in too few different times for more blocks.")
        parts.append(f"[plan.a.split]\n{why}\nfolds = {outer}\ninner_folds = {inner}")
    telling = [role.column for role in facts.roles if role.word == "tells the target"]
    if telling:
        parts.append(_answer_to_confounder(telling))
    return "\n\n".join(parts) + "\n"


def _answer_to_confounder(columns: list[str]) -> str:
    """Return the answer to an alarm that may come, as comment: whether it is true only a person knows."""
    named = " and ".join(f"'{column}'" for column in columns)
    said = (
        f"Left out, {named} may still be asked about: a column that goes with the target can be the target in other "
        f"words, or say where a row came from, whose traces the others carry. If it is the first, uncomment:"
    )
    accept = {
        "sentinel": "confounder",
        "columns": columns,
        "reason": "it is the target in other words",
    }
    return f"{_comment(said)}\n# [plan.a.audit]\n# accept = [{toml(accept)}]"


def _head(facts: Facts, name: str, command: str) -> str:
    aim, n = facts.aim, len(facts.roles)
    asked = (
        f"How well can '{aim.column}' be foretold"
        if aim.task == "regression"
        else f"Can '{aim.column}' be told"
    )
    texts = {
        "position": "Not stated: this study was drafted from its table. Say which position it is meant for.",
        "company": "Not stated: say which company would use the answer.",
        "rationale": "Not stated: say why the answer matters, and what would be done differently if it were no.",
        "question": f"{asked} from the other columns, and does a network earn its cost?",
    }
    table = facts.source.rsplit("/", 1)[-1]
    return "\n".join(
        [
            _comment(
                f"Drafted from {table}: {facts.n_rows:,} rows, {n:,} columns. It can be checked as it is; what it "
                f"takes for granted stands in these comments. Edit it, the texts first. To check it:"
            ),
            f"#   {command}",
            "",
            f"name = {toml(name)}",
            *(f"{key} = {toml(value)}" for key, value in texts.items()),
            f"seed = {facts.seed}  # from the digest of the table",
        ]
    )


def _plan(facts: Facts, suite: str) -> str:
    aim = facts.aim
    bar, margin = _BAR[aim.metric]
    lines = [
        "[plan.a]",
        f"claim = {toml(_claim(aim))}",
        _comment(bar),
        f"at_least = {aim.at_least}",
        f"source = {toml(facts.source)}",
        *map(_comment, aim.why),
        f"target = {toml(_target(aim))}",
    ]
    if aim.positive is not None:
        lines.append(f"positive = {toml(aim.positive)}")
    lines += _independence(facts)
    lines += [f"task = {toml(aim.task)}", f"metric = {toml(aim.metric)}"]
    lines += [_comment(margin), "margin = 0.02", f"suite = {toml(suite)}"]
    return "\n".join(lines)


def _claim(aim: Aim) -> str:
    if aim.task == "regression":
        return f"'{aim.column}' is foretold with an R² of at least {aim.at_least}"
    if aim.task == "binary":
        other = next(name for name in aim.classes if name != aim.positive)
        return f"'{aim.positive}' is told from '{other}' in '{aim.column}' with an AUC of at least {aim.at_least}"
    return (
        f"The {len(aim.classes)} classes of '{aim.column}' are told apart with a macro one-vs-rest AUC of at least "
        f"{aim.at_least}"
    )


def _target(aim: Aim) -> str | dict[str, Any]:
    if not aim.kept:
        return aim.column
    return {"column": aim.column, "mapping": {name: name for name in aim.kept}}


def _independence(facts: Facts) -> Iterator[str]:
    """Yield what says which rows are independent of each other, and what might."""
    if facts.unit is not None:
        yield _comment(
            "Rows of one unit stay together: no fold learns from a unit it is scored on."
        )
        yield f"unit = {toml(facts.unit)}"
    elif facts.order is not None:
        yield _comment(
            "Rows are in time: models learn from earlier rows and are scored on later ones."
        )
        yield f"order = {toml(facts.order)}"
    else:
        yield _comment(
            "Every row is taken to be independent of the others. If rows belong together, as those of a person do, "
            "name the column that says so: unit = '...'. If new rows will be later ones: order = '...'."
        )


def _clean(facts: Facts) -> Iterator[str]:
    """Yield the columns that are left out, those that are read in a way of their own, and open questions."""
    out = [role for role in facts.roles if role.left_out]
    if out:
        yield "drop = ["
        for role in out:
            yield f"  {toml({'column': role.column, 'reason': role.left_out})},"
        yield "]"
    for key, why in (
        (
            "numbers",
            "Texts that hold numbers; of several units the one named counts, the others are missing.",
        ),
        (
            "dates",
            "Dates, which become elapsed days and places in the year, the week and the day.",
        ),
        ("lists", "Several values in a cell; the commonest get an input each."),
        ("text", "Texts, read by the pieces of their words."),
    ):
        columns = [_read(role) for role in facts.roles if role.reading == key]
        if key == "numbers" and facts.aim.in_texts:
            how = {"unit": facts.aim.unit} if facts.aim.unit is not None else {}
            columns.append({"column": facts.aim.column} | how)
        if columns:
            yield _comment(why)
            named = [one["column"] if len(one) == 1 else one for one in columns]
            yield f"{key} = [{', '.join(map(toml, named))}]"
    for role in facts.roles:
        question = question_of(role, f"write {role.asks} = {toml(role.column)}")
        for said in filter(None, (role.remark, question)):
            yield _comment(f"{role.column}: {said}.")
    if picture_in(facts.roles):
        yield _comment(f"{picture_in(facts.roles)}.")


def _read(role: Role) -> dict[str, Any]:
    return {"column": role.column} | role.how


def _comment(text: str) -> str:
    """Return a text as lines of comment."""
    lines, line = [], "#"
    for word in "".join(sign if sign.isprintable() else " " for sign in text).split():
        if len(line) + len(word) >= _WIDTH and line != "#":
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "\n".join([*lines, line])
