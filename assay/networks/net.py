"""A network with its weights, and how networks are grouped, digested and stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import ImageShape
from assay.networks.encoding import Encoding
from assay.networks.spec import Activation, Weights
from assay.store.canonical import digest_array, digest_json


@dataclass(frozen=True)
class Net:
    """A network with weights.

    Attributes
    ----------
    weights
        Kernels ``(n_in, n_out)`` and biases ``(n_out,)`` in turn, first layer to last; of a
        convolutional network as :meth:`ImageShape.arrays` lists them.
    image
        The shape of a convolutional network; None for a fully connected one.
    """

    weights: Weights
    activation: Activation = "relu"
    encoding: Encoding | None = None
    image: ImageShape | None = None

    @property
    def n_outputs(self) -> int:
        return len(self.weights[-1])

    @property
    def n_inputs(self) -> int:
        if self.image:
            return self.image.n_inputs
        n_pieces = self.encoding.slopes.size if self.encoding else 0
        return len(self.weights[0]) - n_pieces

    @property
    def size(self) -> int:
        """Bytes of the fitted numbers."""
        return sum(array.nbytes for array in self._arrays())

    def digest(self) -> str:
        """Return a digest of the arrays, whatever file they are stored in."""
        image = [asdict(self.image)] if self.image else []
        return digest_json(
            [self.activation, *image, *map(digest_array, self._arrays())]
        )

    def _arrays(self) -> Weights:
        if self.encoding is None:
            return self.weights
        return (*self.weights, self.encoding.edges, self.encoding.slopes)


def in_units(weights: Weights, centre: float, scale: float) -> Weights:
    """Return the weights of a network whose outputs are ``centre + scale * outputs`` of this one."""
    *hidden, kernel, bias = weights
    return (
        *hidden,
        (kernel * scale).astype(np.float32),
        (bias * scale + centre).astype(np.float32),
    )


def grouped(nets: Sequence[Net]) -> list[list[int]]:
    """Return the places of networks that can be computed together: equal sizes, one encoding."""
    groups: dict[Any, list[int]] = {}
    for place, net in enumerate(nets):
        sizes = tuple(array.shape for array in net.weights)
        key = (net.activation, id(net.encoding), net.image, sizes)
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def nets_digest(nets: Sequence[Net]) -> str:
    """Return a digest of networks in their order."""
    return digest_json([net.digest() for net in nets])


def pack_nets(nets: Sequence[Net]) -> dict[str, NDArray[Any]]:
    """Return networks as named arrays: ``member_layer``, each encoding once, and a form in JSON."""
    distinct = {id(net.encoding): net.encoding for net in nets if net.encoding}
    encodings = [*distinct.values()]
    places = {id(encoding): place for place, encoding in enumerate(encodings)}
    form = [
        {
            "activation": net.activation,
            "n_arrays": len(net.weights),
            "encoding": places.get(id(net.encoding)),
            "image": asdict(net.image) if net.image else None,
        }
        for net in nets
    ]
    arrays: dict[str, NDArray[Any]] = {
        f"{m}_{i}": layer
        for m, net in enumerate(nets)
        for i, layer in enumerate(net.weights)
    }
    for place, encoding in enumerate(encodings):
        arrays[f"edges_{place}"] = encoding.edges
        arrays[f"slopes_{place}"] = encoding.slopes
    text = json.dumps(form, sort_keys=True).encode()
    return arrays | {"form": np.frombuffer(text, dtype=np.uint8)}


def unpack_nets(arrays: Mapping[str, NDArray[Any]]) -> tuple[Net, ...]:
    """Return what :func:`pack_nets` packed."""
    form = json.loads(arrays["form"].tobytes())
    n_encodings = sum(name.startswith("slopes_") for name in arrays)
    encodings = [
        Encoding(arrays[f"edges_{place}"], arrays[f"slopes_{place}"])
        for place in range(n_encodings)
    ]
    return tuple(
        Net(
            tuple(arrays[f"{m}_{i}"] for i in range(net["n_arrays"])),
            net["activation"],
            None if net["encoding"] is None else encodings[net["encoding"]],
            _image_shape(net["image"]) if net["image"] else None,
        )
        for m, net in enumerate(form)
    )


def _image_shape(values: dict[str, Any]) -> ImageShape:
    return ImageShape(**values | {"filters": tuple(values["filters"])})
