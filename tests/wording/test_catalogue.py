"""The catalogue: whole in both languages, every sentence used, every sentence that code names there."""

import ast
import re
import string
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, get_args

from pydantic_core.core_schema import ErrorType

import assay.errors
from assay.wording import catalogue
from tests.conftest import ROOT

KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
BEGINNING = re.compile(r"([a-z0-9_]+\.)+[a-z0-9_]*\{")  # of a key that code completes
LETTERS = re.compile(r"[A-Za-z\uac00-\ud7a3]")
HANGUL = re.compile(r"[\uac00-\ud7a3]")
SAME_IN_BOTH = {
    "AUC",
    "AUC {value}",
    "JSON Lines",
    "R²",
    "ROC",
    "SHA-256",
    "{kb:.0f} kB",
}
COMMANDS = "cli.example."  # what a person types is the same in both languages
BARE_PARTICLE = re.compile(r"(?<!\})\}(은|는|이|가|을|를|과|와|으로|로)(?=[\s.,;:)]|$)")
SAY = r'say\("(?P<key>[\w.]+)"(?P<values>(?:,(?:[^()]|\((?:[^()]|\([^()]*\))*\))*)?)\)'
SHORTENED = ("report.", "cards.")  # prefixes that templates leave out
ERRORS = {
    *(name for name, kind in vars(assay.errors).items() if isinstance(kind, type)),
    *("Invalid", "Unfit", "_Broken"),  # whose sentence an error of ours hands on
}


def places(template: str) -> set[tuple[str, str]]:
    """Each place of a template with its format."""
    return {
        (name, form or "")
        for _, name, form, _ in string.Formatter().parse(template)
        if name is not None
    }


def without_places(template: str) -> str:
    return re.sub(r"\{[^}]*\}", "", template)


# Both languages ------------------------------------------------------------------------------------


def test_both_languages_have_every_sentence_with_the_same_places():
    english, korean = catalogue("en"), catalogue("ko")

    assert english.keys() == korean.keys()
    assert [key for key in english if places(english[key]) != places(korean[key])] == []


def test_korean_sentences_are_korean():
    english = [
        key
        for key, text in catalogue("ko").items()
        if LETTERS.search(without_places(text))
        and not HANGUL.search(text)
        and text not in SAME_IN_BOTH
        and key != "report.page.lang"
        and not key.startswith(COMMANDS)
    ]

    assert english == []


def test_english_sentences_have_no_korean():
    assert [key for key, text in catalogue("en").items() if HANGUL.search(text)] == []


def test_a_particle_that_depends_on_a_value_is_left_open():
    """``{name}(은/는)``, never ``{name}은``: which of the two is right shows only when it is filled."""
    wrong = [key for key, text in catalogue("ko").items() if BARE_PARTICLE.search(text)]

    assert wrong == []


# What the code names -------------------------------------------------------------------------------


class Named(NamedTuple):
    """A call that names a sentence, or holds a text in its place."""

    module: str
    line: int
    kind: str
    text: str
    values: frozenset[str] | None  # None: not all are written out


@lru_cache
def trees() -> dict[str, ast.Module]:
    files = [
        file
        for folder in ("assay", "flows", "tasks")
        for file in sorted((ROOT / folder).rglob("*.py"))
    ]
    return {
        file.relative_to(ROOT).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in files
    }


def named() -> Iterator[Named]:
    """Every error, and every sentence, that is made with a literal."""
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            kind, text = _called(node.func), _text(node.args[0])
            if kind and text is not None:
                yield Named(module, node.lineno, kind, _whole(text), _values(node))
    yield from _named_in_templates()


def _named_in_templates() -> Iterator[Named]:
    for file in sorted((ROOT / "assay").rglob("*.jinja")):
        text = file.read_text(encoding="utf-8")
        prefix = "cards." if file.name.startswith("cards.") else "report."
        for call in re.finditer(SAY, text):
            values = frozenset(re.findall(r"(\w+)=", call["values"]))
            yield Named(
                file.name,
                text.count("\n", 0, call.start()),
                "say",
                _whole(call["key"], prefix),
                values,
            )


def _whole(text: str, prefix: str = "report.") -> str:
    """The key that a page or a card has shortened."""
    keys = (f"{prefix}{text}", text)
    return next((key for key in keys if key in catalogue("en")), text)


def _called(func: ast.expr) -> str:
    match func:
        case ast.Name(id="Sentence" | "report"):
            return "sentence"
        case ast.Attribute(value=ast.Name(id="Sentence" | "cls"), attr="of"):
            return "sentence"
        case ast.Name(id="say") | ast.Attribute(value=ast.Name(id="say"), attr="plain"):
            return "say"
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in ERRORS:
            return "error"
    return ""


def _text(node: ast.expr) -> str | None:
    """The text of a literal; of one that is put together a sign that it is."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return f"{text}{{"
        case ast.JoinedStr() | ast.BinOp():
            return "{"
    return None


def _values(call: ast.Call) -> frozenset[str] | None:
    names = {keyword.arg for keyword in call.keywords}
    for given in call.args[1:]:
        match given:
            case ast.Dict(keys=keys) if all(isinstance(k, ast.Constant) for k in keys):
                names |= {key.value for key in keys}
            case _:
                return None
    return None if None in names else frozenset(names)


def test_every_sentence_that_code_names_is_in_the_catalogue():
    unknown = [
        f"{use.module}:{use.line} {use.text}"
        for use in named()
        if KEY.fullmatch(use.text) and use.text not in catalogue("en")
    ]

    assert unknown == []


def test_every_beginning_of_a_key_that_code_completes_is_in_the_catalogue():
    forms = [form for key in catalogue("en") for form in _forms(key)]
    unknown = [
        f"{use.module}:{use.line} {use.text}"
        for use in named()
        if (use.kind == "sentence" or BEGINNING.fullmatch(use.text))
        and use.text.endswith("{")
        and not any(form.startswith(use.text[:-1]) for form in forms)
    ]

    assert unknown == []


def test_every_place_of_a_sentence_is_filled_where_it_is_named():
    unfilled = [
        f"{use.module}:{use.line} {use.text} {sorted(missing)}"
        for use in named()
        if use.values is not None
        and use.text in catalogue("en")
        and (
            missing := {name for name, _ in places(catalogue("en")[use.text])}
            - use.values
        )
    ]

    assert unfilled == []


def test_every_error_names_a_sentence():
    texts = [
        f"{use.module}:{use.line} {use.text}"
        for use in named()
        if use.kind == "error"
        and not KEY.fullmatch(use.text)
        and not BEGINNING.fullmatch(use.text)
    ]

    assert texts == []


# What of it is used --------------------------------------------------------------------------------


def test_every_sentence_is_used():
    """By its key; or by a beginning of it that code or a template completes with a word that stands in one."""
    literals, beginnings = _literals()

    def is_used(form: str) -> bool:
        return form in literals or any(
            form.startswith(begun) and spellings(form.removeprefix(begun)) & literals
            for begun in beginnings
        )

    def spellings(word: str) -> set[str]:
        return {word, word.replace("_", " "), word.replace("_", "-")}

    unused = [key for key in catalogue("en") if not any(map(is_used, _forms(key)))]

    assert unused == []


def _forms(key: str) -> list[str]:
    return [key] + [
        key.removeprefix(prefix) for prefix in SHORTENED if key.startswith(prefix)
    ]


def _literals() -> tuple[set[str], set[str]]:
    """Every literal of code and templates, every kind of pydantic's errors, and every beginning of a key."""
    literals, beginnings = set(get_args(ErrorType)), set()
    for tree in trees().values():
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)):
                    literals.add(text)
                case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                    beginnings.add(text)
    for file in (ROOT / "assay").rglob("*.jinja"):
        text = file.read_text(encoding="utf-8")
        literals.update(re.findall(r'(?<=")[\w .]+(?=")|(?<=\()\d(?=\))', text))
        beginnings.update(re.findall(r'"([^"]*)" ~', text))
    groups = {f"{text}." for text in literals if KEY.fullmatch(text)}
    files = {f"{Path(file).stem}." for file in (ROOT / "assay/wording/en").iterdir()}
    return literals, {b for b in beginnings | groups if "." in b} - files
