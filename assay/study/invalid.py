"""Why a declaration is refused: a rule of ours that it breaks, or a bound of its key."""

from typing import Any

from assay.wording import Sentence, Value, catalogue, render


class Invalid(ValueError):
    """A declaration that breaks a rule. Validators raise it, and pydantic hands it on as the cause."""

    def __init__(self, key: str, /, **values: Value) -> None:
        super().__init__(key)
        self.sentence = Sentence.of(key, **values)

    def __str__(self) -> str:
        return render(self.sentence)


def reason_of(problem: Any) -> Sentence:
    """Return what one of pydantic's problems says of a value: "must be at least 2", or the rule it breaks.

    A problem that the catalogue has no sentence for is told in pydantic's words.
    """
    values = problem.get("ctx", {})
    cause = values.get("error")
    if isinstance(cause, Invalid):
        return cause.sentence
    key = f"study.must.{problem['type']}"
    if key in catalogue("en"):
        plain = {k: v for k, v in values.items() if isinstance(v, str | int | float)}
        return Sentence.of(key, **plain)
    text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return Sentence.plain(text)
