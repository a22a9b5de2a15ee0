"""Every sentence that a user can meet, once, in English and in Korean.

A file a package and language holds them (``en/study.toml``, ``ko/study.toml``); a sentence's key is its file's
name and its own, as ``study.unknown_key``. What a record keeps, and what an error carries, is a
:class:`Sentence`: the key and the values, so that it can be told in either language whenever it is shown.
Templates are those of :meth:`str.format`, numbers are formatted there: ``{n_rows:,} rows``. A Korean particle
that depends on the word before it stands as ``{name}(은/는)``.
"""

import locale
import os
import re
import sys
import tomllib
from collections.abc import Mapping
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
    r"(\S)((?:<[^>]*>|['\"’”)\]])*)\((은/는|이/가|을/를|과/와|으로/로)\)"
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


def render(sentence: Sentence | str, language: Language | None = None) -> str:
    """Return a sentence in a language; by default in the one that was chosen with :func:`speak`.

    Raises
    ------
    KeyError
        If there is no such sentence, or a value of it is missing.
    """
    if isinstance(sentence, str):
        return sentence
    chosen = language or _spoken[0]
    values = {name: _shown(value, chosen) for name, value in sentence.values.items()}
    text = catalogue(chosen)[sentence.key].format(**values)
    return particles(text) if chosen == "ko" else text


def _shown(value: Value, language: Language) -> Any:
    match value:
        case Sentence():
            return render(value, language)
        case tuple() | list():
            return ", ".join(str(_shown(item, language)) for item in value)
    return value


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


def _with_particle(found: re.Match[str]) -> str:
    last, closing, pair = found.groups()
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
