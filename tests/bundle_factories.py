"""Makers of bundles for the tests: real forms and graphs, of networks that nobody trained."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from assay.data import columns
from assay.data.clean import clean_table
from assay.data.samples import Samples
from assay.networks import reference
from assay.networks.conv_spec import ImageShape
from assay.networks.net import Net
from assay.networks.spec import Shape
from assay.networks.to_onnx import as_onnx
from assay.predict.bundle import Bundle
from assay.predict.manifest import described
from assay.predict.schema import Form
from assay.preprocess import fit as preprocess
from assay.preprocess.fit import Preparation
from assay.preprocess.schema import Tables, form_of
from assay.store.store import Store
from assay.study.plans import CleanPlan, Plan
from tests.factories import make_plan, make_report, make_table
from tests.net_factories import members_of

FILES = ("net.onnx", "prep.json", "prep.npz", "suite.json")
TOWNS = make_table(80).drop(columns="weight")


@dataclass(frozen=True)
class Made:
    """A bundle on disk, and the training side of it."""

    folder: Path
    plan: Plan
    samples: Samples
    preparation: Preparation
    members: tuple[Net, ...]
    form: Form

    def opened(self) -> Bundle:
        return Bundle.open(self.folder)

    def features(self, raw: pd.DataFrame) -> pd.DataFrame:
        """What training makes of rows before any fitted step."""
        read = columns.read(raw, self.plan.clean, [])
        return columns.typed(columns.in_parts(read, self.plan.clean, self.plan.order))

    def trained(self, raw: pd.DataFrame) -> NDArray[np.float64]:
        """What the networks predict of rows, by training's own preparation."""
        return predicted(self.members, self.preparation.apply(self.features(raw)))


def make_bundle(
    folder: Path,
    raw: pd.DataFrame,
    rules: tuple[dict[str, Any], ...] = (),
    **changes: Any,
) -> Made:
    """Write a bundle for a table; ``changes`` are keys of its plan, ``clean`` a dict."""
    plan = Plan.model_validate(make_plan(**changes))
    samples = clean_table(raw, make_report(), plan.cleaning())
    preparation = preprocess.fit(samples.features, plan.clean, wide=True)
    members = members_for(preparation, plan.clean, max(1, len(samples.classes)))
    cleaned = samples.keep(Store(folder.parent / f"{folder.name}-store"))
    tables = Tables(raw, samples.features, samples.aside)
    form = form_of(("toy", "a"), plan, cleaned, tables, preparation)
    suite = {"name": "toy", "expectations": list(rules)}
    files = {
        "net.onnx": as_onnx(members),
        "prep.json": json.dumps(form.as_json(), ensure_ascii=False).encode(),
        "prep.npz": packed(form.arrays()),
        "suite.json": json.dumps(suite, ensure_ascii=False).encode(),
    }
    write_bundle(folder, files)
    return Made(folder, plan, samples, preparation, members, form)


def write_bundle(folder: Path, files: dict[str, bytes]) -> None:
    """Write files and the manifest that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = json.dumps(described("toy", "a", files, {})).encode()
    for name, content in (files | {"manifest.json": manifest}).items():
        (folder / name).write_bytes(content)


def rewrite(made: Made, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    """Change a bundle's files as somebody would who also writes the manifest anew."""
    files = {name: (made.folder / name).read_bytes() for name in FILES}
    write_bundle(made.folder, change(files))


def packed(arrays: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def members_for(
    preparation: Preparation, plan: CleanPlan, n_outputs: int
) -> tuple[Net, ...]:
    n_inputs, image = preparation.n_inputs, plan.image
    if image is not None:
        size = image.height, image.width, image.channels
        return members_of(ImageShape(*size, n_inputs, n_outputs, (4, 4)), 2)
    encoded = (min(2, n_inputs), 3)
    return members_of(Shape(n_inputs, n_outputs, (6,), "silu", encoded), 3)


def predicted(
    members: tuple[Net, ...], inputs: NDArray[np.float32]
) -> NDArray[np.float64]:
    """What networks predict on average, by plain products."""
    total = np.zeros((len(inputs), members[0].n_outputs))
    for net in members:
        outputs = _outputs(net, inputs)
        odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        of_classes = outputs.shape[1] > 1
        total += odds / odds.sum(axis=1, keepdims=True) if of_classes else outputs
    return total / len(members)


def _outputs(net: Net, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    if net.image is not None:
        return reference.outputs(net, inputs)
    hidden = inputs.astype(np.float64)
    hidden = hidden if net.encoding is None else net.encoding.apply(hidden)
    for place in range(0, len(net.weights), 2):
        hidden = hidden @ net.weights[place] + net.weights[place + 1]
        if place < len(net.weights) - 2:
            hidden = hidden * expit(hidden)
    return hidden
