"""Stored results computed again: what was drawn, and that all of it is the same."""

from collections.abc import Callable
from dataclasses import dataclass, field

from assay.store.progress import Audited, Event, Finished, listening
from assay.wording import Sentence


@dataclass
class Tally:
    """How many stages were stored, and which of them were computed again."""

    n_stored: int = 0
    again: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        match event:
            case Finished(stored=True):
                self.n_stored += 1
            case Audited(stage, label, _):
                self.again.append(f"{stage} {label}".strip())

    def sentence(self) -> Sentence:
        """Return what came of it: a result that differs has ended the check before."""
        if not self.n_stored:
            return Sentence.of("cli.nothing_stored")
        if not self.again:
            return Sentence.of("cli.none_recomputed", n=self.n_stored)
        return Sentence.of(
            "cli.recomputed",
            n=len(self.again),
            of=self.n_stored,
            stages=tuple(self.again),
        )


def recomputed(check: Callable[[], object]) -> Sentence:
    """Run a check whose store draws results to be computed again, and count them."""
    tally = Tally()
    with listening(tally.hear):
        check()
    return tally.sentence()
