"""The fixed words of a page, one file a language; texts of studies and records are put into them escaped."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from markupsafe import Markup, escape

from assay.errors import StudyError

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@lru_cache
def wording(language: Language) -> dict[str, str]:
    """Return every sentence of a language under its key, ``section.name``."""
    path = Path(__file__).with_name(f"wording.{language}.toml")
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        f"{section}.{name}": text
        for section, table in tables.items()
        for name, text in table.items()
    }


class Say:
    """Sentences in one language.

    Examples
    --------
    >>> Say("en")("verdict.or_more", bound="<b>")
    Markup('&lt;b&gt; or more')
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        self._sentences = wording(language)

    def __call__(self, key: str, **values: Any) -> Markup:
        """Return a sentence as HTML; values are escaped unless they are HTML themselves.

        Raises
        ------
        KeyError
            If there is no such sentence, or it has a place that is not filled.
        """
        return escape(self._sentences[key]).format(**values)

    def plain(self, key: str, **values: Any) -> str:
        """Return a sentence as plain text, for a picture or an attribute; nothing is escaped yet."""
        return self._sentences[key].format(**values)

    def model(self, name: str) -> str:
        """Return a model's name in this language, or as it is."""
        return self._sentences.get(f"model.{name}", name)


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
