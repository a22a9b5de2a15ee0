"""The network: its shape, its encoding of numbers, its weights, in plain NumPy.

A fully connected network on a row of prepared inputs. The numeric inputs may also be encoded piece
by piece: each piece of a column is an input that rises from 0 to 1 between two of its quantiles
(Gorishniy, Rubachev & Babenko 2022, "On embeddings for numerical features in tabular deep
learning"), so that a first layer can follow any bend of the column.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.networks.conv_spec import ImageShape
from assay.store.canonical import digest_array, digest_json

Weights = tuple[NDArray[np.float32], ...]
Activation = Literal["relu", "silu", "selu"]

_NARROWEST = 1e-3  # of a piece, in spreads of its column: narrower ones join
_OF_NUMBERS = 0.9  # share of the first layer's variance that the numbers start with
_FEWEST_PIECES = 3  # of a column worth encoding; two levels are told apart as they are


@dataclass(frozen=True)
class Encoding:
    """Where the pieces of the leading input columns begin, and how steeply they rise.

    Attributes
    ----------
    edges, slopes : shape (n_columns, n_pieces)
        Input x of a column becomes ``clip((x - edge) * slope, 0, 1) - 0.5`` for each piece. Columns
        with fewer pieces have slopes of 0 in the places left.
    """

    edges: NDArray[np.float32]
    slopes: NDArray[np.float32]

    @property
    def sizes(self) -> tuple[int, int]:
        """How many columns, and into how many pieces each."""
        n_columns, n_pieces = self.slopes.shape
        return n_columns, n_pieces

    def apply(self, inputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the inputs with the pieces of the leading columns behind them."""
        pieces = self.pieces(inputs[:, : len(self.slopes)])
        return np.concatenate([inputs, pieces], axis=1)

    def pieces(
        self, columns: NDArray[np.floating[Any]], first: int = 0
    ) -> NDArray[np.float64]:
        """Return the pieces of some columns, the encoding's from the ``first`` on."""
        which = slice(first, first + columns.shape[1])
        leading = columns[:, :, None].astype(np.float64)
        rising = (leading - self.edges[which]) * self.slopes[which]
        return (np.clip(rising, 0.0, 1.0) - 0.5).reshape(len(columns), -1)


def encoding(columns: NDArray[np.float32], n_pieces: int) -> Encoding | None:
    """Fit pieces to training rows; None where no column has enough different values.

    Parameters
    ----------
    columns : shape (n_train, n_columns)
        Scaled numeric inputs. Pieces end at equally spaced quantiles, those closer than a
        thousandth of a spread taken together. After the last column with pieces none is kept.
    """
    starts, slopes = np.zeros((2, columns.shape[1], n_pieces), dtype=np.float32)
    shares = np.linspace(0.0, 1.0, n_pieces + 1)
    for number, column in enumerate(columns.T):
        edges = _apart(np.quantile(column.astype(np.float64), shares))
        if len(edges) <= _FEWEST_PIECES:
            continue
        starts[number, : len(edges) - 1] = edges[:-1]
        slopes[number, : len(edges) - 1] = 1.0 / np.diff(edges)
    n_encoded = 1 + np.flatnonzero(slopes.any(axis=1)).max(initial=-1)
    return Encoding(starts[:n_encoded], slopes[:n_encoded]) if n_encoded else None


def _apart(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = [float(edges[0])]
    for edge in edges[1:]:
        if edge - kept[-1] > _NARROWEST:
            kept.append(float(edge))
    return np.array(kept)


@dataclass(frozen=True)
class Shape:
    """A fully connected network with hidden layers of these widths.

    With two outputs or more a softmax at the end, a probability for each class; with one output a
    number. ``encoded`` is the number of columns and of pieces of each, (0, 0) without an encoding.
    """

    n_inputs: int
    n_outputs: int
    widths: tuple[int, ...]
    activation: Activation = "relu"
    encoded: tuple[int, int] = (0, 0)

    @property
    def rows_at_once(self) -> int:
        """How many stopping rows are computed at a time: 2 MB of a network's widest layer."""
        widest = max(n_in for n_in, _ in self.layers())
        return max(16, 2**19 // widest // 16 * 16)

    @property
    def n_pieces(self) -> int:
        n_columns, of_each = self.encoded
        return n_columns * of_each

    def layers(self) -> list[tuple[int, int]]:
        """Return inputs and outputs of each layer, first to last."""
        sizes = [self.n_inputs + self.n_pieces, *self.widths, self.n_outputs]
        return list(itertools.pairwise(sizes))

    def arrays(self) -> list[tuple[int, ...]]:
        """Return the forms of the weights: kernel and biases of each layer."""
        return [
            form for n_in, n_out in self.layers() for form in ((n_in, n_out), (n_out,))
        ]

    def first_weights(self, seed: int) -> Weights:
        return first_weights(self, seed)


@dataclass(frozen=True)
class Net:
    """A network with weights.

    Attributes
    ----------
    weights
        Kernels ``(n_in, n_out)`` and biases ``(n_out,)`` in turn, first layer to last; of a network
        for images as :meth:`ImageShape.arrays` has them.
    image
        The shape of a network for images; None: a fully connected one.
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
        pieces = self.encoding.slopes.size if self.encoding else 0
        return len(self.weights[0]) - pieces

    @property
    def size(self) -> int:
        """Bytes of the fitted numbers."""
        return sum(one.nbytes for one in self._arrays())

    def digest(self) -> str:
        """Return a digest of the arrays, whatever file they lie in."""
        image = [asdict(self.image)] if self.image else []
        return digest_json(
            [self.activation, *image, *map(digest_array, self._arrays())]
        )

    def _arrays(self) -> Weights:
        known = self.encoding
        return (*self.weights, *((known.edges, known.slopes) if known else ()))


def first_weights(shape: Shape, seed: int) -> Weights:
    """Draw kernels and zero biases, alternating from the first layer to the last.

    He's normal initialisation for the hidden layers (He et al. 2015), half its variance for the
    output layer, which no rectifier follows. Of a first layer's variance nine tenths lie with the
    inputs themselves, whatever the number of their pieces.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    weights: list[NDArray[np.float32]] = []
    for number, (n_in, n_out) in enumerate(shape.layers()):
        gain = 2.0 if number < len(shape.widths) else 1.0
        kernel = generator.normal(0.0, np.sqrt(gain / n_in), (n_in, n_out))
        if number == 0 and shape.n_pieces:
            kernel *= _shares(shape)[:, None]
        weights += [kernel.astype(np.float32), np.zeros(n_out, np.float32)]
    return tuple(weights)


def _shares(shape: Shape) -> NDArray[np.float64]:
    """Return by what the first kernel's rows are multiplied, which keeps their total variance.

    Spread evenly, it would lie with the pieces, which are many, and a network would start deaf to
    the numbers themselves: on smooth truths it then stayed behind one without pieces.
    """
    n_in = shape.n_inputs + shape.n_pieces
    numbers = np.full(shape.n_inputs, np.sqrt(n_in * _OF_NUMBERS / shape.n_inputs))
    pieces = np.full(shape.n_pieces, np.sqrt(n_in * (1 - _OF_NUMBERS) / shape.n_pieces))
    return np.concatenate([numbers, pieces])


def in_units(weights: Weights, centre: float, scale: float) -> Weights:
    """Return the network whose outputs are ``centre + scale * outputs`` of this one."""
    *hidden, kernel, bias = weights
    return (
        *hidden,
        (kernel * scale).astype(np.float32),
        (bias * scale + centre).astype(np.float32),
    )


# Many networks -----------------------------------------------------------------------------------


def alike(nets: Sequence[Net]) -> list[list[int]]:
    """Return the places of networks that can be computed together: equal sizes, one encoding."""
    groups: dict[Any, list[int]] = {}
    for place, net in enumerate(nets):
        key = (
            net.activation,
            id(net.encoding),
            net.image,
            tuple(one.shape for one in net.weights),
        )
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def nets_digest(nets: Sequence[Net]) -> str:
    """Return a digest of networks in their order."""
    return digest_json([net.digest() for net in nets])


def pack_nets(nets: Sequence[Net]) -> dict[str, NDArray[Any]]:
    """Return networks as named arrays: ``member_layer``, each encoding once, and a form in JSON."""
    known = list(
        {id(net.encoding): net.encoding for net in nets if net.encoding}.values()
    )
    places = {id(one): number for number, one in enumerate(known)}
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
    for number, one in enumerate(known):
        arrays |= {f"edges_{number}": one.edges, f"slopes_{number}": one.slopes}
    text = json.dumps(form, sort_keys=True).encode()
    return arrays | {"form": np.frombuffer(text, dtype=np.uint8)}


def unpack_nets(arrays: Mapping[str, NDArray[Any]]) -> tuple[Net, ...]:
    """Return what :func:`pack_nets` packed."""
    form = json.loads(arrays["form"].tobytes())
    n_encodings = sum(name.startswith("slopes_") for name in arrays)
    known = [
        Encoding(arrays[f"edges_{number}"], arrays[f"slopes_{number}"])
        for number in range(n_encodings)
    ]
    return tuple(
        Net(
            tuple(arrays[f"{m}_{i}"] for i in range(one["n_arrays"])),
            one["activation"],
            None if one["encoding"] is None else known[one["encoding"]],
            _image_shape(one["image"]) if one["image"] else None,
        )
        for m, one in enumerate(form)
    )


def _image_shape(values: dict[str, Any]) -> ImageShape:
    return ImageShape(**values | {"filters": tuple(values["filters"])})
