"""The deep model: an ensemble of networks, each stopped on an inner fold of its own.

Every trial trains a network per inner fold used, all stacked. From what they predict for rows they
were not trained on, an ensemble of ``tune.seeds`` networks is selected greedily, trials taken as
often as they help (Caruana et al. 2004, "Ensemble selection from libraries of models"); the inner
folds take turns as stopping rows, so that together the networks have trained on every row of the
part. It is one model: saved, priced and predicted with as one.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Labels
from assay.errors import TrainingFailed
from assay.models.training_part import Fitted, Part, Score, nearest
from assay.networks.encoding import Encoding, encoding
from assay.networks.job import Job, Schedule, Trained
from assay.networks.predict import predict
from assay.networks.screening import emphasis, f_statistics
from assay.networks.spec import Activation, Loss, Shape
from assay.networks.train import train
from assay.store.records import Hyperparameters, Trial
from assay.store.seeds import generator_for, seed_for
from assay.study.plans import ImageSpace, NetSpace

_MOST_STEPS_AN_EPOCH = 25  # batches grow with the rows until they are 256
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 256
_LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class _Place:
    """Which network: its trial, the inner fold it stops on, and which of several there."""

    trial: int
    fold: int
    copy: int = 0


class Nets:
    """Networks that stop early on an inner fold: fully connected ones."""

    largest_batch = _LARGEST_BATCH

    def __init__(self, part: Part, seed: int) -> None:
        self.part, self.seed = part, seed
        self.space, self.first = self._space_and_first()
        plan, n_rows = part.plan.tune, len(part.whole.train)
        batch_size = plan.batch_size or batch_size_for(n_rows, self.largest_batch)
        self.schedule = Schedule(plan.epochs, plan.patience, batch_size)
        self.class_weights = part.class_weights()
        self.n_watched = 0
        self.asked: list[Hyperparameters] = []
        self.unseen: list[NDArray[np.float64] | None] = []  # what each trial predicts
        self._trained: dict[_Place, Trained] = {}
        self._encodings: dict[int, Encoding | None] = {}
        self._statistics: dict[tuple[int, tuple[int, int]], NDArray[np.float64]] = {}
        self._rows_of: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def _space_and_first(self) -> tuple[NetSpace | ImageSpace, list[Hyperparameters]]:
        """Return what the search varies, and what is good without one."""
        space = self.part.plan.tune.net
        numbers = bool(self.part.whole.preparation.numeric)
        return space, portfolio(space, numbers=numbers)

    def _kind(self, known: Hyperparameters, fold: int) -> dict[str, Any]:
        """Return what a network's own kind says of a job: its shape, and what belongs to that."""
        part, pieces = self.part, self._encoding(int(known["pieces"]))
        shape = Shape(
            n_inputs=part.whole.inputs.shape[1],
            n_outputs=part.n_outputs,
            widths=(int(known["width"]),) * int(known["depth"]),
            activation=cast("Activation", known["activation"]),
            encoded=pieces.sizes if pieces else (0, 0),
        )
        shown = self._shown(shape, pieces, fold, float(known["screen"]))
        return {"shape": shape, "encoding": pieces, "emphasis": shown}

    def _shown(
        self, shape: Shape, pieces: Encoding | None, fold: int, least: float
    ) -> NDArray[np.float32]:
        """Return how much of its inputs a network is shown, by the rows that it learns from."""
        if least == 0:
            return np.ones(shape.layers()[0][0], dtype=np.float32)
        part, key = self.part, (fold, shape.encoded)
        if key not in self._statistics:
            rows, _ = self._rows(fold)
            self._statistics[key] = f_statistics(
                *(part.whole.inputs, part.labels, rows, pieces),
                classes=not part.regression,
                seed=self.seed,
            )
        return emphasis(self._statistics[key], least)

    def try_all(self, asked: list[Hyperparameters]) -> list[Score]:
        numbers = range(len(self.asked), len(self.asked) + len(asked))
        self.asked += asked
        folds = range(len(self.part.trial_folds))
        self._train([_Place(number, k) for number in numbers for k in folds])
        return [self._scored(number) for number in numbers]

    def _scored(self, number: int) -> Score:
        by_fold = [
            self._predicted(_Place(number, k), fold.validation)
            for k, fold in enumerate(self.part.trial_folds)
        ]
        score = self.part.scored(by_fold)
        known = [one for one in by_fold if one is not None]
        may_be_picked = score[0] is not None and self._is_whole(number)
        self.unseen.append(np.concatenate(known) if may_be_picked else None)
        return score

    def _predicted(
        self, place: _Place, rows: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        net = self._trained[place].net
        return predict([net], self.part.whole.inputs[rows])[0] if net else None

    def _is_whole(self, number: int) -> bool:
        """Return whether a trial was trained as long as a network of the ensemble would be."""
        return int(self.asked[number].get("epochs", self.schedule.epochs)) >= (
            self.schedule.epochs
        )

    def fit(self, _: Trial, /) -> Fitted:
        """Complete the ensemble that the trials' predictions choose.

        Network s stops on inner fold s, round and round: together they train on every row.

        Raises
        ------
        TrainingFailed
            If none of its networks came to a finite loss.
        """
        part = self.part
        rows = np.concatenate([fold.validation for fold in part.trial_folds])
        picks = select(
            self.unseen,
            part.labels[rows],
            part.plan.tune.seeds,
            self._loss(),
            part.row_weights(rows),
        )
        return self._ensemble(picks)

    def again(
        self, asked: list[Hyperparameters], picks: tuple[int, ...], n_watched: int = 0
    ) -> tuple[Fitted, tuple[Trained, ...]]:
        """Train the networks that an earlier search picked, on this part, without searching.

        On the part that was searched they come out as they did there, bit for bit.

        Parameters
        ----------
        asked
            The hyperparameters of every trial of that search, in order.
        picks
            The trial of each network.
        n_watched
            How many of the rows it learns from each network tells the loss of; see ``train.Job``.

        Raises
        ------
        TrainingFailed
            If none of the networks came to a finite loss.
        """
        self.asked, self.n_watched = list(asked), n_watched
        fitted = self._ensemble(picks)
        return fitted, tuple(one for one in self._trained.values() if one.net)

    def _ensemble(self, picks: tuple[int, ...]) -> Fitted:
        """Complete the ensemble of a network for each pick."""
        n_folds = int(self.part.inner.max()) + 1
        seen: Counter[tuple[int, int]] = Counter()
        places = []
        for member, pick in enumerate(picks):
            fold = member % n_folds
            places.append(_Place(pick, fold, seen[pick, fold]))
            seen[pick, fold] += 1
        self._train([place for place in places if place not in self._trained])
        whole = [place for place in places if self._trained[place].net]
        members = tuple(net for net in (self._trained[one].net for one in whole) if net)
        if not members:
            raise TrainingFailed(
                f"None of {len(places)} networks of the ensemble had a finite loss."
            )
        n_lost = len(places) - len(members)
        return Fitted(
            lambda inputs: predict(members, inputs).mean(axis=0),
            sum(net.size for net in members),
            members,
            picks=tuple(place.trial for place in whole),
            remark=f"{n_lost} of {len(places)} networks had no finite loss and are left out"
            if n_lost
            else "",
        )

    def _train(self, places: list[_Place]) -> None:
        """Train networks; one of Hyperband's that has stopped by itself has nothing to go on with."""
        before = {place: self._before(place) for place in places}
        self._trained |= {
            place: one for place, one in before.items() if one and not one.paused
        }
        left = [place for place in places if place not in self._trained]
        trained = train([self._job(place) for place in left], self.schedule)
        self._trained |= dict(zip(left, trained, strict=True))

    def _job(self, place: _Place) -> Job:
        part, known = self.part, self.asked[place.trial]
        rows, stopping_rows = self._rows(place.fold)
        before = self._before(place)
        return Job(
            **self._kind(known, place.fold),
            seed=seed_for(
                self.seed, "net", self._origin(place.trial), place.fold, place.copy
            ),
            inputs=part.whole.inputs,
            labels=part.labels,
            rows=rows,
            stopping_rows=stopping_rows,
            learning_rate=float(known["learning_rate"]),
            weight_decay=float(known["weight_decay"]),
            dropout=float(known["dropout"]),
            smoothing=float(known.get("smoothing", 0.0)),
            loss=self._loss(),
            class_weights=self.class_weights,
            until=int(known["epochs"]) if "epochs" in known else None,
            paused=before.paused if before else None,
            watched=self._watched(rows) if self.n_watched else None,
        )

    def _watched(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        drawn = generator_for(self.seed, "watched").permutation(len(rows))
        return rows[np.sort(drawn[: self.n_watched])]

    def _rows(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows to train on and to stop on; networks that share them share one array."""
        if fold not in self._rows_of:
            rows = self.part.whole.train
            stops = self.part.inner[rows] == fold
            self._rows_of[fold] = rows[~stops], rows[stops]
        return self._rows_of[fold]

    def _before(self, place: _Place) -> Trained | None:
        """Return the network that a trial of Hyperband goes on with, if it is one that goes on."""
        earlier = int(self.asked[place.trial].get("goes_on", -1))
        return self._trained.get(_Place(earlier, place.fold, place.copy))

    def _origin(self, trial: int) -> int:
        """Return the trial with which one of Hyperband began."""
        earlier = int(self.asked[trial].get("goes_on", -1))
        return trial if earlier < 0 else self._origin(earlier)

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

    def _loss(self) -> Loss:
        if not self.part.regression:
            return "cross_entropy"
        absolute = self.part.plan.metric == "absolute_error"
        return "absolute_error" if absolute else "squared_error"


def portfolio(space: NetSpace, *, numbers: bool = True) -> list[Hyperparameters]:
    """Return what is good without a search, as near as a space allows.

    With pieces, without, and without those inputs that say nothing by themselves. Without ``numbers``
    there is nothing to encode.
    """
    wanted = [(8, 0.0), (0, 0.0), (0, 2.0)]
    found = [_untuned(space, *one) for one in wanted[0 if numbers else 1 :]]
    return [one for place, one in enumerate(found) if one not in found[:place]]


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


def batch_size_for(n_rows: int, largest: int = _LARGEST_BATCH) -> int:
    """Return a power of two that takes about 25 steps through the rows, from 32 to the largest."""
    wanted = max(1, n_rows // _MOST_STEPS_AN_EPOCH)
    return int(np.clip(1 << (wanted.bit_length() - 1), _SMALLEST_BATCH, largest))


def select(
    unseen: list[NDArray[np.float64] | None],
    labels: Labels,
    n_picks: int,
    loss: Loss,
    weights: NDArray[np.float64] | None = None,
) -> tuple[int, ...]:
    """Return the trials of an ensemble's members, each chosen for what it adds to those before.

    Parameters
    ----------
    unseen
        What each trial predicts for the same rows, none of which it was trained on; None for one
        that may not be picked. Probabilities, shape (n_rows, n_classes), or numbers, shape
        (n_rows, 1).
    labels, weights : shape (n_rows,)
        Of those rows; no weights: all alike.

    Returns
    -------
    tuple
        ``n_picks`` places in ``unseen``, with repetitions; ties go to the first.

    Raises
    ------
    TrainingFailed
        If none may be picked.
    """
    places = [place for place, one in enumerate(unseen) if one is not None]
    if not places:
        raise TrainingFailed(
            f"None of {len(unseen)} trials can be part of an ensemble."
        )
    predictions = np.stack([one for one in unseen if one is not None])
    total, picks = np.zeros_like(predictions[0]), []
    for n in range(1, n_picks + 1):
        losses = [
            np.average(_losses((total + one) / n, labels, loss), weights=weights)
            for one in predictions
        ]
        best = int(np.argmin(losses))
        total += predictions[best]
        picks.append(places[best])
    return tuple(picks)


def _losses(
    predictions: NDArray[np.float64], labels: Labels, loss: Loss
) -> NDArray[np.float64]:
    if loss == "cross_entropy":
        of_class = predictions[np.arange(len(labels)), labels]
        return np.asarray(-np.log(np.maximum(of_class, _LEAST_PROBABILITY)))
    error = predictions[:, 0] - labels
    return np.asarray(error**2 if loss == "squared_error" else np.abs(error))
