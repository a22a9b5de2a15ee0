"""The operators of a bundle's network: which there are, and what shape comes of which shapes.

One axis of every value is that of the rows. All others have lengths that the file alone decides, so that
what a network takes is bounded before any runtime sees it: no value can grow step by step, for columns are
joined once, and numbers combined with a constant are as many as one of both has.
"""

import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.formats.checks import shown
from assay.predict.onnx_file import INPUT, OUTPUT, Graph, Node
from assay.predict.unfit import Unfit

ROWS = -1  # the length of the axis of rows, which only a table has
MOST_VALUES = 2**26  # of a row, in all nodes
MOST_PRODUCTS = 2**32  # of a row
_LONGEST_SIDE = 64  # of an image
Shape = tuple[int, ...]
Attributes = Mapping[str, float | int | tuple[int, ...]]


class Operand(NamedTuple):
    """An input of a node.

    Attributes
    ----------
    numbers
        Of a constant.
    joined
        0: nothing was joined on the way to it; 1: columns were; 2: members were.
    """

    shape: Shape
    numbers: NDArray[Any] | None = None
    joined: int = 0

    @property
    def size(self) -> int:
        """How many numbers it has, of a row."""
        return abs(prod(self.shape))

    @property
    def letter(self) -> str:
        """``v``: a value that depends on rows; ``f``, ``i``: constant numbers, constant whole numbers."""
        return "v" if self.numbers is None else self.numbers.dtype.kind


class Operator(NamedTuple):
    """An operator: the pattern of its operands, the attributes it can have, and its rule of shapes."""

    operands: str
    shape: Callable[..., Shape]
    attributes: tuple[Attributes, ...] = ({},)


def values_a_row(graph: Graph) -> int:
    """Return how many numbers all nodes of a graph give for a row.

    Raises
    ------
    Unfit
        If the graph has an operator, an attribute or a shape that Assay does not write, or takes more
        memory or time for a row than a network may.
    """
    values = {INPUT: Operand((ROWS, graph.n_inputs))}
    constants = {name: Operand(n.shape, n) for name, n in graph.constants.items()}
    n_values, n_products = graph.n_inputs, 0
    for node in graph.nodes:
        operands = [_operand(name, values, constants) for name in node.inputs]
        made = _made(node, operands)
        if not node.output or node.output in values or node.output in graph.constants:
            raise Unfit("predict.graph.twice", name=shown(node.output))
        values[node.output] = made
        n_values += made.size
        n_products += made.size * _terms(node, operands)
        if n_values > MOST_VALUES or n_products > MOST_PRODUCTS:
            most = {"most": MOST_VALUES, "most_products": MOST_PRODUCTS}
            raise Unfit("predict.graph.too_large", **most)
    output = values.get(OUTPUT)
    if output is None or output.shape != (ROWS, graph.n_outputs) or constants:
        raise Unfit("predict.graph.not_whole")
    return n_values


def _operand(
    name: str, values: dict[str, Operand], constants: dict[str, Operand]
) -> Operand:
    """Return an input of a node; a constant is used once."""
    operand = values.get(name) or constants.pop(name, None)
    if operand is None:
        raise Unfit("predict.graph.no_such_input", name=shown(name))
    return operand


def _made(node: Node, operands: list[Operand]) -> Operand:
    """Return what a node makes of its inputs."""
    operator = OPERATORS.get(node.operator)
    if operator is None:
        raise Unfit("predict.graph.foreign", what=shown(node.operator))
    if node.attributes not in operator.attributes:
        what = f"{node.operator} {shown(dict(node.attributes))}"
        raise Unfit("predict.graph.foreign", what=what)
    letters = "".join(operand.letter for operand in operands)
    try:
        _must(bool(re.fullmatch(operator.operands, letters)))
        shape = operator.shape(*operands, **node.attributes)
        _must(shape.count(ROWS) == 1)
    except (ValueError, IndexError):
        shapes = shown([operand.shape for operand in operands])
        raise Unfit(
            "predict.graph.shapes", node=shown(node.output), shapes=shapes
        ) from None
    joined = max(operand.joined for operand in operands)
    if node.operator == "Concat":
        joined = 1 if node.attributes["axis"] == 1 else 2
    return Operand(shape, None, joined)


def _must(fits: bool) -> None:
    """Refuse operands that do not fit an operator."""
    if not fits:
        raise ValueError


def _terms(node: Node, operands: list[Operand]) -> int:
    """Return how many products each number of a node's output takes."""
    if node.operator == "Conv":
        return prod(operands[1].shape[1:])
    return operands[1].shape[-2] if node.operator in ("MatMul", "Gemm") else 1


# Shapes --------------------------------------------------------------------------------------------


def _same(value: Operand, **_: object) -> Shape:
    return value.shape


def _clipped(value: Operand, low: Operand, high: Operand) -> Shape:
    _must(low.shape == high.shape == (1,))
    return value.shape


def _broadcast(one: Operand, other: Operand) -> Shape:
    """Return the shape of numbers combined one by one; no more of them than the larger operand has."""
    lengths = []
    pairs = zip_longest(reversed(one.shape), reversed(other.shape), fillvalue=1)
    for m, n in pairs:
        _must(m == n or 1 in (m, n))
        lengths.append(n if m == 1 else m)
    _must(abs(prod(lengths)) == max(one.size, other.size))
    return tuple(reversed(lengths))


def _product(value: Operand, kernel: Operand, *biases: Operand) -> Shape:
    *leading, n_in, n_out = kernel.shape
    _must(len(value.shape) == len(kernel.shape) <= 3)
    _must([*value.shape[:-2]] == leading and value.shape[-1] == n_in)
    _must(all(each.shape == (n_out,) and not leading for each in biases))
    return (*value.shape[:-1], n_out)


def _joined(*parts: Operand, axis: int) -> Shape:
    """Return the shape of two columns, or of all members, side by side; each once on the way to a value."""
    shapes = [list(part.shape) for part in parts]
    _must(len(parts) == 2 or axis == 0)
    _must(all(part.joined < 2 - axis for part in parts))
    _must(all(shape[axis] != ROWS for shape in shapes))
    length = sum(shape[axis] for shape in shapes)
    for shape in shapes:
        shape[axis] = length
    _must(all(shape == shapes[0] for shape in shapes))
    return tuple(shapes[0])


def _mean(value: Operand, *, axes: tuple[int, ...], **_: object) -> Shape:
    _must(max(axes) < len(value.shape))
    return tuple(n for axis, n in enumerate(value.shape) if axis not in axes)


def _reshaped(value: Operand, target: Operand) -> Shape:
    first, *others = _whole(target)
    _must(first == 0 and value.shape[0] == ROWS and min(others) > 0)
    _must(prod(others) == prod(value.shape[1:]))
    return (ROWS, *others)


def _columns(value: Operand, first: Operand, end: Operand, axis: Operand) -> Shape:
    [start], [stop], [along] = map(_whole, (first, end, axis))
    n_rows, n_columns = value.shape
    _must(along == 1 and n_rows == ROWS and 0 <= start < stop <= n_columns)
    return (ROWS, stop - start)


def _unsqueezed(value: Operand, axis: Operand) -> Shape:
    _must(_whole(axis) == [0])
    return (1, *value.shape)


def _transposed(value: Operand, *, perm: tuple[int, ...]) -> Shape:
    _must(len(perm) == len(value.shape))
    return tuple(value.shape[axis] for axis in perm)


def _convolved(maps: Operand, kernel: Operand, **_: object) -> Shape:
    n_rows, n_in, height, width = maps.shape
    _must(n_rows == ROWS and max(height, width) <= _LONGEST_SIDE)
    _must(kernel.shape[1:] == (n_in, 3, 3))
    return (ROWS, kernel.shape[0], height, width)


def _pooled(maps: Operand, **_: object) -> Shape:
    n_rows, n_maps, height, width = maps.shape
    _must(n_rows == ROWS and min(height, width) > 1)
    return (ROWS, n_maps, height // 2, width // 2)


def _normalised(
    groups: Operand, scales: Operand, shifts: Operand, **_: object
) -> Shape:
    n_rows, n_groups, _length = groups.shape
    _must(n_rows == ROWS and scales.shape == shifts.shape == (n_groups,))
    return groups.shape


def _whole(operand: Operand) -> list[int]:
    """Return constant whole numbers."""
    _must(operand.numbers is not None and len(operand.shape) == 1)
    return [] if operand.numbers is None else [int(n) for n in operand.numbers]


_HALVES = {"kernel_shape": (2, 2), "strides": (2, 2)}
OPERATORS: dict[str, Operator] = {
    "Add": Operator("vf", _broadcast),
    "Clip": Operator("vff", _clipped),
    "Concat": Operator("vv+", _joined, ({"axis": 0}, {"axis": 1})),
    "Conv": Operator("vf", _convolved, ({"pads": (1, 1, 1, 1)},)),
    "Gemm": Operator("vff", _product),
    "Identity": Operator("v", _same),
    "InstanceNormalization": Operator(
        "vff", _normalised, ({"epsilon": float(np.float32(1e-3))},)
    ),
    "MatMul": Operator("vf", _product),
    "MaxPool": Operator("v", _pooled, (_HALVES,)),
    "Mul": Operator("v[vf]", _broadcast),
    "ReduceMean": Operator(
        "v",
        _mean,
        ({"axes": (0,), "keepdims": 0}, {"axes": (2, 3), "keepdims": 0}),
    ),
    "Relu": Operator("v", _same),
    "Reshape": Operator("vi", _reshaped),
    "Selu": Operator("v", _same),
    "Sigmoid": Operator("v", _same),
    "Slice": Operator("viii", _columns),
    "Softmax": Operator("v", _same, ({"axis": -1},)),
    "Sub": Operator("vf", _broadcast),
    "Transpose": Operator(
        "v", _transposed, tuple({"perm": p} for p in ((0, 3, 1, 2), (0, 2, 3, 1), (1, 0, 2)))
    ),
    "Unsqueeze": Operator("vi", _unsqueezed),
}  # fmt: skip
