"""Images in files, predicted as training saw them."""

import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.errors import DataRefused, StudyError
from assay.formats.checks import pixel_names
from assay.predict.command import predict_file
from assay.predict.pictures import Pictures
from tests.bundle_factories import make_bundle
from tests.factories import make_table

N, SIZE = 40, (8, 9, 3)
IMAGES = {"source": "images", "column": "image", "height": 8, "width": 9, "channels": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle of images in a folder, of which the training table has the pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = np.random.default_rng(0).integers(0, 255, (N, *SIZE)).astype(np.uint8)
    (folder / "images").mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / "images" / f"i{number}.png")
    named = pd.DataFrame({"image": [f"i{n}" for n in range(N)]})
    flat = pd.DataFrame(pixels.reshape(N, -1), columns=pixel_names(8 * 9 * 3))
    frame = pd.concat([named, flat], axis=1)
    frame["answer"] = np.where(np.arange(N) % 2, "yes", "no")
    drop = [{"column": "image", "reason": "the name of the image"}]
    clean = {"image": {"augment": ["shift"]}, "drop": drop}
    return make_bundle(folder / "b", frame, images=IMAGES, clean=clean), frame


def written(folder, frame) -> None:
    frame.to_csv(folder / "t.csv", index=False)


def test_rows_that_name_images_are_predicted_from_a_folder_and_an_archive(
    made, tmp_path
):
    bundle, frame = made
    images = bundle.folder.parent / "images"
    with tarfile.open(tmp_path / "images.tar.gz", "w:gz") as archive:
        archive.add(images, "images")
    mixed = frame.sample(frac=1, random_state=0)
    written(tmp_path, mixed[["image", "answer"]])
    for path in (images, tmp_path / "images.tar.gz"):
        predict_file(bundle.folder, tmp_path / "t.csv", tmp_path / "o.csv", path)
        found = pd.read_csv(tmp_path / "o.csv")
        np.testing.assert_allclose(found["p:yes"], bundle.trained(mixed)[:, 1], atol=1e-5)  # fmt: skip
        assert list(found["image"]) == list(mixed["image"])


def test_a_table_with_the_pixels_needs_no_images(made, tmp_path):
    bundle, frame = made
    frame.to_parquet(tmp_path / "t.parquet")
    predict_file(bundle.folder, tmp_path / "t.parquet", tmp_path / "o.csv")

    found = pd.read_csv(tmp_path / "o.csv")["p:yes"]
    np.testing.assert_allclose(found, bundle.trained(frame)[:, 1], atol=1e-5)


def test_images_that_are_not_told_of_missing_or_none_are_refused(made, tmp_path):
    bundle, frame = made
    images = bundle.folder.parent / "images"
    written(tmp_path, frame[["image"]])
    with pytest.raises(DataRefused, match=r"has no pixels.*archive with --images"):
        predict_file(bundle.folder, tmp_path / "t.csv", tmp_path / "o.csv")
    written(tmp_path, frame[["image"]].replace("i7", "i99"))
    with pytest.raises(DataRefused, match=r"has no image for 1 of 40 rows: 'i99' \(line 9\)"):  # fmt: skip
        predict_file(bundle.folder, tmp_path / "t.csv", tmp_path / "o.csv", images)
    written(tmp_path, frame[["image"]].replace("i7", None))
    with pytest.raises(DataRefused, match="line 9: column image is empty"):
        predict_file(bundle.folder, tmp_path / "t.csv", tmp_path / "o.csv", images)
    written(tmp_path, frame[["image"]].rename(columns={"image": "Image"}))
    with pytest.raises(DataRefused, match="no column 'image'"):
        predict_file(bundle.folder, tmp_path / "t.csv", tmp_path / "o.csv", images)


def test_images_for_a_model_of_none_and_images_that_are_not_there_are_refused(
    made, tmp_path
):
    bundle, _ = made
    plain = make_bundle(tmp_path / "b", make_table(60))

    with pytest.raises(StudyError, match="does not read image files"):
        Pictures(tmp_path, plain.form)
    with pytest.raises(StudyError, match="there is no such file"):
        Pictures(tmp_path / "none", bundle.form)
