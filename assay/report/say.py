"""The fixed words of a page, one file a language; texts of studies and records are put into them escaped."""

import re
from typing import Any

from markupsafe import Markup, escape

from assay.errors import StudyError
from assay.wording import LANGUAGES, Language, catalogue


class Say:
    """Sentences in one language.

    Examples
    --------
    >>> Say("en")("verdict.or_more", bound="<b>")
    Markup('&lt;b&gt; or more')
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        self._sentences = catalogue(language)

    def __call__(self, key: str, **values: Any) -> Markup:
        """Return a sentence as HTML; values are escaped unless they are HTML themselves.

        Raises
        ------
        KeyError
            If there is no such sentence, or it has a place that is not filled.
        """
        return escape(self._sentences[f"report.{key}"]).format(**values)

    def plain(self, key: str, **values: Any) -> str:
        """Return a sentence as plain text, for a picture or an attribute; nothing is escaped yet."""
        return self._sentences[f"report.{key}"].format(**values)

    def model(self, name: str) -> str:
        """Return a model's name in this language, or as it is."""
        return self._sentences.get(f"report.model.{name}", name)


def language_of(name: str) -> Language:
    """Return the language of that name.

    Raises
    ------
    StudyError
        If there is none.
    """
    for language in LANGUAGES:
        if name == language:
            return language
    raise StudyError(f"--lang {name}: a report is written in {' or '.join(LANGUAGES)}.")


def has_hangul(text: str) -> bool:
    """Return whether a text has Korean letters.

    Examples
    --------
    >>> has_hangul("라면"), has_hangul("ramen")
    (True, False)
    """
    return re.search(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]", text) is not None
