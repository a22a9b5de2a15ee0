"""A bundle opened for prediction: verified, whole in itself, the same as training."""

import contextlib
import io
import json
import shutil

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from assay.errors import DataRefused, StudyError
from assay.networks.to_onnx import as_onnx
from assay.predict import Bundle
from assay.predict.network import Network
from assay.predict.onnx_file import graph_in
from assay.predict.operators import values_a_row
from assay.predict.stored_form import form_of
from assay.predict.unfit import Unfit
from tests.bundle_factories import FILES, make_bundle, packed, rewrite
from tests.factories import make_table
from tests.net_factories import IMAGES, SHAPES, members_of


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle") / "b", make_table(80))


@pytest.fixture
def made(original, tmp_path):
    """A bundle of one's own to damage."""
    shutil.copytree(original.folder, tmp_path / "b")
    return type(original)(**{**original.__dict__, "folder": tmp_path / "b"})


def columns() -> dict[str, list]:
    table = make_table(80).drop(columns="answer")
    return {str(name): table[name].tolist() for name in table}


# Predicting ----------------------------------------------------------------------------------------


def test_columns_in_memory_are_predicted_as_training_would(made):
    found = made.opened().predict(columns())
    expected = made.trained(make_table(80))

    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.classes == ("no", "yes")
    assert found.prediction.tolist() == [found.classes[k] for k in expected.argmax(axis=1)]  # fmt: skip
    assert not any(found.remarks)


def test_a_number_is_predicted_as_a_number(tmp_path):
    table = make_table(80).assign(answer=np.arange(80) / 7)
    made = make_bundle(tmp_path / "b", table, task="regression", metric="r2", at_least=0.1)  # fmt: skip
    found = made.opened().predict(columns())

    np.testing.assert_allclose(found.prediction, made.trained(table)[:, 0], rtol=1e-4, atol=1e-5)  # fmt: skip
    assert found.probabilities.shape == (80, 0)
    assert found.classes == ()


def test_many_rows_are_predicted_as_few_are(made):
    bundle = made.opened()
    few = bundle.predict(columns())
    many = bundle.predict({name: cells * 120 for name, cells in columns().items()})

    np.testing.assert_allclose(many.probabilities, np.tile(few.probabilities, (120, 1)), atol=1e-6)  # fmt: skip


def test_no_rows_give_no_predictions(made):
    found = made.opened().predict({name: [] for name in columns()})

    assert found.probabilities.shape == (0, 2)
    assert found.remarks == ()


@given(st.data())
def test_any_cells_are_predicted_or_refused_in_a_sentence(original, data):
    bundle = original.opened()
    anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))  # fmt: skip
    cells = {name: data.draw(st.lists(anything, min_size=3, max_size=3)) for name in bundle.needed}  # fmt: skip
    message = ""
    try:
        found = bundle.predict(cells, as_text=data.draw(st.booleans()))
    except DataRefused as refused:
        message = str(refused)
    else:
        assert np.isfinite(found.probabilities).all()
    assert not message or (
        message.startswith("the table, row ") and message.endswith(".")
    )


def test_columns_of_different_lengths_and_missing_ones_are_refused(made):
    bundle = made.opened()

    with pytest.raises(DataRefused, match="different lengths: 79, 80"):
        bundle.predict(columns() | {"height": columns()["height"][1:]})
    with pytest.raises(DataRefused, match=r"no column 'height'.*'Height' is the closest"):  # fmt: skip
        bundle.predict({name.capitalize(): cells for name, cells in columns().items()})


def test_a_form_comes_back_from_json_and_arrays(made):
    form = made.form
    again = form_of(json.loads(json.dumps(form.as_json())), form.arrays())

    assert json.dumps(again.as_json()) == json.dumps(form.as_json())


def test_the_same_table_twice_gives_the_same_bytes(original, tmp_path):
    other = make_bundle(tmp_path / "other", make_table(80))

    for name in (*FILES, "manifest.json"):
        assert (other.folder / name).read_bytes() == (original.folder / name).read_bytes()  # fmt: skip


# Opened only if nothing was changed --------------------------------------------------------------


def test_a_bundle_is_found_by_its_folder_and_by_its_runs(made, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(made.folder, run / "bundle")

    assert Bundle.open(run).needed == Bundle.open(str(run / "bundle")).needed


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_changed_byte_in_any_file_is_found(made, name):
    content = bytearray((made.folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (made.folder / name).write_bytes(content)

    with pytest.raises(DataRefused, match=r"json|npz|onnx"):
        made.opened()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_and_a_file_cut_short_are_found(made, name):
    content = (made.folder / name).read_bytes()
    (made.folder / name).write_bytes(content[:-1])
    with pytest.raises(DataRefused, match=f"{name} is not the file that the manifest names"):  # fmt: skip
        made.opened()
    (made.folder / name).unlink()
    with pytest.raises(
        (DataRefused, StudyError), match=f"{name} is missing|not a bundle"
    ):
        made.opened()


def test_a_file_too_many_a_folder_and_a_link_are_found(made, tmp_path):
    (made.folder / "extra.py").write_text("1")
    with pytest.raises(DataRefused, match=r"holds 'extra.py', which its manifest does not name"):  # fmt: skip
        made.opened()
    (made.folder / "extra.py").unlink()
    (made.folder / "more").mkdir()
    with pytest.raises(DataRefused, match="holds 'more', which is not a regular file"):
        made.opened()
    (made.folder / "more").rmdir()
    net = made.folder / "net.onnx"
    net.rename(tmp_path / "net.onnx")
    net.symlink_to(tmp_path / "net.onnx")
    with pytest.raises(DataRefused, match=r"'net.onnx', which is not a regular file"):
        made.opened()


@pytest.mark.parametrize("name", ["../net.onnx", "/etc/passwd", "a/b", "", "."])
def test_a_manifest_cannot_lead_out_of_its_folder(made, name):
    path = made.folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"][name] = manifest["files"]["net.onnx"]
    path.write_text(json.dumps(manifest))

    with pytest.raises(DataRefused, match="which cannot be a file of the bundle"):
        made.opened()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is damaged"),
        ("[]", "has format None"),
        ('{"format": 1, "files": {"net.onnx": {"size": "1", "sha256": ""}}}', "is damaged"),
        ('{"format": 2, "files": {}}', "has format 2, and this program reads format 1"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(made, content, said):
    (made.folder / "manifest.json").write_text(content)

    with pytest.raises(DataRefused, match=said):
        made.opened()


def test_a_run_without_a_model_says_so(tmp_path):
    (tmp_path / "run" / "bundle").mkdir(parents=True)
    with pytest.raises(StudyError, match="its check ended without a model"):
        Bundle.open(tmp_path / "run")
    with pytest.raises(StudyError, match="is not a bundle"):
        Bundle.open(tmp_path)


# What somebody wrote who also knows how to write a manifest ------------------------------------------


def form_with(made, **changed):
    form = json.loads((made.folder / "prep.json").read_bytes()) | changed
    return {"prep.json": json.dumps(form).encode()}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": 9}, "its format is 9, and this program reads 1"),
        ({"n_inputs": 99}, "but declares 99"),
        ({"columns": [{"name": "height"}]}, r"columns\[0\] has no key 'kind'"),
        ({"columns": [{"name": "height", "kind": "x", "role": "number"}]}, r"columns\[0\].kind cannot be 'x'"),
        ({"preparation": {}}, "preparation has no key 'numeric'"),
        ({"seen": None}, "seen cannot be None"),
        ({"seen": {"numbers": {"height": [0, 10**400]}, "gaps": [], "levels": {}}}, "seen.numbers.* cannot be 1000"),
        ({"seen": {"numbers": {"town": [0, 1]}, "gaps": [], "levels": {}}}, "needs a column 'town' of another kind"),
        ({"further": 1}, "the whole has the unknown key 'further'"),
        ({"copied": ["a\nb"]}, r"'a\\nb' cannot be a name"),
        ({"classes": ["no", "\ud800"]}, "classes holds what are no characters"),
        ({"classes": ["only"]}, "does not have 1 classes"),
        ({"classes": ["a", "b", "c"]}, "outputs, and prep.json describes . and 3"),
    ],
)  # fmt: skip
def test_a_form_that_does_not_fit_is_refused(made, changed, said):
    rewrite(made, lambda files: files | form_with(made, **changed))

    with pytest.raises(DataRefused, match=said):
        made.opened()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": 1, "a": 2}', "has the key 'a' twice"),
        (b"9" * 5000, "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "its format is None|is not a suite"),
    ],
)
@pytest.mark.parametrize("name", ["prep.json", "suite.json"])
def test_json_that_means_nothing_or_two_things_is_refused(made, name, content, said):
    rewrite(made, lambda files: files | {name: content})

    with pytest.raises(DataRefused, match=f"{name} is damaged .*{said}"):
        made.opened()


def test_arrays_of_objects_of_wrong_sizes_and_beyond_their_file_are_refused(made):
    arrays = made.form.arrays()
    huge = packed(arrays)
    at = huge.index(b"'shape': (2,)")
    for content, said in (
        (
            packed(arrays | {"fill": np.array([1.0])}),
            "array fill cannot be float64 \\(1,\\)",
        ),
        (packed(arrays | {"fill": np.array([np.nan, 1.0])}), "holds NaN or infinity"),
        (packed({k: v for k, v in arrays.items() if k != "fill"}), "no array 'fill'"),
        (
            packed(arrays | {"more": np.zeros(1)}),
            "no array 'more', or has it without need",
        ),
        (packed(arrays | {"scale": np.zeros(2)}), "or a spread of 0"),
        (huge[:at] + b"'shape': (9" + huge[at + 11 :], "not an archive|announces"),
        (b"no archive", "not an archive of arrays"),
        (pickled(arrays), "array evil cannot be object"),
    ):
        rewrite(made, lambda files, content=content: files | {"prep.npz": content})
        with pytest.raises(DataRefused, match=said):
            made.opened()


def pickled(arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, evil=np.array([{}], dtype=object))
    return buffer.getvalue()


def graph(n_inputs=3, weight=0.0, **changed) -> onnx.ModelProto:
    """A network of one product, with changes to its node."""
    kernel = np.full((n_inputs, 2), weight, np.float32)
    node = helper.make_node("MatMul", ["features", "w"], ["predictions"], **changed)
    described = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n_rows", size])
        for name, size in (("features", n_inputs), ("predictions", 2))
    ]
    made = helper.make_graph(
        [node],
        "assay",
        described[:1],
        described[1:],
        [numpy_helper.from_array(kernel, "w")],
    )
    return helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="assay",
    )


def external(model: onnx.ModelProto) -> onnx.ModelProto:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secret"
    return model


def before(operator: str, *constants: np.ndarray, **attributes) -> onnx.ModelProto:
    """The network with a node before its own."""
    model = graph()
    names = [f"c{number}" for number in range(len(constants))]
    model.graph.initializer.extend(map(numpy_helper.from_array, constants, names))
    model.graph.node.insert(
        0, helper.make_node(operator, ["features", *names], ["x"], **attributes)
    )
    model.graph.node[1].input[0] = "x"
    return model


def looped() -> onnx.ModelProto:
    """As many turns as there can be, in standard operators."""
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"])], "b", [], [])
    model = before("Loop", np.array(2**62), body=body)
    model.graph.node[0].input[:] = ["c0", "", "features"]
    return model


def changed(change) -> onnx.ModelProto:
    model = graph()
    change(model)
    return model


def ever_wider() -> onnx.ModelProto:
    """Each node is small in the file, and twice as wide as the one before."""
    model, nodes = graph(), []
    for number in range(60):
        name = f"w{number - 1}" if number else "features"
        nodes.append(helper.make_node("Concat", [name, name], [f"w{number}"], axis=1))
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def many_maps() -> onnx.ModelProto:
    """A small image and a kernel of few numbers, that give many."""
    model, kernel = graph(64 * 64), np.zeros((17_000, 1, 3, 3), np.float32)
    sizes = np.array([0, 64, 64, 1])
    model.graph.initializer.extend(map(numpy_helper.from_array, (sizes, kernel), "sk"))
    nodes = [
        helper.make_node("Reshape", ["features", "s"], ["pixels"]),
        helper.make_node("Transpose", ["pixels"], ["image"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["image", "k"], ["maps"], pads=[1, 1, 1, 1]),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    return model


WHOLE = np.array([0, 2**40])
HOSTILE = {
    "numbers in another file": (lambda: external(graph()), "field 1[34] of its tensor"),
    "operators of others": (lambda: graph(domain="com.evil"), "field 7 of its node"),
    "an opset of others": (lambda: changed(lambda m: m.opset_import.append(helper.make_opsetid("com.evil", 1))), "field 8 of its model"),
    "another opset": (lambda: changed(lambda m: setattr(m.opset_import[0], "version", 18)), "it has opset 18"),
    "a function": (lambda: changed(lambda m: m.functions.append(helper.make_function("d", "f", [], [], [], []))), "field 25 of its model"),
    "metadata": (lambda: changed(lambda m: helper.set_model_props(m, {"ort_config": "{}"})), "field 14 of its model"),
    "a loop": (looped, "field 6 of its attribute"),
    "60 GB of zeros": (lambda: before("ConstantOfShape"), "it has 'ConstantOfShape'"),
    "tiles": (lambda: before("Tile", WHOLE), "it has 'Tile'"),
    "rows made of one": (lambda: before("Reshape", WHOLE), "'x' cannot be computed from the shapes"),
    "rows left out": (lambda: before("Reshape", np.array([3])), "'x' cannot be computed"),
    "another axis": (lambda: before("Softmax", axis=0), r"it has Softmax {'axis': 0}"),
    "an attribute of no use": (lambda: graph(note="x"), "field 4 of its attribute"),
    "numbers that are none": (lambda: graph(weight=np.nan), "constant 'w' does not hold"),
    "a constant of no use": (lambda: changed(lambda m: m.graph.initializer.append(numpy_helper.from_array(np.ones(1), "u"))), "constant 'u'"),
    "a constant used twice": (lambda: changed(lambda m: m.graph.node.append(m.graph.node[0])), "'w' is used, but"),
    "nodes ever wider": (ever_wider, "'w1' cannot be computed from the shapes"),
    "numbers combined to more": (lambda: before("Add", np.ones((5, 1), np.float32)), "'x' cannot be computed"),
    "too many numbers": (many_maps, "a row takes more than 67,108,864 numbers"),
}  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_network_that_assay_does_not_write_is_refused_before_a_runtime_sees_it(made, hostile):  # fmt: skip
    make, said = HOSTILE[hostile]
    content = make().SerializeToString()
    with pytest.raises(Unfit, match=said):
        values_a_row(graph_in(content))
    rewrite(made, lambda files: files | {"net.onnx": content})
    with pytest.raises(DataRefused, match=rf"net.onnx is damaged or was not .*{said}"):
        made.opened()


@pytest.mark.parametrize("shape", [*SHAPES, *IMAGES], ids=str)
def test_every_network_that_assay_writes_is_one_that_it_reads(shape):
    for n_members in (1, 3):
        graph_read = graph_in(as_onnx(members_of(shape, n_members)))
        assert (graph_read.n_inputs, graph_read.n_outputs) == (shape.n_inputs, shape.n_outputs)  # fmt: skip
        assert values_a_row(graph_read) > shape.n_inputs


def test_a_network_of_another_size_or_name_is_refused(made):
    Network(graph().SerializeToString())
    rewrite(made, lambda files: files | {"net.onnx": graph().SerializeToString()})
    with pytest.raises(DataRefused, match="it has 3 inputs and 2 outputs"):
        made.opened()
    other = graph()
    other.graph.input[0].name = other.graph.node[0].input[0] = "x"
    rewrite(made, lambda files: files | {"net.onnx": other.SerializeToString()})
    with pytest.raises(DataRefused, match="its 'x' is not features"):
        made.opened()


@given(st.binary(max_size=60), st.integers(0, 400))
def test_bytes_that_are_no_network_are_refused_in_a_sentence(noise, at):
    content = graph().SerializeToString()
    damaged = content[:at] + noise + content[at + len(noise) :]
    for one in (noise, damaged, content[:at]):
        with contextlib.suppress(Unfit):  # nothing else may come of it
            values_a_row(graph_in(one))


def test_predictions_that_are_no_numbers_are_refused(made):
    n_inputs = made.preparation.n_inputs
    content = graph(n_inputs, 3e38).SerializeToString()
    rewrite(made, lambda files: files | {"net.onnx": content})

    with pytest.raises(DataRefused, match="its numbers are too large"):
        made.opened().predict(columns())
