"""The network: its shape, its first weights, and its finished form in stock Keras layers.

Training runs on weights with a leading replica axis (see ``train``); what is kept is an ordinary
Keras model that loads without any code of ours. A test holds the two forms together.
"""

import io
import itertools
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.canonical import digest_array, digest_json
from assay.environment import pin

pin()
import keras  # noqa: E402  (its settings are read at import)

keras.config.set_floatx("float32")  # whatever a settings file in the home folder says
keras.config.set_image_data_format("channels_last")
keras.config.set_epsilon(1e-7)

Weights = tuple[NDArray[np.float32], ...]

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Shape:
    """A fully connected network: ``depth`` hidden layers of ``width`` units.

    With two outputs or more a softmax at the end, a probability for each class; with one output a
    number.
    """

    n_inputs: int
    n_outputs: int
    depth: int
    width: int

    def layers(self) -> list[tuple[int, int]]:
        """Return inputs and outputs of each layer, first to last."""
        sizes = [self.n_inputs, *[self.width] * self.depth, self.n_outputs]
        return list(itertools.pairwise(sizes))


def first_weights(shape: Shape, seed: int) -> Weights:
    """Draw kernels and zero biases, alternating from the first layer to the last.

    He's normal initialisation for the hidden layers (He et al. 2015), half its variance for the
    output layer, which no rectifier follows.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    weights: list[NDArray[np.float32]] = []
    for number, (n_in, n_out) in enumerate(shape.layers()):
        gain = 2.0 if number < shape.depth else 1.0
        kernel = generator.normal(0.0, np.sqrt(gain / n_in), (n_in, n_out))
        weights += [kernel.astype(np.float32), np.zeros(n_out, np.float32)]
    return tuple(weights)


def in_units(weights: Weights, centre: float, scale: float) -> Weights:
    """Return the network whose outputs are ``centre + scale * outputs`` of this one."""
    *hidden, kernel, bias = weights
    return (
        *hidden,
        (kernel * scale).astype(np.float32),
        (bias * scale + centre).astype(np.float32),
    )


def as_keras(members: tuple[Weights, ...], name: str = "assay") -> keras.Model:
    """Build one Keras model that averages what ``members`` predict.

    Stock layers only: the input repeated once per member, a dense layer per member as
    ``EinsumDense("bri,rio->bro")``, softmax where there are classes, mean over members.

    Parameters
    ----------
    members
        Weights of networks of one shape, each kernel ``(n_in, n_out)`` and bias ``(n_out,)``.
    """
    kernels = [
        np.stack([weights[i] for weights in members])
        for i in range(0, len(members[0]), 2)
    ]
    biases = [
        np.stack([weights[i] for weights in members])
        for i in range(1, len(members[0]), 2)
    ]
    inputs = keras.Input((kernels[0].shape[1],), name="features")
    hidden = keras.layers.RepeatVector(len(members), name="members")(inputs)
    dense = []
    for number, kernel in enumerate(kernels):
        last = number == len(kernels) - 1
        layer = keras.layers.EinsumDense(
            "bri,rio->bro",
            output_shape=(len(members), kernel.shape[2]),
            bias_axes="ro",
            activation=None if last else "relu",
            name="logits" if last else f"hidden_{number + 1}",
        )
        hidden = layer(hidden)
        dense.append(layer)
    if kernels[-1].shape[2] > 1:
        hidden = keras.layers.Softmax(name="softmax")(hidden)
    mean = keras.layers.GlobalAveragePooling1D(name="mean")(hidden)
    model = keras.Model(inputs, mean, name=name)
    for layer, kernel, bias in zip(dense, kernels, biases, strict=True):
        layer.set_weights([kernel, bias])
    return model


def archive(model: keras.Model) -> bytes:
    """Return the ``.keras`` archive of a model with fixed times, so that equal models give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path) as saved:
            members = {name: saved.read(name) for name in saved.namelist()}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps(
        metadata | {"date_saved": "1980-01-01@00:00:00"}, sort_keys=True
    ).encode()
    members["config.json"] = _renumbered(members["config.json"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as fixed:
        for name in sorted(members):
            fixed.writestr(zipfile.ZipInfo(name, _FIXED_TIME), members[name])
    return buffer.getvalue()


def _renumbered(config: bytes) -> bytes:
    """Count shared objects from 1: Keras names them by their place in memory."""
    numbers: dict[bytes, bytes] = {}
    return re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda found: numbers.setdefault(found[0], b"%d" % (len(numbers) + 1)),
        config,
    )


def from_archive(content: bytes) -> keras.Model:
    """Load a model that :func:`archive` wrote; ``safe_mode`` refuses code inside archives."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        return keras.models.load_model(path, compile=False, safe_mode=True)


def pack_weights(members: Sequence[Weights]) -> dict[str, NDArray[np.float32]]:
    """Return the networks' weights as named arrays: ``member_layer``."""
    return {
        f"{m}_{i}": layer
        for m, weights in enumerate(members)
        for i, layer in enumerate(weights)
    }


def unpack_weights(arrays: Mapping[str, NDArray[Any]]) -> tuple[Weights, ...]:
    """Return what :func:`pack_weights` packed."""
    n_members = 1 + max(int(name.split("_")[0]) for name in arrays)
    n_layers = len(arrays) // n_members
    return tuple(
        tuple(arrays[f"{m}_{i}"] for i in range(n_layers)) for m in range(n_members)
    )


def weights_digest(members: Sequence[Weights]) -> str:
    """Return a digest of the weight arrays, whatever file they lie in."""
    return digest_json(
        [[digest_array(layer) for layer in weights] for weights in members]
    )
