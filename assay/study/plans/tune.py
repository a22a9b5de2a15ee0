"""What a study may declare about tuning: the budget, and what each search varies."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from assay.store.records import Record
from assay.study.invalid import Invalid
from assay.study.plans.split import SplitPlan


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise Invalid("study.tune.range", low=bounds[0], high=bounds[1])
    return bounds


def _none_or_several(n_pieces: int) -> int:
    if n_pieces != 0 and not 3 <= n_pieces <= 64:
        raise Invalid("study.tune.pieces", n=n_pieces)
    return n_pieces


_CHOICES = Field(min_length=1, max_length=64)
Positive = Annotated[float, Field(gt=0, le=1e38)]
Range = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]
Tuner = Literal["random", "hyperband", "bayesian"]
Depths = Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], _CHOICES]
Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=8192)], ...], _CHOICES]
Counts = Annotated[tuple[Annotated[int, Field(ge=1, le=10**6)], ...], _CHOICES]
Leaves = Annotated[tuple[Annotated[int, Field(ge=2, le=4096)], ...], _CHOICES]
Pieces = Annotated[
    tuple[Annotated[int, AfterValidator(_none_or_several)], ...], _CHOICES
]
Activations = Annotated[tuple[Literal["relu", "silu", "selu"], ...], _CHOICES]
Blocks = Annotated[tuple[Annotated[int, Field(ge=1, le=3)], ...], _CHOICES]
Filters = Annotated[
    tuple[Annotated[int, Field(ge=4, le=1024, multiple_of=4)], ...], _CHOICES
]
Shifts = Annotated[tuple[Annotated[float, Field(ge=0, le=0.25)], ...], _CHOICES]
Screens = Annotated[tuple[Annotated[float, Field(ge=0, le=1e38)], ...], _CHOICES]
Shares = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], _CHOICES]


class NetSpace(Record):
    """What the search varies in the network."""

    depth: Depths = (1, 2, 3)
    width: Widths = (64, 128, 256)
    pieces: Pieces = Field(
        default=(0, 8, 16),
        description="Pieces of the piecewise linear encoding of a numeric column; 0: no encoding.",
    )
    screen: Screens = Field(
        default=(0.0, 2.0),
        description=(
            "F statistic up to which an input is left out; the others are weighted by how far they exceed it. "
            "0: all inputs count equally."
        ),
    )
    activation: Activations = ("relu", "silu")
    dropout: Shares = (0.0, 0.15, 0.3)
    learning_rate: Range = (5e-4, 8e-3)
    weight_decay: Range = (1e-3, 1e-1)
    smoothing: Shares = Field(
        default=(0.0,),
        description="Label smoothing: share of a label that is spread over all classes.",
    )


class ImageSpace(Record):
    """What the search varies in a network for images."""

    depth: Blocks = Field(default=(2, 3), description="Blocks, each halving the image.")
    filters: Filters = Field(
        default=(16, 32),
        description="Filters of the first block; each further block has twice as many.",
    )
    activation: Activations = ("relu", "silu")
    dropout: Shares = (0.0, 0.2, 0.4)
    shift: Shifts = Field(
        default=(0.0625, 0.125),
        description="Largest shift of an image, as a share of its side, where augment has shift.",
    )
    learning_rate: Range = (1e-3, 1e-2)
    weight_decay: Range = (1e-3, 1e-1)


class LogisticSpace(Record):
    """What the search varies in logistic regression."""

    inverse_penalty: Range = (1e-3, 1e2)


class BoostingSpace(Record):
    """What the search varies in boosted trees; rounds are chosen by early stopping."""

    learning_rate: Range = (0.05, 0.3)
    leaves: Leaves = (7, 15, 31, 63)
    min_rows_per_leaf: Counts = (5, 20, 50)
    l2: Range = (1e-3, 1e1)
    max_rounds: int = Field(default=200, ge=1, le=100_000)


class TunePlan(Record):
    """The search in each outer training part; every family of models gets the same trials."""

    trials: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="Trials of each family: first the defaults, then an oracle's proposals.",
    )
    tuner: Tuner = Field(
        default="random",
        description=(
            "keras-tuner's oracle for the network. Hyperband runs its brackets once, whatever trials is, "
            "and the baselines get as many trials as it trains networks."
        ),
    )
    seeds: int = Field(
        default=16,
        ge=1,
        le=64,
        description="Networks in the ensemble, whose predictions are averaged. Default for images: 4.",
    )
    folds_per_trial: int = Field(
        default=1, ge=1, le=20, description="Inner folds that score each trial."
    )
    epochs: int = Field(
        default=120, ge=1, le=100_000, description="Default for images: 40."
    )
    patience: int = Field(
        default=15, ge=1, le=100_000, description="Default for images: 10."
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Default: 32 to 256 by the number of rows, for images at most 64.",
    )
    balanced: bool = Field(
        default=False, description="Weight every class equally in the loss."
    )
    net: NetSpace = NetSpace()
    image: ImageSpace = ImageSpace()
    logistic: LogisticSpace = LogisticSpace()
    boosting: BoostingSpace = BoostingSpace()


# Rules of a plan ---------------------------------------------------------------------------------

_OF_IMAGES = {"seeds": 4, "epochs": 40, "patience": 10}  # a step of theirs costs more


def with_image_budget(tune: Any, clean: Any) -> Any:
    """Return the values of ``tune`` with the smaller defaults of images, where ``clean`` reads an image."""
    reads_image = isinstance(clean, dict) and clean.get("image")
    return _OF_IMAGES | tune if reads_image and isinstance(tune, dict) else tune


def check_folds_per_trial(tune: TunePlan, split: SplitPlan) -> None:
    """Refuse more folds for a trial than there are; the final fit takes the outer folds as inner ones."""
    n_folds = min(split.inner_folds, split.folds)
    if tune.folds_per_trial > n_folds:
        raise Invalid("study.tune.folds", asked=tune.folds_per_trial, n_folds=n_folds)
