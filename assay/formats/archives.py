"""Image files in a folder, a tar or a zip: the names of all, and the bytes of some."""

import gzip
import io
import itertools
import os
import stat
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
    """Files under names, such as ``part_1/ISIC_0027419.jpg``; names first, contents on request."""

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
            names = sorted(self._names())
        if len(names) > MAX_IMAGES:
            raise DataRefused(
                "formats.too_many_files", file=self.name, n=len(names), most=MAX_IMAGES
            )
        for before, after in itertools.pairwise(names):
            if before == after:
                raise DataRefused(
                    "formats.member_twice", file=self.name, member=shown(before)
                )
        return names

    def contents(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the wanted files as they lie, each with its bytes."""
        with self._explained():
            for name, file in self._files(wanted):
                content = file.read(MAX_IMAGE_BYTES + 1)
                if len(content) > MAX_IMAGE_BYTES:
                    raise DataRefused(
                        "formats.image_too_large",
                        file=self.name,
                        image=cut(name),
                        most=MAX_IMAGE_BYTES // 1024**2,
                    )
                yield name, content

    def _names(self) -> Iterator[str]:
        if self._path.is_dir():
            yield from self._names_in_folder()
        elif self._is_zip():
            with zipfile.ZipFile(self._path) as archive:
                for member in archive.infolist():
                    if not member.is_dir():
                        mode = member.external_attr >> 16
                        check_member(member.filename, mode, self._source, self.name)
                        yield member.filename
        else:
            yield from self._names_in_tar()

    def _names_in_tar(self) -> Iterator[str]:
        with self._tar() as archive:
            for member in archive:
                mode = stat.S_IFLNK if member.issym() or member.islnk() else 0
                check_member(member.name, mode, self._source, self.name)
                if member.isfile():
                    yield member.name.removeprefix("./")
                elif not member.isdir():
                    raise DataRefused(
                        "formats.member_not_a_file",
                        file=self.name,
                        member=shown(member.name),
                    )

    def _names_in_folder(self) -> Iterator[str]:
        root = self._path.resolve()
        for folder, _, files in os.walk(self._path):
            for file in files:
                path = Path(folder) / file
                if not path.resolve().is_relative_to(root):
                    raise DataRefused(
                        "formats.link_outside",
                        file=self.name,
                        member=str(path.relative_to(self._path)),
                    )
                if path.is_file():
                    yield path.relative_to(self._path).as_posix()

    def _files(self, wanted: Collection[str]) -> Iterator[tuple[str, IO[bytes]]]:
        if self._path.is_dir():
            for name in sorted(wanted):
                with (self._path / name).open("rb") as plain:
                    yield name, plain
        elif self._is_zip():
            with zipfile.ZipFile(self._path) as archive:
                for name in sorted(wanted):
                    with archive.open(name) as file:
                        yield name, file
        else:
            with self._tar() as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    packed = archive.extractfile(member) if name in wanted else None
                    if packed is not None:
                        yield name, packed

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
                Counted(stream, self._source, self._path, self.name), 1 << 20
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
                "formats.unreadable", file=self.name, reason=first_line(error)
            ) from None
