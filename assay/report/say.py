"""The catalogue's sentences as HTML, in one language; texts of studies and records are put into them escaped."""

import re
from typing import Any

from markupsafe import Markup, escape

from assay.store.records import model_name
from assay.wording import Language, Sentence, catalogue, render

_LONGEST = 24  # letters of a word that is not broken


class Say:
    """Sentences in one language: of records, or of the page by their key without ``report.``.

    Examples
    --------
    >>> say = Say("en")
    >>> say("judge.evidence.or_more", bound=0.5)
    Markup('0.5 or more')
    >>> say(Sentence.plain("<b>"))
    Markup('<bdi>&lt;b&gt;</bdi>')
    """

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, text: Sentence | str, /, **values: Any) -> Markup:
        """Return a sentence as HTML; values are escaped unless they are HTML themselves.

        Raises
        ------
        KeyError
            If there is no such sentence, or it has a place that is not filled.
        """
        sentence = self._sentence(text, values)
        if sentence.is_plain:
            return recorded(sentence.values["text"], self.language)
        return Markup(
            render(
                sentence,
                self.language,
                foreign=_foreign,
                ours=lambda template: str(escape(template)),
            )
        )

    def plain(self, text: Sentence | str, /, **values: Any) -> str:
        """Return a sentence as plain text, for a picture; nothing is escaped yet."""
        return render(self._sentence(text, values), self.language)

    def model(self, name: str) -> str:
        """Return a model's name in this language, or as it is."""
        return render(model_name(name), self.language)

    def _sentence(self, text: Sentence | str, values: dict[str, Any]) -> Sentence:
        if isinstance(text, Sentence):
            return text
        key = f"report.{text}"
        return Sentence(key if key in catalogue("en") else text, values)


def own(text: object, lang: str = "") -> Markup:
    """Return a text of a study or a record, kept from turning what stands round it: see ``bdi`` in HTML.

    A text with a word too long for a column may be broken anywhere; others only between words.

    Examples
    --------
    >>> own("<b>"), own("x" * 41, "en")
    (Markup('<bdi>&lt;b&gt;</bdi>'), Markup('<bdi lang="en" class="long">xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</bdi>'))
    """
    is_long = any(len(word) > _LONGEST for word in str(text).split())
    attributes = [f' lang="{lang}"'] * bool(lang) + [' class="long"'] * is_long
    return Markup("<bdi{}>{}</bdi>").format(Markup("".join(attributes)), text)


def recorded(text: object, language: Language) -> Markup:
    """Return a text that stands for itself, marked as English where the page is not and it looks so."""
    return own(text, "" if language == "en" or has_hangul(str(text)) else "en")


def _foreign(text: str) -> str:
    """Return a text among the values as HTML; a short one in ASCII turns nothing round it."""
    if hasattr(text, "__html__"):
        return text
    is_simple = text.isascii() and len(text) <= _LONGEST
    return str(escape(text) if is_simple else own(text))


def has_hangul(text: str) -> bool:
    """Return whether a text has Korean letters.

    Examples
    --------
    >>> has_hangul("라면"), has_hangul("ramen")
    (True, False)
    """
    return re.search(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]", text) is not None
