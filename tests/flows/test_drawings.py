import base64
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.drawings import Row, bars, heap, image, ranges

HOSTILE = "<script>alert(1)</script>&\"'<![CDATA[ " + "x" * 200
VALUES = st.floats(-1e6, 1e6)


def parsed(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)


def words(drawn: str) -> list[str | None]:
    return [one.text for one in parsed(drawn).iter("{http://www.w3.org/2000/svg}text")]


@given(values=st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=6))
def test_every_mark_lies_inside_the_picture(values):
    rows = [Row("x", *sorted(three), "said", tuple(three)) for three in values]

    for drawn in (ranges(rows, [(0.0, "equal"), (1.0, "margin")]), bars(rows)):
        root = parsed(drawn)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        for dot in root.iter("{http://www.w3.org/2000/svg}circle"):
            assert 0 <= float(dot.attrib["cx"]) <= width
            assert 0 <= float(dot.attrib["cy"]) <= height


def test_equal_values_are_drawn_as_well():
    row = Row("x", 0.5, 0.5, 0.5, "0.5", (0.5,))

    for drawn in (ranges([row]), bars([row]), heap((0.5, 0.5), 0.5, "AUC 0.500")):
        assert "nan" not in drawn
        parsed(drawn)


def test_names_and_words_are_text_whatever_they_are_and_long_ones_are_cut():
    row = Row(HOSTILE, 0.0, 0.1, 0.2, "<b>")
    drawn = ranges([row], [(0.0, HOSTILE)]) + bars([row])

    assert "<script" not in drawn
    assert words(ranges([row]))[0] == HOSTILE[:21] + "…"
    assert words(ranges([row]))[1] == "<b>"


def test_two_lines_have_their_words_on_either_side():
    drawn = parsed(ranges([Row("x", 0.0, 0.1, 0.2, "")], [(0.11, "b"), (0.1, "a")]))
    told = {
        one.text: (one.attrib["text-anchor"], float(one.attrib["x"]))
        for one in drawn.iter("{http://www.w3.org/2000/svg}text")
    }

    assert told["a"][0] == "end"
    assert told["b"][0] == "start"
    assert told["a"][1] < told["b"][1]


@pytest.mark.parametrize("observed", [-1.0, 0.5, 2.0])
def test_a_heap_counts_every_value_once(observed):
    values = [i / 100 for i in range(100)]
    bars_ = parsed(heap(values, observed, "here"))
    heights = [
        float(one.attrib["height"])
        for one in bars_.iter("{http://www.w3.org/2000/svg}rect")
        if one.attrib["height"] != "100%"
    ]

    assert len(heights) == 30
    assert max(heights) == pytest.approx(64)


def test_an_image_holds_its_picture():
    drawn = bars([Row("x", 0.0, 0.1, 0.2, "0.1")])
    made = image("what", drawn)
    head = "![what](data:image/svg+xml;base64,"

    assert made.startswith(head)
    assert base64.b64decode(made[len(head) : -1]).decode() == drawn
