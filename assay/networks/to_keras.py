"""The finished form of an ensemble: one model of stock Keras layers, and the archive it is kept in.

Training runs on weights with a leading replica axis (see ``train``); what is kept is an ordinary
Keras model that loads without any code of ours. A test holds the two forms together.
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

from assay.networks.conv_spec import EPSILON, GROUPS, ImageShape
from assay.networks.spec import Encoding, Net, Weights, alike
from assay.store.machine import pin

pin()
import keras  # noqa: E402  (its settings are read at import)

keras.config.set_floatx("float32")  # whatever a settings file in the home folder says
keras.config.set_image_data_format("channels_last")
keras.config.set_epsilon(1e-7)

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def as_keras(members: Sequence[Net], name: str = "assay") -> keras.Model:
    """Build one Keras model that averages what ``members`` predict.

    Stock layers only. Fully connected members of equal sizes are computed together: the input
    encoded, repeated once per member, a dense layer per member as ``EinsumDense("bri,rio->bro")``,
    softmax where there are classes. A network for images has layers of its own. Then the mean over
    all.
    """
    inputs = keras.Input((members[0].n_inputs,), name="features")
    encoded: dict[int, Any] = {}
    for net in members:
        if id(net.encoding) not in encoded:
            encoded[id(net.encoding)] = _encoded(inputs, net.encoding, len(encoded))
    outputs: list[Any] = []
    for number, places in enumerate(alike(members)):
        like = [members[place] for place in places]
        if like[0].image is None:
            branch = _branch(encoded[id(like[0].encoding)], like, number)
            outputs.append(branch)
            continue
        outputs += [
            _image_branch(inputs, like[0].image, net.weights, f"{number}_{place}")
            for place, net in enumerate(like)
        ]
    together = (
        keras.layers.Concatenate(axis=1, name="all_members")(outputs)
        if len(outputs) > 1
        else outputs[0]
    )
    mean = keras.layers.GlobalAveragePooling1D(name="mean")(together)
    return keras.Model(inputs, mean, name=name)


def _encoded(inputs: Any, known: Encoding | None, number: int) -> Any:
    """Return the inputs with the pieces of their leading columns behind them."""
    if known is None:
        return inputs
    layers = keras.layers
    n_inputs, (n_columns, n_pieces) = inputs.shape[1], known.slopes.shape
    columns = layers.Reshape((n_inputs, 1), name=f"columns_{number}")(inputs)
    leading = layers.Cropping1D((0, n_inputs - n_columns), name=f"numeric_{number}")(
        columns
    )
    past = layers.EinsumDense(
        "bfi,fk->bfk",
        (n_columns, n_pieces),
        bias_axes="fk",
        trainable=False,
        name=f"past_{number}",
    )
    steep = layers.EinsumDense(
        "bfk,fk->bfk", (n_columns, n_pieces), trainable=False, name=f"pieces_{number}"
    )
    rising = steep(past(leading))
    past.set_weights([np.ones_like(known.edges), -known.edges])
    steep.set_weights([known.slopes])
    pieces = layers.ReLU(max_value=1.0, name=f"clip_{number}")(rising)
    centred = layers.Rescaling(1.0, -0.5, name=f"centre_{number}")(pieces)
    flat = layers.Flatten(name=f"flat_{number}")(centred)
    return layers.Concatenate(name=f"encoded_{number}")([inputs, flat])


def _branch(inputs: Any, members: Sequence[Net], number: int) -> Any:
    """Return what members of equal sizes predict, shape (n_rows, n_members, n_outputs)."""
    hidden = keras.layers.RepeatVector(len(members), name=f"members_{number}")(inputs)
    stacked = [
        np.stack(arrays)
        for arrays in zip(*(net.weights for net in members), strict=True)
    ]
    for place in range(0, len(stacked), 2):
        kernel, bias = stacked[place], stacked[place + 1]
        last = place == len(stacked) - 2
        layer = keras.layers.EinsumDense(
            "bri,rio->bro",
            output_shape=(len(members), kernel.shape[2]),
            bias_axes="ro",
            activation=None if last else members[0].activation,
            name=f"logits_{number}" if last else f"hidden_{number}_{place // 2 + 1}",
        )
        hidden = layer(hidden)
        layer.set_weights([kernel, bias])
    if members[0].n_outputs > 1:
        hidden = keras.layers.Softmax(name=f"softmax_{number}")(hidden)
    return hidden


def _image_branch(inputs: Any, shape: ImageShape, weights: Weights, name: str) -> Any:
    """Return what a network for images predicts, shape (n_rows, 1, n_outputs)."""
    layers = keras.layers
    hidden = _pixels(inputs, shape, name)
    for block, n_filters in enumerate(shape.filters):
        of, own = f"{name}_{block + 1}", weights[3 * block : 3 * block + 3]
        convolve = layers.Conv2D(
            n_filters, 3, padding="same", use_bias=False, name=f"convolve_{of}"
        )
        normalise = layers.GroupNormalization(
            GROUPS, epsilon=EPSILON, name=f"norm_{of}"
        )
        pooled = layers.MaxPooling2D(2, name=f"pool_{of}")(convolve(hidden))
        hidden = layers.Activation(shape.activation, name=f"bend_{of}")(
            normalise(pooled)
        )
        convolve.set_weights(own[:1])
        normalise.set_weights(own[1:])
    end = layers.Flatten if shape.flat else layers.GlobalAveragePooling2D
    features = end(name=f"features_{name}")(hidden)
    if shape.n_inputs > shape.n_pixels:
        others = _columns(inputs, shape.n_pixels, shape.n_inputs, f"others_{name}")
        features = layers.Concatenate(name=f"all_{name}")([features, others])
    dense = layers.Dense(
        shape.n_outputs,
        activation="softmax" if shape.n_outputs > 1 else None,
        name=f"outputs_{name}",
    )
    outputs = layers.Reshape((1, shape.n_outputs), name=f"member_{name}")(
        dense(features)
    )
    dense.set_weights(weights[-2:])
    return outputs


def _pixels(inputs: Any, shape: ImageShape, name: str) -> Any:
    form = (shape.height, shape.width, shape.channels)
    if shape.n_inputs > shape.n_pixels:
        inputs = _columns(inputs, 0, shape.n_pixels, f"pixels_{name}")
    return keras.layers.Reshape(form, name=f"image_{name}")(inputs)


def _columns(inputs: Any, first: int, end: int, name: str) -> Any:
    """Return some columns of the inputs, shape (n_rows, end - first)."""
    layers, n_inputs = keras.layers, inputs.shape[1]
    columns = layers.Reshape((n_inputs, 1), name=f"columns_{name}")(inputs)
    cut = layers.Cropping1D((first, n_inputs - end), name=f"cut_{name}")(columns)
    return layers.Flatten(name=name)(cut)


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
