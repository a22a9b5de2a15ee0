"""The page about a model that the service shows in a browser: what it predicts, from what, how well; no script."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from assay.predict.categories import ABSENT
from assay.predict.manifest import CARDS, verified
from assay.predict.schema import Column, Form
from assay.report.say import Say
from assay.report.templates import html_template
from assay.serve.description import label
from assay.serve.example import Body, command
from assay.serve.rows import most_rows
from assay.serve.turns import Limits
from assay.wording import LANGUAGES, Language, Sentence, render

_MOST_COLUMNS, _MOST_LEVELS = 200, 12  # that are listed
_MOST_OF_CARD = 256 * 2**10  # characters that are laid out
_QUALITY = Sentence("cards.model.quantitative")  # the section of a card with the scores


def cards_of(bundle: Path) -> dict[Language, str]:
    """Return the model card of a bundle in each language that it has one in."""
    contents = verified(bundle).contents
    texts = {one: contents.get(CARDS[one], b"") for one in LANGUAGES}
    return {one: text.decode(errors="replace") for one, text in texts.items() if text}


def page(
    form: Form,
    example: Body,
    cards: Mapping[Language, str],
    address: str,
    limits: Limits,
    *,
    needs_token: bool,
    language: Language,
) -> bytes:
    """Return the page in a language; the card is in English where the bundle has no other."""
    listed = _listed(form)
    of_card: Language = language if language in cards else "en"
    card = cards.get(of_card, "")[:_MOST_OF_CARD]
    text = html_template("page.served.jinja", Path(__file__).parent).render(
        say=Say(language),
        form=form,
        label=label(form),
        inputs=[_input(form, column) for column in listed],
        n_more=len(form.columns) - len(form.pixels) - len(listed),
        pixels=form.seen.numbers.get("pixels"),
        command=command(example, address, needs_token=needs_token),
        of_card=of_card,
        quality=_laid_out(_section(card, render(_QUALITY, of_card))),
        card=_laid_out(card),
        most_rows=most_rows(form),
        limits=limits,
    )
    return text.encode(errors="replace")


def _listed(form: Form) -> list[Column]:
    """Return the columns that the page lists: the first of them, without those of an image's pixels."""
    pixels = frozenset(form.pixels)
    return [one for one in form.columns if one.name not in pixels][:_MOST_COLUMNS]


def _input(form: Form, column: Column) -> dict[str, Any]:
    """Return what the page says of a column: what a cell holds, and what training saw."""
    levels = form.seen.levels.get(column.name, ())
    values = [level for level in levels if level != ABSENT]
    return {
        "name": column.name,
        "holds": Sentence.of(f"report.served.holds.{column.kind}"),
        "range": form.seen.numbers.get(column.name),
        "levels": values[:_MOST_LEVELS],
        "n_more": len(values) - _MOST_LEVELS,
        "gaps": column.name in form.seen.gaps or ABSENT in levels,
    }


def _section(card: str, title: str) -> str:
    """Return what stands in a card under a title; nothing if it has no such title."""
    _, found, rest = card.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0] if found else ""


@lru_cache(maxsize=8)
def _laid_out(markdown: str) -> Markup:
    """Return Markdown as HTML, in which nothing is loaded and nothing leads elsewhere."""
    plain = MarkdownIt("commonmark", {"html": False}).enable("table")
    plain.disable(["link", "image", "autolink", "reference"])
    return Markup(plain.render(markdown))
