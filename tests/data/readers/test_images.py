import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.bundle.stage import study_text
from assay.data.ingest import Table, read_source
from assay.errors import AssayError, DataRefused, StudyError
from assay.study.load import load
from assay.study.plans import Plan
from assay.study.sources import identify, source_of
from bench.valid_files import picture, tarred, zipped
from tests.factories import make_plan, make_rule, make_study, make_suite, write_study
from tests.reading import said_by

TABLE = "name,label\n007,a\n008,b\n007,c\n"
PICTURES = {"one/007.png": picture(7), "008.jpg": picture(8, "JPEG")}
SIZE = {"height": 8, "width": 10, "channels": 3}


class Beside:
    """A table and its images in a folder, read as a study declares them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, images: bytes, name: str, table: str = TABLE, **image) -> Table:
        (self.folder / name).write_bytes(images)
        return self.read(name, table, **image)

    def read(self, name: str, table: str = TABLE, **image) -> Table:
        (self.folder / "table.csv").write_text(table)
        declared = {"source": name, "column": "name", **SIZE} | image
        plan = Plan.model_validate(make_plan(target="label", images=declared))
        return read_source(source_of(plan, self.folder))

    def refusal(
        self,
        images: bytes,
        name: str,
        table: str = TABLE,
        error: type[AssayError] = DataRefused,
        **image,
    ) -> str:
        return said_by(lambda: self(images, name, table, **image), name, error)


@pytest.fixture
def beside(tmp_path):
    return Beside(tmp_path)


def by_hand(content: bytes, mode: str = "RGB") -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert(mode).resize((10, 8), Image.Resampling.LANCZOS)
    return np.asarray(small).reshape(-1)


# What is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("images.tar", tarred),
        ("images.tar.gz", lambda files: tarred(files, packed=True)),
        ("images.zip", zipped),
    ],
)
def test_each_row_gets_the_pixels_of_its_own_image(beside, name, pack):
    """The column is text, whatever it looks like: 007 is no 7."""
    table = beside(pack(PICTURES), name)
    pixels = table.frame.filter(like="pixel_").to_numpy()

    assert pixels.shape == (3, 240)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels[0], by_hand(PICTURES["one/007.png"]))
    assert np.array_equal(pixels[1], by_hand(PICTURES["008.jpg"]))
    assert np.array_equal(pixels[2], pixels[0])
    assert table.frame["name"].tolist() == ["007", "008", "007"]
    told = f"2 images from {name}, resized to 8 x 10 in colour (Lanczos)"
    assert told in map(str, table.remarks)


def test_a_photo_is_turned_as_its_camera_was_held(beside):
    upright = Image.open(io.BytesIO(PICTURES["one/007.png"]))
    exif = Image.Exif()
    exif[0x0112] = 8  # the orientation: to be turned left, which undoes the turn right
    lying = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_270).save(lying, "PNG", exif=exif)
    turned = PICTURES | {"one/007.png": lying.getvalue()}
    shown, expected = (
        beside(zipped(one), "images.zip").frame.iloc[:, 2:].to_numpy()
        for one in (turned, PICTURES)
    )

    assert np.array_equal(shown, expected)


def test_a_folder_of_images_is_read_and_what_is_not_named_is_told(beside, tmp_path):
    for name, content in (
        PICTURES | {"009.png": picture(9), "notes.txt": b"x"}
    ).items():
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    table = beside.read("images", channels=1)

    assert np.array_equal(
        table.frame.filter(like="pixel_").to_numpy()[1],
        by_hand(PICTURES["008.jpg"], "L"),
    )
    assert tuple(map(str, table.remarks[-2:])) == (
        "1 images that no row names",
        "1 other files beside the images",
    )


@pytest.mark.parametrize("value", ["one/007", "one/007.png", "007.png", "007"])
def test_a_row_names_its_image_by_path_or_name_with_or_without_ending(beside, value):
    table = beside(zipped(PICTURES), "images.zip", f"name,label\n{value},a\n")

    assert len(table.frame.filter(like="pixel_").columns) == 240


def test_the_size_of_the_image_is_that_of_cleaning():
    images = {"source": "x.zip", "column": "name", **SIZE}
    plan = Plan.model_validate(make_plan(images=images))

    assert plan.clean.image is not None
    assert plan.clean.image.model_dump() == SIZE | {
        "augment": ("shift",),
        "denoise": "none",
    }
    assert plan.tune.seeds == 4
    augmented = make_plan(images=images, clean={"image": {"augment": ["flip"]}})
    assert Plan.model_validate(augmented).clean.image.augment == ("flip",)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_study_with_images_comes_back_from_the_file_a_run_leaves(tmp_path):
    images = {"source": "x.zip", "column": "name", **SIZE}
    read = {"separator": "\t", "missing": ["n.a."], "sample": 9}
    study = make_study(plan={"a": make_plan(images=images, read=read)})
    path = tmp_path / "table.toml"
    path.write_text(study_text(study), encoding="utf-8")

    assert load(path) == study


def test_another_size_in_cleaning_is_refused(tmp_path):
    images = {"source": "x.zip", "column": "name", **SIZE}
    plan = make_plan(images=images, clean={"image": SIZE | {"width": 11}})
    path = write_study(tmp_path, plan={"a": plan})

    message = said_by(lambda: load(path), "table.toml", StudyError)
    assert (
        "images.width = 10, but clean.image.width = 11: they are the same pixels"
        in message
    )


# What is refused -------------------------------------------------------------------------------


def test_rows_without_an_image_are_named_and_counted(beside):
    table = "name,label\n007,a\n1,b\n2,c\n3,d\n4,e\n"

    message = beside.refusal(zipped(PICTURES), "images.zip", table)
    assert (
        "no image for 4 of 5 rows: '1' (row 2), '2' (row 3), '3' (row 4) and 1 more"
        in message
    )


def test_a_row_that_names_no_image_is_refused(beside):
    beside.folder.joinpath("images.zip").write_bytes(zipped(PICTURES))
    message = said_by(
        lambda: beside.read("images.zip", "name,label\n007,a\n,b\n"), "table.csv"
    )
    assert "row 2: column name is empty, but must name an image" in message


def test_a_name_that_two_images_have_is_refused(beside):
    images = zipped(PICTURES | {"two/007.png": picture(1)})

    message = beside.refusal(images, "images.zip")
    assert "'007' may be one/007.png or two/007.png" in message


def test_a_column_that_is_not_there_is_refused(beside):
    message = said_by(
        lambda: beside(zipped(PICTURES), "images.zip", column="file"),
        "images.column",
        StudyError,
    )
    assert "the table has: name, label" in message


def sixteen_bits() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no image", "images.zip: 007.png is not a JPEG or PNG image"),
        (b"", "images.zip: 007.png is not a JPEG or PNG image"),
        (picture(1)[:-200], "images.zip: 007.png cannot be decoded"),
        (picture(1, "JPEG")[:-200], "images.zip: 007.png cannot be decoded"),
        (picture(1, "GIF"), "images.zip: 007.png is not a JPEG or PNG image"),
        (sixteen_bits(), "pixels of mode I;16. Save it with 8 bits per channel"),
    ],
)
def test_what_is_no_whole_image_is_refused_by_name(beside, content, said):
    images = zipped({"007.png": content})

    assert said in beside.refusal(images, "images.zip", "name,label\n007,a\n")


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    beside, monkeypatch
):
    monkeypatch.setattr("assay.formats.image_files.MAX_IMAGE_PIXELS", 299)

    message = beside.refusal(zipped(PICTURES), "images.zip")
    assert "has 300 pixels, and this reader takes 299 at most" in message


def test_an_image_of_a_hundred_million_pixels_in_a_few_bytes_is_refused(beside):
    """Pillow only warns of it."""
    buffer = io.BytesIO()
    Image.new("1", (12_000, 9_000)).save(buffer, "PNG")
    images = zipped({"007.png": buffer.getvalue()})

    message = beside.refusal(images, "images.zip", "name,label\n007,a\n")
    assert "cannot be decoded" in message or "50,000,000 at most" in message


def linked(kind: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("007.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("images", "name", "said"),
    [
        (linked(tarfile.SYMTYPE), "images.tar", "'007.png' is a link"),
        (linked(tarfile.LNKTYPE), "images.tar", "'007.png' is a link"),
        (linked(tarfile.CHRTYPE), "images.tar", "'007.png' is not a regular file"),
        (tarred({"../007.png": b"x"}), "images.tar", "leads out of the archive"),
        (zipped({"/007.png": b"x"}), "images.zip", "leads out of the archive"),
        (tarred({"007.png": b"x"}) * 2, "images.tar", "is not a JPEG or PNG"),
        (b"no tar at all", "images.tar", "cannot be read"),
        (b"no zip at all", "images.zip", "cannot be read"),
        (tarred(PICTURES, packed=True)[:-40], "images.tar.gz", "cannot be read"),
    ],
)
def test_an_archive_that_leads_out_or_is_damaged_is_refused(beside, images, name, said):
    assert said in beside.refusal(images, name, "name,label\n007,a\n")


def test_an_archive_that_unpacks_to_too_much_is_refused(beside, monkeypatch):
    monkeypatch.setattr("assay.formats.limits.MAX_UNPACKED_BYTES", 1024**2)
    packed = tarred({"007.png": bytes(4 * 1024**2)}, packed=True)

    message = beside.refusal(packed, "images.tar.gz", "name,label\n007,a\n")
    assert "unpacks to more than" in message


def test_a_link_out_of_a_folder_of_images_is_refused(beside, tmp_path):
    (tmp_path / "secret.png").write_bytes(picture(1))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "007.png").symlink_to(tmp_path / "secret.png")

    message = said_by(lambda: beside.read("images"), "images")
    assert "007.png is a link that leads out of the folder" in message


@pytest.mark.parametrize("name", ["images.rar", "table.csv"])
def test_what_is_no_archive_of_images_is_refused(beside, name):
    message = said_by(lambda: beside(b"x", name), "images.source", StudyError)
    assert "must be a folder, or end in .tar" in message


# Identity --------------------------------------------------------------------------------------


def test_the_name_of_a_run_follows_the_images(tmp_path):
    """Names and contents; a folder's as an archive's."""
    folder = tmp_path / "images"
    folder.mkdir()
    images = {"source": "images", "column": "name", **SIZE}
    path = write_study(tmp_path, plan={"a": make_plan(target="label", images=images)})
    rule = make_rule("expect_column_to_exist", "a", column="name")
    (tmp_path / "table.json").write_text(make_suite(rule).text)
    (tmp_path / "table.csv").write_text(TABLE)

    def name() -> str:
        return identify(load(path), path, tmp_path).name

    seen = [name()]
    (folder / "007.png").write_bytes(picture(1))
    seen.append(name())
    (folder / "007.png").write_bytes(picture(2))
    seen.append(name())
    (folder / "007.png").rename(folder / "008.png")
    seen.append(name())
    assert len(set(seen)) == 4
    assert name() == seen[-1]


def test_the_skin_images_are_those_that_were_derived_before(catalogue):
    """The same resize as in the file of pixels that lies beside the archive; the first 200 rows."""
    folder = catalogue / "skin-cancer"
    archive = folder / "ham10000_images_200x150.tar"
    if not archive.is_file():
        pytest.skip("there are no skin images under ASSAY_DATA")
    from assay.data.readers.images import with_pixels
    from assay.study.plans import ImageSource
    from assay.study.sources import LocatedImages, Source

    known = pd.read_csv(folder / "ham10000_28_28_RGB.csv.gz", nrows=200)
    images = LocatedImages(
        name="images.tar",
        path=str(archive),
        digest="0" * 64,
        plan=ImageSource(
            source="images.tar", column="image_id", height=28, width=28, channels=3
        ),
    )
    source = Source(name="table.csv", path="", digest="0" * 64, images=images)
    table = with_pixels(Table(known[["image_id"]], ()), source)

    assert np.array_equal(
        table.frame.filter(like="pixel_").to_numpy(),
        known.filter(like="pixel").to_numpy(),
    )
