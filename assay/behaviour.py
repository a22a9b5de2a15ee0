"""How the deep model behaves: what it looks at, how it answers, whether more rows would help.

Descriptions for a reader, computed after the verdict and from models fitted anew with what the search
chose: no score or word of a verdict rests on them.
"""

from pydantic import Field

from assay.records import Record


class Importance(Record):
    """What the score loses where one column of the test rows is shuffled (Breiman 2001; Fisher et al. 2019)."""

    column: str
    drop: float = Field(
        description="Mean over the outer folds, in the metric's units; positive: worse without it."
    )
    low: float = Field(description="The smallest of the outer folds.")
    high: float


class Dependence(Record):
    """The mean prediction with one column set to each of some values (Friedman 2001)."""

    column: str
    of: str = Field(description="The class whose probability it is; empty: a number.")
    values: tuple[float, ...] | tuple[str, ...]
    predicted: tuple[float, ...]
    shares: tuple[float, ...] = Field(
        description="Of the rows, which are nearest to each value."
    )


class AtRows(Record):
    """Mean scores on the outer test parts after learning from so many rows."""

    n_rows: int
    scores: dict[str, float] = Field(description="The net and a simple model.")


class Epochs(Record):
    """The course of training of the winner on one outer fold, mean over its networks."""

    fold: int
    training: tuple[float, ...] = Field(description="Loss on the rows learned from.")
    stopping: tuple[float, ...] = Field(
        description="Loss on the rows that decide when to stop."
    )
    best: tuple[int, ...] = Field(
        description="The epoch each network was taken from, counted from 1."
    )


class Behaviour(Record):
    """How the deep model behaves on the first repeat's outer folds."""

    importances: tuple[Importance, ...]
    dependences: tuple[Dependence, ...]
    at_rows: tuple[AtRows, ...] = Field(description="From few rows to all.")
    epochs: tuple[Epochs, ...]
    not_asked: dict[str, str] = Field(
        default_factory=dict, description="What was left out, and why."
    )

    def summary(self) -> str:
        leading = ", ".join(one.column for one in self.importances[:3])
        return f"looks most at {leading}" if leading else "described"
