"""Bytes of a file, unpacked if it is gzip or zip, and counted while they are."""

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from assay.errors import DataRefused
from assay.formats.checks import Named, cut, first_line, shown, some_of
from assay.formats.limits import most_unpacked, too_much_unpacked

Opened = Callable[[], IO[bytes]]
UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,  # an unsupported compression
    RuntimeError,  # an encrypted member
    ValueError,
)
_N_NAMES_SHOWN = 8


class Counted(io.RawIOBase):
    """A stream that refuses to go on beyond a limit."""

    def __init__(
        self, stream: IO[bytes], source: Named, path: str | Path, name: str = ""
    ) -> None:
        self._stream, self._source, self._name, self._n = stream, source, name, 0
        self._most = most_unpacked(source, path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._n = self._stream.seek(offset, whence)
        return self._n

    def tell(self) -> int:
        return self._n

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        self._n += len(content)
        if self._n > self._most:
            raise too_much_unpacked(self._source, self._most, self._name)
        return len(content)

    def close(self) -> None:
        self._stream.close()
        super().close()


def opener(source: Named) -> tuple[Opened, str]:
    """Return what opens the source's text, unpacked, and the ending of the text itself.

    A zip must hold one file; its ending counts then, not the archive's.

    Raises
    ------
    DataRefused
        If an archive holds several files, or one that leads out of it, is a link or is encrypted.
    """
    path = Path(source.path)
    endings = [ending.lower() for ending in path.suffixes]
    if endings[-1:] == [".gz"]:
        return (
            lambda: _buffered(cast("IO[bytes]", gzip.open(path)), source),
            "".join(endings[-2:-1]),
        )
    if endings[-1:] == [".zip"]:
        with explained(source):
            member = _only_member(path, source)
        return (
            lambda: _buffered(zipfile.ZipFile(path).open(member), source),
            PurePosixPath(member).suffix.lower(),
        )
    return lambda: _buffered(path.open("rb"), source), "".join(endings[-1:])


def _buffered(stream: IO[bytes], source: Named) -> IO[bytes]:
    return cast(
        "IO[bytes]", io.BufferedReader(Counted(stream, source, source.path), 1 << 20)
    )


@contextmanager
def explained(source: Named) -> Iterator[None]:
    """Turn an error of unpacking or reading into a refusal."""
    try:
        yield
    except UNREADABLE as error:
        raise DataRefused(
            "formats.unreadable", file=source.name, reason=first_line(error)
        ) from None


def _only_member(path: Path, source: Named) -> str:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
    names = [member.filename for member in members]
    if len(members) != 1:
        raise DataRefused(
            "formats.one_file_only",
            file=source.name,
            n=len(names),
            names=some_of([*map(cut, names)], _N_NAMES_SHOWN),
        )
    check_member(names[0], members[0].external_attr >> 16, source)
    if members[0].flag_bits & 1:
        raise DataRefused("formats.encrypted", file=source.name)
    return names[0]


def check_member(name: str, mode: int, source: Named, archive: str = "") -> None:
    """Refuse a member of an archive that leads out of it or is a link."""
    archive = archive or source.name
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or name[1:2] == ":":
        raise DataRefused("formats.member_outside", file=archive, member=shown(name))
    if not name.isprintable():
        raise DataRefused("formats.member_damaged", file=archive, member=shown(name))
    if stat.S_ISLNK(mode):
        raise DataRefused("formats.member_is_link", file=archive, member=shown(name))
