"""The finished ensemble as one model of stock Keras layers, and the archive it is kept in.

Training runs on weights with a leading replica axis (see :mod:`assay.networks.graph`); what is kept
is an ordinary Keras model that loads without any code of ours. A test holds the two together.
"""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.networks import operations as ops
from assay.networks.conv_spec import EPSILON, GROUPS
from assay.networks.encoding import Encoding
from assay.networks.net import Net
from assay.store.machine import pin

pin()
import keras  # noqa: E402  (its settings are read at import)

keras.config.set_floatx("float32")  # whatever a settings file in the home folder says
keras.config.set_image_data_format("channels_last")
keras.config.set_epsilon(1e-7)

layers = keras.layers

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def as_keras(members: Sequence[Net], name: str = "assay") -> keras.Model:
    """Build one Keras model that averages the predictions of ``members``.

    Stock layers only. Fully connected members of equal sizes are computed together: the encoded input
    is repeated once per member, with a dense layer per member as ``EinsumDense("bri,rio->bro")``.
    """
    inputs, model = keras.Input((members[0].n_inputs,), name="features"), _Model()
    parts = ops.walk(members, model.emit, inputs)
    together = model.add(layers.Concatenate(1), parts) if len(parts) > 1 else parts[0]
    mean = model.add(layers.GlobalAveragePooling1D(), together)
    return keras.Model(inputs, mean, name=name)


class _Model:
    """Layers in order; names are counted, so that equal nets give equal archives."""

    def __init__(self) -> None:
        self.count = 0

    def emit(self, operation: ops.Operation, values: Any, inputs: Any) -> Any:
        """Return the result of an operation; maps have channels last, members are the second axis."""
        match operation:
            case Encoding():
                return self._encode(operation, values)
            case ops.MemberDense(kernels, biases, first):
                n_members, _, n_out = kernels.shape
                if first:
                    values = self.add(layers.RepeatVector(n_members), values)
                shape = (n_members, n_out)
                dense = layers.EinsumDense("bri,rio->bro", shape, bias_axes="ro")
                return self.add(dense, values, kernels, biases)
            case ops.Dense(kernel, biases):
                return self.add(layers.Dense(len(biases)), values, kernel, biases)
            case ops.Image(height, width, channels):
                pixels = self._columns(values, 0, height * width * channels)
                return self.add(layers.Reshape((height, width, channels)), pixels)
            case ops.Convolve(kernel):
                n_maps = kernel.shape[-1]
                layer = layers.Conv2D(n_maps, 3, padding="same", use_bias=False)
                return self.add(layer, values, kernel)
            case ops.GroupNorm(_, _, scales, shifts):
                norm = layers.GroupNormalization(GROUPS, epsilon=EPSILON)
                return self.add(norm, values, scales, shifts)
            case ops.Flatten():
                return self.add(layers.Flatten(), values)
            case ops.AppendInputs(start, end):
                others = self._columns(inputs, start, end)
                return self.add(layers.Concatenate(), [values, others])
            case "max_pool":
                return self.add(layers.MaxPooling2D(2), values)
            case "average_maps":
                return self.add(layers.GlobalAveragePooling2D(), values)
            case "member_axis":
                return self.add(layers.Reshape((1, values.shape[1])), values)
            case _:
                return self.add(layers.Activation(operation), values)

    def _encode(self, encoding: Encoding, inputs: Any) -> Any:
        shape, edges = encoding.sizes, encoding.edges
        leading = self._columns(inputs, 0, shape[0])
        subtract = layers.EinsumDense(
            "bf,fk->bfk", shape, bias_axes="fk", trainable=False
        )
        past = self.add(subtract, leading, np.ones_like(edges), -edges)
        multiply = layers.EinsumDense("bfk,fk->bfk", shape, trainable=False)
        rising = self.add(multiply, past, encoding.slopes)
        pieces = self.add(layers.ReLU(max_value=1.0), rising)
        centred = self.add(layers.Rescaling(1.0, -0.5), pieces)
        flat = self.add(layers.Flatten(), centred)
        return self.add(layers.Concatenate(), [inputs, flat])

    def _columns(self, values: Any, first: int, end: int) -> Any:
        """Return some columns, shape (n_rows, end - first)."""
        n_columns = values.shape[1]
        if (first, end) == (0, n_columns):
            return values
        columns = self.add(layers.Reshape((n_columns, 1)), values)
        cropped = self.add(layers.Cropping1D((first, n_columns - end)), columns)
        return self.add(layers.Flatten(), cropped)

    def add(self, layer: Any, values: Any, *weights: NDArray[np.float32]) -> Any:
        """Apply a new layer and set its weights."""
        layer.name = f"{type(layer).__name__.lower()}_{self.count}"
        self.count += 1
        outputs = layer(values)
        if weights:
            layer.set_weights(weights)
        return outputs


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
        lambda match: numbers.setdefault(match[0], b"%d" % (len(numbers) + 1)),
        config,
    )


def from_archive(content: bytes) -> keras.Model:
    """Load a model that :func:`archive` wrote; ``safe_mode`` refuses code inside archives."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        return keras.models.load_model(path, compile=False, safe_mode=True)
