"""The wording catalogue: every sentence that a user can meet, once, in English and in Korean.

Each package has one file per language (``en/study.toml``, ``ko/study.toml``); a key is the file's name and the
sentence's own, as ``study.unknown_key``. Records and errors carry a :class:`Sentence`, a key with its values, which
is rendered in a language only where it is shown. Templates are those of :meth:`str.format` and format the numbers:
``{n_rows:,} rows``. A Korean particle that depends on the word before it is written ``{name}(은/는)``.
"""

import locale
import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Union, get_args

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
Item = Union[str, int, float, "Sentence"]
Value = Union[str, int, float, "Sentence", tuple[Item, ...]]

_KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_PARTICLE = re.compile(
    r"(\S)((?:<[^>]*>|&#3[49];|['\"’”)\]])*)\((은/는|이/가|을/를|과/와|으로/로)\)"
)
_spoken: list[Language] = ["en"]  # of the whole process, its threads too


@dataclass(frozen=True)
class Sentence:
    """A sentence of the catalogue with its values, not yet in any language.

    Examples
    --------
    >>> str(Sentence("text.plain", {"text": "as it is"}))
    'as it is'
    """

    key: str
    values: dict[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return render(self)

    def __bool__(self) -> bool:
        return self.values.get("text") != ""

    def __hash__(self) -> int:
        return hash((self.key, tuple(sorted(self.values))))

    @classmethod
    def of(cls, key: str, /, **values: Value) -> "Sentence":
        """Return a sentence of the catalogue; a text that is no key stands for itself, in any language."""
        return cls(key, values) if _KEY.fullmatch(key) else cls.plain(key)

    @classmethod
    def plain(cls, text: str) -> "Sentence":
        """Return a text that stands for itself in every language."""
        return cls("text.plain", {"text": text})

    @classmethod
    def named(cls, group: str, word: str) -> "Sentence":
        """Return the catalogue's name for a word of a record, as ``records.metric`` for ``auc``, or the word."""
        key = f"{group}.{word}"
        return cls(key) if key in catalogue("en") else cls.plain(word)

    @property
    def is_plain(self) -> bool:
        """Whether it is a text that stands for itself: of a study, a library, or an earlier version."""
        return self.key == "text.plain"


def as_sentence(text: Sentence | str) -> Sentence:
    """Return a text as a sentence that stands for itself, and a sentence as it is."""
    return Sentence.plain(text) if isinstance(text, str) else text


def render(
    sentence: Sentence | str,
    language: Language | None = None,
    *,
    foreign: Callable[[str], str] = str,
    ours: Callable[[str], str] = str,
) -> str:
    """Return a sentence in a language; by default in the one that was chosen with :func:`speak`.

    Parameters
    ----------
    foreign, ours
        What is done to texts among the values, and to our templates, before they are put together: an escape.

    Raises
    ------
    KeyError
        If there is no such sentence, or a value of it is missing.
    """
    if isinstance(sentence, str):
        return sentence
    chosen = language or _spoken[0]

    def shown(value: Value) -> Any:
        match value:
            case Sentence():
                return render(value, chosen, foreign=foreign, ours=ours)
            case tuple() | list():
                return ", ".join(str(shown(item)) for item in value)
            case str():
                return foreign(value)
        return value

    values = {name: shown(value) for name, value in sentence.values.items()}
    text = ours(catalogue(chosen)[sentence.key]).format(**values)
    return particles(text) if chosen == "ko" else text


@lru_cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Return every template of a language under its key."""
    texts: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / language).glob("*.toml")):
        _flatten(path.stem, tomllib.loads(path.read_text(encoding="utf-8")), texts)
    return texts


def _flatten(prefix: str, table: Mapping[str, Any], texts: dict[str, str]) -> None:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, str):
            texts[key] = value
        else:
            _flatten(key, value, texts)


def speak(language: Language) -> None:
    """Choose the language of every sentence that is rendered from here on."""
    _spoken[0] = language


def spoken() -> Language:
    """Return the language that was chosen last."""
    return _spoken[0]


def program() -> str:
    """Return what a person types to call this program."""
    return _called[0]


def called_as(name: str) -> None:
    """Say what a person types to call this program, where it is not what it was started with."""
    _called[0] = name


def _started_as() -> str:
    started = Path(sys.argv[0])
    if started.name == "main.py" and started.parent.name == "flows":
        return "python flows/main.py"
    as_module = started.name == "__main__.py" and started.parent.name == "assay"
    return "python -m assay" if as_module else "assay"


_called = [_started_as()]


def language_of_the_machine() -> Language:
    """Return Korean where ``LC_ALL``, ``LC_MESSAGES``, ``LANG`` or the system's setting says so, else English."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    set_to = next(filter(None, names), None) or locale.getlocale()[0] or ""
    return "ko" if set_to.lower().startswith("ko") else "en"


def particles(text: str) -> str:
    """Choose each Korean particle by the sound that the word before it ends in.

    Examples
    --------
    >>> particles("값(은/는) 3(이/가) 'age'(을/를) 서울(으로/로)")
    "값은 3이 'age'를 서울로"
    """
    return _PARTICLE.sub(_with_particle, text)


def _with_particle(match: re.Match[str]) -> str:
    last, closing, pair = match.groups()
    after_consonant, after_vowel = pair.split("/")
    final = _final(last)
    is_open = not final or (pair == "으로/로" and final == "ㄹ")
    return last + closing + (after_vowel if is_open else after_consonant)


def _final(letter: str) -> str:
    """Return the final consonant of a letter as it is read: ``ㄹ``, any other as ``-``, none as an empty text."""
    if "가" <= letter <= "힣":
        number = (ord(letter) - ord("가")) % 28
        return "" if number == 0 else "ㄹ" if number == 8 else "-"
    if letter.lower() in "178lr":
        return "ㄹ"
    return "-" if letter.lower() in "036mn" else ""
