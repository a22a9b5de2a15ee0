"""Prediction with many networks at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_graph import conv_predictions
from assay.networks.dense_graph import dense_predictions
from assay.networks.layout import VECTOR, whole_vectors
from assay.networks.net import Net, grouped

_NUMBERS_AT_ONCE = 2**22  # in the widest layer of all members: 16 MB


def predict(members: Sequence[Net], inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the predictions of each member, shape (n_members, n_rows, n_outputs).

    Class probabilities; where a network has one output, the number it predicts.
    """
    predictions = np.empty((len(members), len(inputs), members[0].n_outputs))
    for places in grouped(members):
        group = [members[place] for place in places]
        if (image := group[0].image) is not None:
            for place, net in zip(places, group, strict=True):
                predictions[place] = conv_predictions(image, net.weights, inputs)
            continue
        widest = max(len(layer) for layer in group[0].weights)
        at_once = whole_vectors(_NUMBERS_AT_ONCE // (widest * len(places)))
        predictions[places] = dense_predictions(group, inputs, max(VECTOR, at_once))
    return predictions
