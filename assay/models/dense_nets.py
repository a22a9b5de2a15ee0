"""Fully connected networks: their search space, and what a training needs to know of them."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from assay.models.training_part import Part, nearest
from assay.networks.encoding import Encoding, encoding
from assay.networks.screening import emphasis, f_statistics
from assay.networks.spec import Activation, Shape
from assay.store.records import Hyperparameters
from assay.study.plans import NetSpace


class Dense:
    """Fully connected networks, with a piecewise encoding of numbers and screening of inputs."""

    largest_batch = 256

    def __init__(self, part: Part, seed: int) -> None:
        self.part, self.seed, self.space = part, seed, part.plan.tune.net
        numeric = bool(part.whole.preparation.numeric)
        self.defaults = portfolio(self.space, numeric=numeric)
        self._encodings: dict[int, Encoding | None] = {}
        self._statistics: dict[tuple[int, tuple[int, int]], NDArray[np.float64]] = {}

    def settings(self, hyperparameters: Hyperparameters, fold: int) -> dict[str, Any]:
        """Return shape, encoding and emphasis, the latter by the rows that train on this fold."""
        pieces = self._encoding(int(hyperparameters["pieces"]))
        shape = Shape(
            n_inputs=self.part.whole.inputs.shape[1],
            n_outputs=self.part.n_outputs,
            widths=(int(hyperparameters["width"]),) * int(hyperparameters["depth"]),
            activation=cast("Activation", hyperparameters["activation"]),
            encoded=pieces.sizes if pieces else (0, 0),
        )
        screen = float(hyperparameters["screen"])
        shown = self._emphasis(shape, pieces, fold, screen)
        return {"shape": shape, "encoding": pieces, "emphasis": shown}

    def _emphasis(
        self, shape: Shape, pieces: Encoding | None, fold: int, threshold: float
    ) -> NDArray[np.float32]:
        """Return the factor of each input, by its F statistic on the training rows."""
        if threshold == 0:
            return np.ones(shape.layers()[0][0], dtype=np.float32)
        part, key = self.part, (fold, shape.encoded)
        if key not in self._statistics:
            rows, _ = part.rows_of(fold)
            self._statistics[key] = f_statistics(
                *(part.whole.inputs, part.labels, rows, pieces),
                classes=not part.regression,
                seed=self.seed,
            )
        return emphasis(self._statistics[key], threshold)

    def _encoding(self, n_pieces: int) -> Encoding | None:
        """Return the encoding of the numeric columns, fitted to the part's training rows."""
        whole = self.part.whole
        n_columns = len(whole.preparation.numeric)
        if n_pieces not in self._encodings:
            columns = whole.inputs[whole.train, :n_columns]
            self._encodings[n_pieces] = (
                encoding(columns, n_pieces) if n_pieces and n_columns else None
            )
        return self._encodings[n_pieces]


def portfolio(space: NetSpace, *, numeric: bool = True) -> list[Hyperparameters]:
    """Return hyperparameters that are good without a search, as near as a space allows.

    With pieces, without, and with screening of uninformative inputs. Pieces need ``numeric`` columns.
    """
    variants = [(8, 0.0), (0, 0.0), (0, 2.0)]
    every = [_untuned(space, *variant) for variant in variants[0 if numeric else 1 :]]
    return [item for place, item in enumerate(every) if item not in every[:place]]


def _untuned(space: NetSpace, pieces: int, screen: float) -> Hyperparameters:
    return {
        "depth": nearest(space.depth, 2),
        "width": nearest(space.width, 128),
        "pieces": nearest(space.pieces, pieces),
        "screen": nearest(space.screen, screen),
        "activation": space.activation[0],
        "dropout": nearest(space.dropout, 0.15),
        "learning_rate": float(np.clip(2e-3, *space.learning_rate)),
        "weight_decay": float(np.clip(2e-2, *space.weight_decay)),
        "smoothing": nearest(space.smoothing, 0.0),
    }
