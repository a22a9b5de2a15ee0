import io
import struct

import numpy as np
import pandas as pd
import pytest

from bench.valid_files import npz, zipped


def test_one_array_of_two_axes_is_a_table(reading):
    frame = reading(npz({"x": np.arange(6.0).reshape(3, 2)}), "t.npz").frame

    expected = pd.DataFrame({"x_0": [0.0, 2.0, 4.0], "x_1": [1.0, 3.0, 5.0]})
    pd.testing.assert_frame_equal(frame, expected)


def test_its_columns_take_their_names_from_the_study(reading):
    content = npz({"x": np.ones((3, 2))})

    assert list(reading(content, "t.npz", names=["a", "b"]).frame.columns) == ["a", "b"]
    message = reading.refusal(content, "t.npz", names=["a"])
    assert "2 columns, but the study names 1" in message


def test_arrays_of_one_length_stand_side_by_side(reading):
    content = npz(
        {
            "x": np.zeros((3, 2), dtype=">f4"),
            "label": np.array(["a", "b", "c"]),
            "n": np.array([1, 2, 3], dtype=np.int16),
        }
    )
    frame = reading(content, "t.npz").frame

    assert list(frame.columns) == ["x_0", "x_1", "label", "n"]
    assert frame["label"].dtype == "str"
    assert [frame[name].dtype.isnative for name in ("x_0", "n")] == [True, True]


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 3, 3), (5, 4, 3, 1)])
def test_images_become_pixels_row_by_row_channels_last(reading, shape):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    frame = reading(npz({"images": images, "label": np.arange(5)}), "t.npz").frame
    pixels = frame.filter(like="pixel_")

    assert pixels.columns[0] == "pixel_0000"
    assert frame.dtypes["pixel_0000"] == np.uint8
    assert np.array_equal(pixels.to_numpy().reshape(shape), images)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros(3), "y": np.zeros(4)}, "different lengths (x 3, y 4)"),
        ({"x": np.zeros((3, 2, 2))}, "array x is 3 x 2 x 2 of float64. Store images as uint8"),
        ({"x": np.zeros((3, 2, 2, 2, 2), np.uint8)}, "array x has 5 axes"),
        ({"x": np.float64(3)}, "array x has 0 axes"),
        ({"x": np.zeros(3, complex)}, "array x holds complex128"),
        ({"x": np.zeros(3, "datetime64[s]")}, "array x holds datetime64[s]"),
        ({"x": np.zeros(3, "S3")}, "array x holds |S3"),
        ({"x": np.zeros(3, [("a", int)])}, "array x holds [('a', '<i8')]"),
        ({"x": np.zeros((0, 2))}, "has no rows"),
        ({}, "has no rows"),
        ({"x": np.array([1.0, np.inf])}, "column x holds inf in row 2"),
        ({"x": np.array(["a", "b\x01"])}, "row 2: column x holds a control character"),
        ({"x": np.zeros(2), "X": np.zeros(2)}, "differ only in case"),
        ({k: np.zeros((2, 8, 8), np.uint8) for k in "ab"}, "arrays a and b both hold images"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_table_are_refused(reading, arrays, said):
    assert said in reading.refusal(npz(arrays), "t.npz")


def test_python_objects_are_refused_and_never_unpickled(reading):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("it was unpickled",)

    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([Bomb(), 1], dtype=object))

    assert "array x holds Python objects" in reading.refusal(buffer.getvalue(), "t.npz")


def test_text_of_numbers_that_are_no_characters_is_refused(reading):
    text = np.array([0x110000, 65], dtype=np.uint32).view("U1")

    message = reading.refusal(npz({"t": text}), "t.npz")
    assert "array t holds damaged text" in message


def test_a_header_that_claims_terabytes_is_refused_by_its_claim(reading):
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text

    message = reading.refusal(zipped({"x.npy": member}), "t.npz")
    assert "unpacks to more than the 8 GiB" in message


@pytest.mark.parametrize("dtype", ["|b1", "<U1", "<U0"])
def test_a_small_file_that_claims_very_much_is_refused_by_its_claim(reading, dtype):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({10**8},), }}\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()

    message = reading.refusal(zipped({"x.npy": member}), "t.npz")
    assert "more than 100 times as much. Save them again with numpy.savez" in message


def test_blanks_that_a_small_file_may_hold_are_read(reading):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.zeros((1000, 50)))

    assert len(buffer.getvalue()) < 1000 * 50 * 8 / 100
    assert reading(buffer.getvalue(), "t.npz").frame.shape == (1000, 50)


def test_many_arrays_are_named_by_the_first(reading):
    content = npz({f"x{number}": np.zeros(2) for number in range(12)})

    assert "x7 of 2 and 4 more" in "".join(map(str, reading(content, "t.npz").remarks))


def test_more_arrays_than_columns_are_refused_before_one_is_read(reading):
    content = zipped({f"{number}.npy": b"" for number in range(20_001)})

    assert "has 20,001 columns" in reading.refusal(content, "t.npz")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a zip", "not a readable NumPy archive"),
        (npz({"x": np.zeros(50)})[:-20], "not a readable NumPy archive"),
        (zipped({"x.txt": b"a"}), "its member 'x.txt' is not an array"),
        (zipped({"x.npy": b"a"}), "not a readable NumPy archive"),
    ],
)
def test_what_is_no_archive_of_arrays_is_refused(reading, content, said):
    assert said in reading.refusal(content, "t.npz")
