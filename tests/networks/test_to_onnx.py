import dataclasses

import onnx
import onnxruntime
import pytest

from assay.networks.predict import predict
from assay.networks.spec import Shape
from assay.networks.to_onnx import as_onnx
from tests.net_factories import IMAGES, SHAPES, inputs_of, members_of

pytestmark = pytest.mark.slow


def answers(content, inputs):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["predictions"], {"features": inputs})[0]


@pytest.mark.parametrize("shape", [*SHAPES, *IMAGES])
@pytest.mark.parametrize("n_members", [1, 3])
def test_the_graph_predicts_the_mean_of_the_members(shape, n_members):
    members, inputs = members_of(shape, n_members), inputs_of(shape)

    assert answers(as_onnx(members), inputs) == pytest.approx(
        predict(members, inputs).mean(axis=0), abs=2e-6
    )


@pytest.mark.parametrize(
    ("shape", "other"),
    [
        (SHAPES[0], Shape(3, 2, (4, 4), "silu")),
        (IMAGES[0], dataclasses.replace(IMAGES[0], filters=(8,))),
    ],
)
def test_members_of_several_sizes_weigh_as_many_as_they_are(shape, other):
    mixed, inputs = (*members_of(shape, 5), *members_of(other, 1)), inputs_of(shape)

    assert answers(as_onnx(mixed), inputs) == pytest.approx(
        predict(mixed, inputs).mean(axis=0), abs=2e-6
    )


@pytest.mark.parametrize("shape", [SHAPES[4], IMAGES[1]])
def test_one_row_alone_and_none_are_answered_too(shape):
    content, inputs = as_onnx(members_of(shape)), inputs_of(shape)

    assert answers(content, inputs[:1]) == pytest.approx(
        answers(content, inputs)[:1], abs=1e-6
    )
    assert answers(content, inputs[:0]).shape == (0, shape.n_outputs)


@pytest.mark.parametrize("shape", [SHAPES[4], IMAGES[1]])
def test_equal_networks_give_equal_bytes(shape):
    assert as_onnx(members_of(shape)) == as_onnx(members_of(shape))


@pytest.mark.parametrize("shape", [SHAPES[4], IMAGES[1]])
def test_a_graph_is_valid_and_holds_standard_operators_and_all_its_numbers(shape):
    model = onnx.load_from_string(as_onnx(members_of(shape)))
    onnx.checker.check_model(model, full_check=True)

    assert {node.domain for node in model.graph.node} == {""}
    assert not any(tensor.external_data for tensor in model.graph.initializer)
