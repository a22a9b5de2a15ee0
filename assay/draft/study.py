"""A study drafted as TOML for people: every choice has its reason beside it.

Comments are in the language of whoever drafts. Values are in English whatever the language, and word for word
those of earlier versions: they are part of the study's digest, and with it of the name of its runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assay.draft.column import Role
from assay.draft.roles import picture_in, question_of
from assay.draft.target import Aim
from assay.study.plans import ReadPlan
from assay.study.toml import toml
from assay.wording import Sentence, Value, render

_WIDTH = 110


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
        How the reader is asked to read it.
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


def draft_study(
    facts: Facts, name: str, suite: str, command: str, schema: str = ""
) -> str:
    """Return the study as TOML text.

    Parameters
    ----------
    name
        Of the study and its runs.
    suite
        The expectation suite, as the study names it.
    command
        What checks the study from where it lies.
    schema
        Where an editor finds the JSON Schema of a study; empty to leave that line out.
    """
    parts = [_head(facts, name, command), _plan(facts, suite)]
    read = facts.read.model_dump(exclude_defaults=True)
    if read:
        pairs = (f"{key} = {toml(value)}" for key, value in read.items())
        parts.append("\n".join(["[plan.a.read]", *pairs]))
    clean = "\n".join(_clean(facts))
    if clean:
        parts.append(f"[plan.a.clean]\n{clean}")
    if facts.folds is not None:
        outer, inner = facts.folds
        why = _comment("few_times")
        parts.append(f"[plan.a.split]\n{why}\nfolds = {outer}\ninner_folds = {inner}")
    leaks = [role.column for role in facts.roles if role.word == "leak"]
    if leaks:
        parts.append(_answer_to_confounder(leaks))
    first = f"#:schema {schema}\n" if schema else ""
    return first + "\n\n".join(parts) + "\n"


def _answer_to_confounder(columns: list[str]) -> str:
    """Return, as a comment, the answer to an alarm that may come: only a person can tell whether it is true."""
    accept = {
        "sentinel": "confounder",
        "columns": columns,
        "reason": _value("confounder"),
    }
    named = tuple(map(repr, columns))
    return f"{_comment('confounder', columns=named)}\n# [plan.a.audit]\n# accept = [{toml(accept)}]"


def _head(facts: Facts, name: str, command: str) -> str:
    aim, n = facts.aim, len(facts.roles)
    asked = "question_number" if aim.task == "regression" else "question_class"
    texts = {key: _value(key) for key in ("position", "company", "rationale")}
    texts["question"] = _value(asked, target=aim.column)
    table = facts.source.rsplit("/", 1)[-1]
    return "\n".join(
        [
            _comment("head", table=table, n_rows=facts.n_rows, n_columns=n),
            f"#   {command}",
            "",
            f"name = {toml(name)}",
            *(f"{key} = {toml(value)}" for key, value in texts.items()),
            f"seed = {facts.seed}  {_comment('seed')}",
        ]
    )


def _plan(facts: Facts, suite: str) -> str:
    aim = facts.aim
    lines = [
        "[plan.a]",
        f"claim = {toml(_claim(aim))}",
        _commented(Sentence.of(f"draft.comment.bar_{aim.metric}")),
        f"at_least = {aim.at_least}",
        f"source = {toml(facts.source)}",
        *map(_commented, aim.why),
        f"target = {toml(_target(aim))}",
    ]
    if aim.positive is not None:
        lines.append(f"positive = {toml(aim.positive)}")
    lines += _independence(facts)
    lines += [f"task = {toml(aim.task)}", f"metric = {toml(aim.metric)}"]
    lines += [
        _commented(Sentence.of(f"draft.comment.margin_{aim.metric}")),
        "margin = 0.02",
    ]
    lines += [f"suite = {toml(suite)}"]
    return "\n".join(lines)


def _claim(aim: Aim) -> str:
    claim: dict[str, Value] = {"target": aim.column, "at_least": aim.at_least}
    if aim.task == "regression":
        return _value("claim_number", **claim)
    if aim.task == "multiclass":
        return _value("claim_classes", n=len(aim.classes), **claim)
    other = next(name for name in aim.classes if name != aim.positive)
    return _value("claim_class", positive=str(aim.positive), other=other, **claim)


def _target(aim: Aim) -> str | dict[str, Any]:
    if not aim.kept:
        return aim.column
    return {"column": aim.column, "mapping": {name: name for name in aim.kept}}


def _independence(facts: Facts) -> Iterator[str]:
    """Yield which rows are independent of each other, as far as that is declared."""
    if facts.unit is not None:
        yield _comment("unit")
        yield f"unit = {toml(facts.unit)}"
    elif facts.order is not None:
        yield _comment("order")
        yield f"order = {toml(facts.order)}"
    else:
        yield _comment("independent")


def _clean(facts: Facts) -> Iterator[str]:
    """Yield the columns that are left out, those that are read in a way of their own, and open questions."""
    reasons = [(role.column, role.left_out) for role in facts.roles if role.left_out]
    if reasons:
        yield "drop = ["
        for column, reason in reasons:
            drop = {"column": column, "reason": render(reason, "en")}
            yield f"  {toml(drop)},"
        yield "]"
    for key in ("numbers", "dates", "lists", "text"):
        columns = [_read(role) for role in facts.roles if role.reading == key]
        if key == "numbers" and facts.aim.in_texts:
            how = {"unit": facts.aim.unit} if facts.aim.unit is not None else {}
            columns.append({"column": facts.aim.column} | how)
        if columns:
            yield _comment(key)
            items = [item["column"] if len(item) == 1 else item for item in columns]
            yield f"{key} = [{', '.join(map(toml, items))}]"
    for role in facts.roles:
        question = question_of(role, f"{role.asks} = {toml(role.column)}")
        for note in (role.remark, question):
            if note is not None:
                yield _comment("note", column=role.column, note=note)
    picture = picture_in(facts.roles)
    if picture is not None:
        yield _commented(picture, ".")


def _read(role: Role) -> dict[str, Any]:
    return {"column": role.column} | role.how


def _value(key: str, **values: Value) -> str:
    """Return a text that the study declares: in English, for it is part of the digest."""
    return render(Sentence.of(f"draft.value.{key}", **values), "en")


def _comment(key: str, **values: Value) -> str:
    return _commented(Sentence.of(f"draft.comment.{key}", **values))


def _commented(sentence: Sentence, end: str = "") -> str:
    """Return a sentence as lines of comment."""
    text = f"{sentence}{end}"
    lines, line = [], "#"
    for word in "".join(sign if sign.isprintable() else " " for sign in text).split():
        if len(line) + len(word) >= _WIDTH and line != "#":
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "\n".join([*lines, line])
