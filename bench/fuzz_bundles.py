"""Bundles of strangers: one file of a valid bundle is another, under digests that hold; then rows are predicted.

Bytes are damaged, or what they mean is: a value of a JSON, an array of ``prep.npz``, a node, a shape or
the numbers of the network.
"""

import io
import json
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from assay.predict import Bundle
from assay.predict.command import predict_file
from assay.predict.operators import OPERATORS
from bench.mutate import mutated
from tests.bundle_factories import FILES, make_bundle, packed, write_bundle
from tests.factories import make_rule

N_ROWS = 40
_N_PREDICTED = 5
_SHARE_OF_BYTES = 0.3
_ODD: tuple[Any, ...] = (
    None, True, "", "x", "a\nb", "\ud800", "%Y %Y", "(", 0, -1, 2, 1e308, -0.0, float("nan"), float("inf"),
    10**400, [], ["x"], [[]], {}, {"a": 1}, {"name": "height"}, [0, 0, 0], "text", "date", "number", "height",
)  # fmt: skip


def bundle_case(draw: random.Random, folder: Path) -> str:
    """Predict from a bundle that is damaged in one place, by columns in memory or to a file."""
    files, table = draw.choice(_bundles())
    name = draw.choice([*FILES, "manifest.json"])
    bundle = folder / "bundle"
    for old in bundle.glob("*"):
        old.unlink()
    write_bundle(bundle, files)
    ours = files.get(name, (bundle / "manifest.json").read_bytes())
    content = damaged(name, ours, draw)
    if name == "manifest.json":
        (bundle / name).write_bytes(content)
    else:
        write_bundle(bundle, files | {name: content})
    if draw.random() < 0.2:
        rows, output = folder / "rows.jsonl", folder / "predicted.csv"
        table.to_json(rows, orient="records", lines=True)
        predict_file(bundle, rows, output)
    else:
        Bundle.open(bundle).predict({str(c): table[c].tolist() for c in table})
    return name


def damaged(name: str, content: bytes, draw: random.Random) -> bytes:
    """Return a file of a bundle damaged in its bytes, or in what they mean."""
    if draw.random() < _SHARE_OF_BYTES:
        return mutated(content, draw)
    if name.endswith(".json"):
        text = json.dumps(altered(json.loads(content), draw))
        return text.encode()
    if name.endswith(".npz"):
        return _altered_arrays(content, draw)
    return _altered_graph(content, draw)


# Valid ones ----------------------------------------------------------------------------------------


@cache
def _bundles() -> list[tuple[dict[str, bytes], pd.DataFrame]]:
    """Return the files of some bundles, each with rows to predict; they have every kind of column and layer."""
    rng = np.random.default_rng(0)
    answer = np.where(np.arange(N_ROWS) % 2, "yes", "no")
    table = pd.DataFrame(
        {
            "height": np.where(rng.random(N_ROWS) < 0.2, np.nan, rng.normal(170, 10, N_ROWS)),
            "weight": rng.normal(70, 9, N_ROWS),
            "member": rng.random(N_ROWS) < 0.5,
            "town": rng.choice(["Busan", "Daegu", "서울", None], N_ROWS),
            "price": rng.choice(["$4.50", "$1,000", "$7"], N_ROWS),
            "day": rng.choice(["2020-01-02", "2021-05-06"], N_ROWS),
            "sold": rng.choice(["02.01.2022", "03.04.2023"], N_ROWS),
            "tags": rng.choice(["Drama, Comedy", "Drama", "Crime, Drama"], N_ROWS),
            "note": rng.choice(["매운 라면", "very spicy noodles", "noodles with 김치"], N_ROWS),
            "answer": answer,
        }
    )  # fmt: skip
    clean = {
        "numbers": ["price"],
        "dates": ["day", {"column": "sold", "format": "%d.%m.%Y", "since": "day"}],
        "lists": ["tags"],
        "text": ["note"],
        "spellings": {"town": {"서울": "Seoul"}},
    }
    rules = (
        make_rule("expect_column_values_to_be_between", "height", "warning", column="height", min_value=100, max_value=190),
        make_rule("expect_column_values_to_match_regex", "town", "warning", column="town", regex="^[A-Z]"),
        make_rule("expect_column_value_lengths_to_be_between", "note", "warning", column="note", min_value=1, max_value=99),
        make_rule("expect_column_values_to_be_in_set", "set", "warning", column="town", value_set=["Busan", "서울"]),
        make_rule("expect_column_values_to_match_strftime_format", "day", "warning", column="sold", strftime_format="%d.%m.%Y"),
    )  # fmt: skip
    pixels = pd.DataFrame(rng.integers(0, 255, (N_ROWS, 8 * 8)).astype(np.float64))
    pixels.columns = pd.Index([f"pixel_{n:04}" for n in range(64)])
    image = {"height": 8, "width": 8, "channels": 1, "denoise": "median"}
    numbers = table[["height", "weight"]].assign(answer=rng.normal(size=N_ROWS))
    of_numbers = {"task": "regression", "metric": "r2", "at_least": 0.1}
    return [
        _made(table, rules, clean=clean),
        _made(pixels.assign(answer=answer), (), clean={"image": image}),
        _made(numbers, (), clean={"scale": "power"}, **of_numbers),
        _made(numbers, (), clean={"scale": "quantile"}, **of_numbers),
    ]


def _made(
    table: pd.DataFrame, rules: tuple[dict[str, Any], ...], **changes: Any
) -> tuple[dict[str, bytes], pd.DataFrame]:
    with tempfile.TemporaryDirectory() as folder:
        made = make_bundle(Path(folder) / "b", table, rules, **changes)
        files = {name: (made.folder / name).read_bytes() for name in FILES}
    rows = table.drop(columns="answer").astype(object)[:_N_PREDICTED]
    return files, rows.where(rows.notna(), None)


# What the bytes mean -------------------------------------------------------------------------------


def altered(value: Any, draw: random.Random) -> Any:
    """Return JSON with a value in it replaced, left out, doubled or moved."""
    if isinstance(value, dict) and value and draw.random() < 0.93:
        key = draw.choice(list(value))
        if draw.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        if draw.random() < 0.05:
            return value | {draw.choice(["x", "", key + "2"]): value[key]}
        return value | {key: altered(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.93:
        at = draw.randrange(len(value))
        if draw.random() < 0.1:
            return [*value[:at], *value[at + 1 :]]
        if draw.random() < 0.1:
            return [*value, value[at]]
        return [*value[:at], altered(value[at], draw), *value[at + 1 :]]
    return draw.choice(_ODD)


def _altered_arrays(content: bytes, draw: random.Random) -> bytes:
    with np.load(io.BytesIO(content)) as saved:
        arrays = {name: saved[name] for name in saved.files}
    name = draw.choice(list(arrays))
    ways: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
        lambda a: a[..., :-1] if a.ndim else a,
        lambda a: np.concatenate([a, a], axis=-1) if a.ndim else a,
        lambda a: a[None],
        lambda a: a.T,
        lambda a: np.full_like(a, draw.choice([0, -1, 7])),
        lambda a: np.where(
            np.arange(a.size).reshape(a.shape) == 0,
            draw.choice([np.nan, np.inf, -np.inf, 1e308, -5e-324, 0.0]),
            a,
        ),
        lambda a: a.astype(
            draw.choice(["f4", "f2", "i8", "u1", "?", "U3", "M8[s]", "c16", ">f8"])
        ),
        lambda a: np.zeros((0, *a.shape[1:]), a.dtype),
    ]
    if draw.random() < 0.1:
        del arrays[name]
    elif draw.random() < 0.1:
        arrays[name + draw.choice(["2", "/x", "é"])] = arrays[name]
    else:
        with np.errstate(all="ignore"):
            arrays[name] = draw.choice(ways)(arrays[name])
    return packed(arrays)


def _altered_graph(content: bytes, draw: random.Random) -> bytes:
    model = onnx.load_from_string(content)
    for _ in range(draw.randint(1, 2)):
        draw.choice(_GRAPH_WAYS)(model, draw)
    return bytes(model.SerializeToString())


def _other_operator(model: onnx.ModelProto, draw: random.Random) -> None:
    foreign = ["Loop", "If", "Tile", "Expand", "ConstantOfShape", "Range", "Gather", "Exp", ""]  # fmt: skip
    draw.choice(model.graph.node).op_type = draw.choice([*OPERATORS, *foreign])


def _other_inputs(model: onnx.ModelProto, draw: random.Random) -> None:
    node = draw.choice(model.graph.node)
    names = ["features", "predictions", ""]
    names += [name for other in model.graph.node for name in other.output]
    names += [constant.name for constant in model.graph.initializer]
    node.input[draw.randrange(len(node.input))] = draw.choice(names)


def _other_attribute(model: onnx.ModelProto, draw: random.Random) -> None:
    node = draw.choice(model.graph.node)
    key = draw.choice(["axis", "axes", "perm", "keepdims", "pads", "dilations", "body", "value"])  # fmt: skip
    value = draw.choice([0, 1, -1, 2**62, 0.5, [0], [2, 1, 0], [2**40, 2**40], "x", model.graph])  # fmt: skip
    kept = [attribute for attribute in node.attribute if attribute.name != key]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(key, value)])


def _other_constant(model: onnx.ModelProto, draw: random.Random) -> None:
    constant = draw.choice(model.graph.initializer)
    whole = constant.data_type == TensorProto.INT64
    array = np.frombuffer(constant.raw_data, np.int64 if whole else np.float32)
    big = draw.choice([0, -1, 1, 2**20, 2**31, 2**62])
    if whole and array.size:
        changed = array.copy()
        changed[draw.randrange(array.size)] = big
    else:
        shape = [max(0, min(n, 50)) for n in constant.dims] or [1]
        shape[draw.randrange(len(shape))] = draw.choice([0, 1, 2, 3, 2000])
        changed = np.full(shape, draw.choice([0.1, np.nan, 3e38]), np.float32)
    constant.CopyFrom(numpy_helper.from_array(changed, constant.name))


def _other_dims(model: onnx.ModelProto, draw: random.Random) -> None:
    constant = draw.choice(model.graph.initializer)
    constant.dims[:] = [draw.choice([0, 1, -1, 3, 2**20, 2**62]) for _ in range(draw.randint(0, 3))]  # fmt: skip


def _other_ends(model: onnx.ModelProto, draw: random.Random) -> None:
    end = draw.choice([model.graph.input[0], model.graph.output[0]])
    size = draw.choice([["n_rows", 10**9], ["n_rows", 3], [1, 2], [], None, [2**62, "x"]])  # fmt: skip
    kind = draw.choice([TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING])
    name = draw.choice([end.name, "x"])
    end.CopyFrom(helper.make_tensor_value_info(name, kind, size))


def _further_part(model: onnx.ModelProto, draw: random.Random) -> None:
    graph = model.graph
    first = graph.node[0].input[0]
    match draw.randrange(9):
        case 0:
            graph.node.append(graph.node[draw.randrange(len(graph.node))])
        case 1:
            graph.node.insert(0, helper.make_node("ConstantOfShape", [first], ["big"]))
        case 2:
            helper.set_model_props(model, {"ort_config": "{}"})
        case 3:
            model.functions.append(helper.make_function("d", "f", [], [], [], []))
        case 4:
            model.opset_import.append(helper.make_opsetid("com.evil", 1))
        case 5:
            model.ir_version = draw.choice([0, 3, 9, 2**40])
        case 6:
            tensor = draw.choice(graph.initializer)
            tensor.data_location = TensorProto.EXTERNAL
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", "/etc/passwd"
        case 7:
            del graph.node[draw.randrange(len(graph.node))]
        case _:
            graph.initializer.append(draw.choice(graph.initializer))


def _wider(model: onnx.ModelProto, draw: random.Random) -> None:
    """Put a chain before the last node that makes its values ever wider."""
    last = model.graph.node[-1]
    name = last.input[0]
    for number in range(draw.choice([1, 8, 40])):
        made = f"wide{number}"
        node = helper.make_node("Concat", [name, name], [made], axis=1)
        model.graph.node.insert(len(model.graph.node) - 1, node)
        name = made
    last.input[0] = name


_GRAPH_WAYS: list[Callable[[onnx.ModelProto, random.Random], None]] = [
    _other_operator,
    _other_inputs,
    _other_attribute,
    _other_constant,
    _other_constant,
    _other_dims,
    _other_ends,
    _further_part,
    _wider,
]
