"""What one training is given and what it returns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.data.samples import Labels
from assay.networks.conv_spec import Augmentation, ImageShape
from assay.networks.encoding import Encoding
from assay.networks.net import Net
from assay.networks.spec import Loss, Shape


@dataclass(frozen=True)
class Job:
    """One network to be trained on some rows of a matrix.

    Attributes
    ----------
    inputs : shape (n_rows, n_inputs)
        Prepared rows; jobs may share a matrix or bring their own.
    labels : shape (n_rows,)
        Class codes of all rows of the matrix, or the numbers to predict.
    rows : shape (n_train,)
        Rows to train on. Jobs of one seed with the same array here share its shuffling.
    stopping_rows : shape (n_stopping,)
        Rows whose loss decides when to stop; empty: train to the last epoch.
    loss
        What training minimises: cross-entropy of classes, or the error of a number.
    encoding
        Of the leading columns of the matrix; jobs that share a matrix share it.
    augmentation
        Random changes of training images; None: none.
    emphasis : shape (n_inputs of the first layer,)
        By what each input, or piece of one, is multiplied. The inputs then also have factors that
        learn faster than the weights, see :class:`assay.networks.layout.Layout`. None: neither.
    smoothing
        Share of a label that is spread over all classes while training.
    class_weights : shape (n_classes,)
        By what the loss of a class's rows is multiplied; empty: by 1.
    until
        Epochs after which to pause; None: train to the end.
    paused
        Where an equal job paused: training resumes there, with the bits of one that never paused.
    watched : shape (n_watched,)
        Rows whose loss is recorded after every epoch, for readers only; None: not recorded.
    """

    shape: Shape | ImageShape
    seed: int
    inputs: NDArray[np.float32]
    labels: Labels
    rows: NDArray[np.int64]
    stopping_rows: NDArray[np.int64]
    learning_rate: float
    weight_decay: float
    dropout: float
    loss: Loss = "cross_entropy"
    encoding: Encoding | None = None
    augmentation: Augmentation | None = None
    emphasis: NDArray[np.float32] | None = None
    smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    until: int | None = None
    paused: "Checkpoint | None" = None
    watched: NDArray[np.int64] | None = None

    @property
    def n_epochs_done(self) -> int:
        """Epochs before the job paused; 0 for one that did not."""
        return self.paused.epochs if self.paused else 0

    def units(self) -> tuple[float, float]:
        """Return centre and scale of the numbers to predict; 0 and 1 for classes.

        The constant that minimises the loss on the training rows, and the error it leaves: mean and
        standard deviation, or median and mean absolute deviation.
        """
        if self.loss == "cross_entropy":
            return 0.0, 1.0
        numbers = self.labels[self.rows]
        if self.loss == "squared_error":
            centre, scale = float(numbers.mean()), float(numbers.std())
        else:
            centre = float(np.median(numbers))
            scale = float(np.abs(numbers - centre).mean())
        return centre, scale or 1.0


@dataclass(frozen=True)
class Schedule:
    """How long to train; ``patience`` counts epochs without a better one."""

    epochs: int
    patience: int
    batch_size: int


@dataclass(frozen=True)
class Checkpoint:
    """A training that paused after some epochs.

    Attributes
    ----------
    state : shape (3, n_parameters)
        Parameters and AdamW's two moments.
    kept : shape (n_parameters,)
        Parameters of the best epoch so far.
    """

    epochs: int
    state: NDArray[np.float32]
    kept: NDArray[np.float32]
    best_epoch: int
    best_loss: float


@dataclass(frozen=True)
class Course:
    """The losses after each epoch of a training, on the watched rows and on the stopping rows."""

    watched: tuple[float, ...]
    stopping: tuple[float, ...]


@dataclass(frozen=True)
class Trained:
    """A trained network: that of its best epoch, and its loss on the stopping rows.

    A network for a number predicts in the units of its labels; the loss is in standard units (see
    :meth:`Job.units`). Without a finite loss or with a weight that is not finite there is no network.
    """

    net: Net | None
    epoch: int
    stopping_loss: float
    paused: Checkpoint | None = None
    course: Course | None = None
