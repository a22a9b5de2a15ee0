"""One process of ``bench_predict``: make a bundle and tables, or predict one in one of two ways.

python -m bench.our_predicting make FOLDER ROWS | bundle FOLDER one|all | keras FOLDER one|all
"""

import io
import json
import re
import sys
from pathlib import Path

_N_COLUMNS, _N_MEMBERS, _N_TRAINED = 20, 16, 2_000


def make(folder: Path, n_rows: int) -> None:
    """Write a bundle with networks that nobody trained, and tables of one row and of many."""
    import numpy as np
    import pandas as pd

    from assay.data.clean import clean_table
    from assay.networks.encoding import encoding
    from assay.networks.net import Net
    from assay.networks.spec import Shape, first_weights
    from assay.networks.to_keras import archive, as_keras
    from assay.networks.to_onnx import as_onnx
    from assay.predict.manifest import described
    from assay.preprocess import fit as preprocess
    from assay.preprocess.schema import Tables, form_of
    from assay.store.records import ValidationReport
    from assay.store.store import Store
    from assay.study.plans import Plan

    generator = np.random.default_rng(0)

    def table(n: int) -> pd.DataFrame:
        names = [f"measured_{number:02}" for number in range(_N_COLUMNS)]
        frame = pd.DataFrame(generator.normal(size=(n, _N_COLUMNS)).round(5), columns=names)  # fmt: skip
        frame.insert(0, "case", [f"c{number}" for number in range(n)])
        return frame.assign(answer=np.where(frame["measured_00"] > 0, "yes", "no"))

    plan = Plan.model_validate({"claim": "it is told", "at_least": 0.6, "source": "t.csv", "target": "answer", "task": "binary", "suite": "none"})  # fmt: skip
    raw = table(_N_TRAINED)
    report = ValidationReport(suite="none", suite_digest="0" * 64, snapshot_digest="0" * 64, outcomes=())  # fmt: skip
    samples = clean_table(raw, report, plan.cleaning())
    preparation = preprocess.fit(samples.features, plan.clean, wide=True)
    inputs = preparation.apply(samples.features)
    shape = Shape(preparation.n_inputs, 2, (128, 128), "silu", (_N_COLUMNS, 8))
    encoded = encoding(inputs, 8)
    members = tuple(Net(first_weights(shape, k), "silu", encoded) for k in range(_N_MEMBERS))  # fmt: skip
    cleaned = samples.keep(Store(folder / "store"))
    tables = Tables(raw, samples.features, samples.aside)
    form = form_of(("bench", "a"), plan, cleaned, tables, preparation)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **form.arrays())
    files = {
        "net.onnx": as_onnx(members),
        "model.keras": archive(as_keras(members)),
        "prep.json": json.dumps(form.as_json()).encode(),
        "prep.npz": buffer.getvalue(),
        "suite.json": b'{"expectations": []}',
    }
    files["manifest.json"] = json.dumps(described("bench", "a", files, {})).encode()
    (folder / "bundle").mkdir()
    for name, content in files.items():
        (folder / "bundle" / name).write_bytes(content)
    for name, n in (("one", 1), ("all", n_rows)):
        table(n).to_csv(folder / f"{name}.csv", index=False)


def from_bundle(folder: Path, which: str) -> None:
    """Predict as ``python -m assay.predict`` does."""
    from assay.predict.__main__ import main

    out = folder / f"bundle-{which}.csv"
    code = main([str(folder / "bundle"), str(folder / f"{which}.csv"), "-o", str(out)])
    if code:
        sys.exit(code)


def with_keras(folder: Path, which: str) -> None:
    """Predict as a script does that has the saved network and what it was told of the preparation."""
    import numpy as np
    import pandas as pd

    from assay.store.machine import pin

    pin()
    import keras

    form = json.loads((folder / "bundle" / "prep.json").read_text())["preparation"]
    arrays = np.load(folder / "bundle" / "prep.npz")
    model = keras.models.load_model(folder / "bundle" / "model.keras")
    frame = pd.read_csv(folder / f"{which}.csv")
    raw = frame[form["numeric"]].to_numpy(np.float64)
    z = (np.where(np.isnan(raw), arrays["fill"], raw) - arrays["centre"]) / arrays["scale"]  # fmt: skip
    inputs = (z / np.sqrt(1 + (z / form["clip"]) ** 2)).astype(np.float32)
    probabilities = model.predict(inputs, batch_size=4096, verbose=0)
    named = pd.DataFrame(probabilities, columns=["p:no", "p:yes"])
    named.to_csv(folder / f"keras-{which}.csv", index=False)


def _peak_mb() -> float:
    """Return the most memory this process held (Linux; elsewhere 0)."""
    status = Path("/proc/self/status")
    text = status.read_text(encoding="utf-8") if status.is_file() else ""
    line = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(line[1]) / 1024 if line else 0.0


if __name__ == "__main__":
    _, what, where, *rest = sys.argv
    if what == "make":
        make(Path(where), int(rest[0]))
    else:
        {"bundle": from_bundle, "keras": with_keras}[what](Path(where), rest[0])
    print(json.dumps({"peak_mb": _peak_mb()}))
