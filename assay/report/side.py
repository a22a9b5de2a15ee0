"""Two compared runs as sentences and tables, on a terminal and as a page."""

from functools import lru_cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from assay.report.comparison import Comparison, Line
from assay.report.say import Say, own
from assay.wording import Language


def sentences(found: Comparison, say: Say) -> list[Markup]:
    """Return what came of a comparison in a few sentences."""
    said = []
    if found.same_run:
        said.append(say("compare.same_run"))
    elif found.equal:
        said.append(say("compare.equal", n=len(found.digests)))
    else:
        different = ", ".join(line.what for line in found.digests if not line.equal)
        said.append(say("compare.different", digests=different))
    if found.tier is not None:
        means = say(f"sameness.{found.tier.lower()}")
        said.append(say("compare.tier", tier=found.tier, means=means))
    if found.difference:
        said.append(say("compare.first", difference=say(found.difference)))
    if found.largest_difference:
        apart = ", ".join(
            f"{say.model(name)} {value:.2g}"
            for name, value in found.largest_difference.items()
        )
        said.append(say("compare.apart", apart=apart))
    words = {line.what: line for line in found.verdicts}
    outcome = words["outcome"]
    if outcome.equal:
        said.append(
            say("compare.one_word", outcome=say(f"judge.outcome.{outcome.one}"))
        )
    else:
        said.append(
            say(
                "compare.two_words",
                one=say(f"judge.outcome.{outcome.one}"),
                other=say(f"judge.outcome.{outcome.other}"),
            )
        )
    n = len(found.study)
    keys = {0: say("compare.no_keys"), 1: say("compare.one_key")}
    said.append(keys.get(n) or say("compare.keys", n=n))
    return said


def tables(found: Comparison) -> dict[str, tuple[Line, ...]]:
    """Return the tables of a comparison that have lines, by the name of their heading."""
    every = {
        "verdicts": found.verdicts,
        "study": found.study,
        "digests": found.digests,
        "circumstances": found.circumstances,
    }
    return {name: lines for name, lines in every.items() if lines}


def side_by_side(found: Comparison, language: Language = "en") -> str:
    """Return a comparison as a page: one file, no script, no network."""
    say = Say(language)
    return _template().render(
        say=say,
        own=own,
        key=_key,
        found=found,
        sentences=sentences(found, say),
        tables=tables(found),
    )


def _key(text: str) -> Markup:
    """Return a key that is broken at its dots before it is broken elsewhere."""
    return own(text).replace(".", Markup(".<wbr>"))


@lru_cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("side.html.jinja")
