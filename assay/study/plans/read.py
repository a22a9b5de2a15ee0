"""What a study may declare about reading: the form of its file, a sample of its rows, its images."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from assay.formats.checks import Separator
from assay.formats.encoding import Codec
from assay.store.records import Record
from assay.study.invalid import Invalid
from assay.study.plans.columns import ImagePlan
from assay.study.plans.label import Words


def _of_file_names(name: str) -> str:
    if any(len(part.encode()) > _LONGEST_NAME for part in name.split("/")):
        raise Invalid("study.read.long_name", most=_LONGEST_NAME)
    return name


_LONGEST_NAME = 255  # bytes; no file system has longer ones
SourceName = Annotated[
    str,
    Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(_of_file_names),
]


class ReadPlan(Record):
    """How a source is read, where the reader cannot or should not detect it."""

    names: tuple[Words, ...] = Field(
        default=(), description="Column names, in order, of a file without a header."
    )
    sheet: Words | None = Field(
        default=None, description="The sheet of a workbook that holds several."
    )
    encoding: Codec | None = Field(default=None, description="Default: detected.")
    separator: Separator | None = Field(default=None, description="Default: detected.")
    missing: tuple[Words, ...] = Field(
        default=(), description="Further texts read as missing, such as Unrated."
    )
    sample: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="Rows drawn at random with the study's seed, kept in the file's order.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> "ReadPlan":
        counts = Counter(name.casefold() for name in self.names)
        for name in self.names:
            if counts[name.casefold()] > 1:
                raise Invalid("study.read.same_name", name=name)
        return self


class ImageSource(Record):
    """Images beside the table: each row names its own, which becomes columns of pixels."""

    source: SourceName = Field(
        description="A folder, .tar, .tar.gz or .zip of JPEG and PNG files under ASSAY_DATA."
    )
    column: Words = Field(
        description="The column that names each row's image, with or without its file ending."
    )
    height: int = Field(ge=8, le=64, description="Pixels it is resized to.")
    width: int = Field(ge=8, le=64, description="Pixels it is resized to.")
    channels: Literal[1, 3] = Field(description="1: grey, 3: red, green and blue.")

    @property
    def n_pixels(self) -> int:
        return self.height * self.width * self.channels


# Rules of a plan ---------------------------------------------------------------------------------


def with_image_size(images: Any, clean: Any) -> Any:
    """Return the values of ``clean`` with the size of the images, where they do not give another."""
    if not isinstance(images, dict) or not isinstance(clean, dict):
        return clean
    size = {k: images[k] for k in ("height", "width", "channels") if k in images}
    image = clean.get("image") or {}
    return clean | {"image": size | image} if isinstance(image, dict) else clean


def check_images(images: ImageSource | None, image: ImagePlan | None) -> None:
    """Refuse images whose pixels cleaning does not read, or reads in another size."""
    if images is None:
        return
    if image is None:
        raise Invalid("study.read.no_image")
    for key in ("height", "width", "channels"):
        declared, cleaned = getattr(images, key), getattr(image, key)
        if declared != cleaned:
            raise Invalid(
                "study.read.image_size", key=key, declared=declared, cleaned=cleaned
            )
