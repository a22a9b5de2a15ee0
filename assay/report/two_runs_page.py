"""Two compared runs as sentences and tables, on a terminal and as a page."""

from markupsafe import Markup

from assay.report.say import Say, own
from assay.report.templates import html_template
from assay.report.two_runs import Comparison, Line
from assay.wording import Language


def sentences(comparison: Comparison, say: Say) -> list[Markup]:
    """Return what came of a comparison in a few sentences."""
    lines = []
    if comparison.same_run:
        lines.append(say("compare.same_run"))
    elif comparison.equal:
        lines.append(say("compare.equal", n=len(comparison.digests)))
    else:
        different = ", ".join(
            line.what for line in comparison.digests if not line.equal
        )
        lines.append(say("compare.different", digests=different))
    if comparison.tier is not None:
        means = say(f"sameness.{comparison.tier.lower()}")
        lines.append(say("compare.tier", tier=comparison.tier, means=means))
    if comparison.difference:
        lines.append(say("compare.first", difference=say(comparison.difference)))
    if comparison.largest_difference:
        apart = ", ".join(
            f"{say.model(name)} {value:.2g}"
            for name, value in comparison.largest_difference.items()
        )
        lines.append(say("compare.apart", apart=apart))
    words = {line.what: line for line in comparison.verdicts}
    outcome = words["outcome"]
    if outcome.equal:
        lines.append(
            say("compare.one_word", outcome=say(f"judge.outcome.{outcome.one}"))
        )
    else:
        lines.append(
            say(
                "compare.two_words",
                one=say(f"judge.outcome.{outcome.one}"),
                other=say(f"judge.outcome.{outcome.other}"),
            )
        )
    n = len(comparison.study)
    keys = {0: say("compare.no_keys"), 1: say("compare.one_key")}
    lines.append(keys.get(n) or say("compare.keys", n=n))
    return lines


def tables(comparison: Comparison) -> dict[str, tuple[Line, ...]]:
    """Return the tables of a comparison that have lines, by the name of their heading."""
    every = {
        "verdicts": comparison.verdicts,
        "study": comparison.study,
        "digests": comparison.digests,
        "circumstances": comparison.circumstances,
    }
    return {name: lines for name, lines in every.items() if lines}


def side_by_side(comparison: Comparison, language: Language = "en") -> str:
    """Return a comparison as a page: one file, no script, no network."""
    say = Say(language)
    return html_template("two_runs.html.jinja").render(
        say=say,
        own=own,
        key=_key,
        comparison=comparison,
        sentences=sentences(comparison, say),
        tables=tables(comparison),
    )


def _key(text: str) -> Markup:
    """Return a key that is broken at its dots before it is broken elsewhere."""
    return own(text).replace(".", Markup(".<wbr>"))
