"""Image files in a folder, a tar or a zip: their names, and the bytes of those that are wanted."""

import gzip
import io
import itertools
import os
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from assay.errors import DataRefused
from assay.formats.checks import Named, cut, first_line, shown
from assay.formats.limits import MAX_IMAGE_BYTES, MAX_IMAGES
from assay.formats.unpack import Counted, check_member

_UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class Archive:
    """Files under names, such as ``part_1/ISIC_0027419.jpg``; names first, contents when asked for."""

    def __init__(self, path: Path, name: str, source: Named) -> None:
        self._path, self.name, self._source = path, name, source

    def names(self) -> list[str]:
        """Return the names of all files, in order.

        Raises
        ------
        DataRefused
            If the archive cannot be read, or a name leads out of it or is a link.
        """
        with self._explained():
            found = sorted(self._names())
        if len(found) > MAX_IMAGES:
            raise DataRefused(
                f"{self.name} holds {len(found):,} files, and this reader takes {MAX_IMAGES:,} at most."
            )
        for before, after in itertools.pairwise(found):
            if before == after:
                raise DataRefused(f"{self.name} holds {shown(before)} twice.")
        return found

    def contents(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the wanted files as they lie, each with its bytes."""
        with self._explained():
            for name, file in self._files(wanted):
                content = file.read(MAX_IMAGE_BYTES + 1)
                if len(content) > MAX_IMAGE_BYTES:
                    raise DataRefused(
                        f"{self.name}: {cut(name)} has more than the {MAX_IMAGE_BYTES // 1024**2} MiB that this reader "
                        f"takes of an image."
                    )
                yield name, content

    def _names(self) -> Iterator[str]:
        if self._path.is_dir():
            yield from self._names_in_folder()
        elif self._is_zip():
            with zipfile.ZipFile(self._path) as archive:
                for one in archive.infolist():
                    if not one.is_dir():
                        mode = one.external_attr >> 16
                        check_member(one.filename, mode, self._source, self.name)
                        yield one.filename
        else:
            with self._tar() as archive:
                for member in archive:
                    check_member(member.name, 0, self._source, self.name)
                    if member.issym() or member.islnk():
                        raise DataRefused(
                            f"{self.name}: its member {shown(member.name)} is a link. Pack the file itself."
                        )
                    if member.isfile():
                        yield member.name.removeprefix("./")
                    elif not member.isdir():
                        raise DataRefused(
                            f"{self.name}: its member {shown(member.name)} is no file."
                        )

    def _names_in_folder(self) -> Iterator[str]:
        root = self._path.resolve()
        for folder, _, files in os.walk(self._path):
            for file in files:
                path = Path(folder) / file
                if not path.resolve().is_relative_to(root):
                    raise DataRefused(
                        f"{self.name}: {path.relative_to(self._path)} is a link that leads out of the folder."
                    )
                if path.is_file():
                    yield path.relative_to(self._path).as_posix()

    def _files(self, wanted: Collection[str]) -> Iterator[tuple[str, IO[bytes]]]:
        if self._path.is_dir():
            for name in sorted(wanted):
                with (self._path / name).open("rb") as file:
                    yield name, file
        elif self._is_zip():
            with zipfile.ZipFile(self._path) as archive:
                for name in sorted(wanted):
                    with archive.open(name) as file:
                        yield name, file
        else:
            with self._tar() as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    found = archive.extractfile(member) if name in wanted else None
                    if found is not None:
                        yield name, found

    def _is_zip(self) -> bool:
        return self._path.suffix.lower() == ".zip"

    @contextmanager
    def _tar(self) -> Iterator[tarfile.TarFile]:
        packed = self._path.suffix.lower() in (".gz", ".tgz")
        with (
            cast("IO[bytes]", gzip.open(self._path))
            if packed
            else self._path.open("rb") as stream,
            io.BufferedReader(
                Counted(stream, self._source, self.name), 1 << 20
            ) as counted,
            tarfile.open(fileobj=counted, mode="r:") as archive,
        ):
            yield archive

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _UNREADABLE as error:
            raise DataRefused(
                f"{self.name} cannot be read: {first_line(error)}."
            ) from None
