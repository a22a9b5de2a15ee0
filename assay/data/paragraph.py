"""A paragraph: several sentences of the catalogue as one."""

from collections.abc import Sequence
from functools import reduce

from assay.wording import Sentence


def paragraph(sentences: Sequence[Sentence]) -> Sentence:
    """Return sentences one after another, as a sentence that holds them.

    Examples
    --------
    >>> str(paragraph([Sentence.plain("It rains."), Sentence.plain("Stay in.")]))
    'It rains. Stay in.'
    """
    return reduce(_followed, sentences)


def _followed(first: Sentence, second: Sentence) -> Sentence:
    return Sentence.of("text.paragraph", first=first, second=second)
