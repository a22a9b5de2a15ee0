"""Why a request is not answered: a status and sentences, in the language that the caller asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from fastapi.responses import JSONResponse

from assay.wording import LANGUAGES, Language, Sentence, render, spoken


class Refused(Exception):
    """A request that is not answered.

    Parameters
    ----------
    problems
        What is wrong with single cells, where the sentence only counts them.
    """

    def __init__(
        self,
        status: int,
        sentence: Sentence,
        problems: Sequence[Sentence] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status)
        self.status, self.sentence = status, sentence
        self.problems, self.headers = tuple(problems), dict(headers or {})

    def anew(self) -> Self:
        """Return the same refusal as if it was never raised."""
        return type(self)(self.status, self.sentence, self.problems, self.headers)

    def response(self, language: Language) -> JSONResponse:
        content: dict[str, Any] = {"detail": render(self.sentence, language)}
        if self.problems:
            content["problems"] = [render(one, language) for one in self.problems]
        return JSONResponse(content, self.status, self.headers)


def busy() -> Refused:
    """Return the refusal of a request that may come again a moment later."""
    return Refused(503, Sentence("serve.busy"), headers={"Retry-After": "1"})


def language_of(accepted: str) -> Language:
    """Return the language that a caller likes best, by its ``Accept-Language``; else that of the program.

    Examples
    --------
    >>> language_of("fr, ko-KR;q=0.9, en;q=0.8"), language_of("en;q=0, ko;q=0.1"), language_of("")
    ('ko', 'ko', 'en')
    """
    best: tuple[float, Language] = (0.0, spoken())
    for part in accepted[:1000].split(","):
        tag, _, weight = part.partition(";")
        for language in LANGUAGES:
            if tag.strip().lower().partition("-")[0] == language:
                best = max(best, (_weight(weight), language), key=lambda one: one[0])
    return best[1]


def _weight(text: str) -> float:
    """Return a weight as ``q=0.8`` has it: 1 where there is none, 0 where it is none."""
    name, _, value = text.strip().partition("=")
    if not name:
        return 1.0
    digits = value.replace(".", "", 1)
    plain = name == "q" and digits.isascii() and digits.isdigit() and len(value) <= 5
    return min(1.0, float(value)) if plain else 0.0
