"""Fetch: download a catalogued file, go on where an earlier attempt ended, believe it by its digest.

What has come so far lies in ``NAME.part``; the file appears under its name whole and verified, or not
at all. Only https, but for this machine itself.
"""

import fcntl
import gzip
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from assay.data.catalogue import File, fault_of, is_safe, part_of
from assay.errors import AssayError, DataRefused, StudyError, Unreachable

DELAYS_S = (1.0, 5.0)  # before the second and the third try
TIMEOUT_S = 30.0  # without a byte
_AT_ONCE = 2**16
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_CUT = (OSError, http.client.HTTPException)  # a fault on the way, which may pass

Hear = Callable[[int], None]


def fetch_file(
    file: File,
    folder: Path,
    hear: Hear = lambda _: None,
    *,
    delays_s: Sequence[float] = DELAYS_S,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Download a file of the catalogue to its place below ``folder``.

    Parameters
    ----------
    hear
        Called with how many bytes are there, as they come.
    delays_s
        Seconds to wait before each further try.
    timeout_s
        Seconds without a byte after which a try has failed.

    Raises
    ------
    DataRefused
        If what came has another size or digest; none of it is kept.
    Unreachable
        If the network did not give it; what came so far is kept.
    StudyError
        If nothing can be written there.
    """
    if file.address is None:
        raise ValueError(f"{file.path} has no address")
    place = folder / file.path
    part = part_of(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        opened = part.open("ab")
    except OSError as error:
        raise StudyError(
            f"{place.parent} cannot hold {file.path}: {error.strerror}. Set ASSAY_DATA to a folder that can."
        ) from None
    with opened:
        _alone(opened, file)
        _in_tries(file, opened, hear, delays_s, timeout_s)
        opened.flush()
        fault = fault_of(file, part, packed=False)
        if fault is not None:
            part.unlink()
            raise DataRefused(_not_the_file(file, fault))
        _put(file, part, place)


def _not_the_file(file: File, fault: str) -> str:
    return (
        f"{file.address} does not give {file.path} as the catalogue knows it: {fault}. It was not kept; if it "
        f"stays so, the publisher has changed the file."
    )


def _alone(opened: IO[bytes], file: File) -> None:
    """Hold the part for this process, or end."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AssayError(
            f"Another fetch of {file.path} is running. Wait for it."
        ) from None


def _in_tries(
    file: File, part: IO[bytes], hear: Hear, delays_s: Sequence[float], timeout_s: float
) -> None:
    """Download until the part is as long as the file, waiting after each fault that may pass."""
    for delay in (*delays_s, None):
        try:
            _download(file, part, hear, timeout_s)
            return
        except urllib.error.HTTPError as error:
            why = f"it answered {error.code} {error.reason}"
            error.close()
            if error.code not in _PASSING:
                raise Unreachable(f"{file.address} cannot be fetched: {why}.") from None
        except _CUT as error:
            why = _in_words(error)
        if delay is None:
            raise Unreachable(
                f"{file.address} could not be fetched in {len(delays_s) + 1} tries: {why}. What has come so far is "
                f"kept; the same command goes on from there."
            )
        time.sleep(delay)


def _in_words(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "nothing came for too long"
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return str(said).rstrip(".")


def _download(file: File, part: IO[bytes], hear: Hear, timeout_s: float) -> None:
    """Append what is missing to the part, or begin anew where the server cannot go on.

    Raises
    ------
    OSError
        If the connection is cut or silent.
    DataRefused
        If the server announces or sends another number of bytes.
    """
    have = _size(part)
    if have > file.bytes:
        have = _emptied(part)
    hear(have)
    if have == file.bytes:
        return
    with _asked(str(file.address), have, timeout_s) as answer:
        have, whole = _begins(answer, have)
        if have != _size(part):
            have = _emptied(part)
        if whole is not None and (
            whole < file.bytes if file.first_bytes else whole != file.bytes
        ):
            _refuse(file, part, f"it holds {whole:,} bytes instead of {file.bytes:,}")
        while block := answer.read1(_AT_ONCE):
            if file.first_bytes:
                block = block[: file.bytes - have]
            part.write(block)
            have += len(block)
            hear(have)
            if have > file.bytes:
                _refuse(
                    file, part, f"it holds more than the {file.bytes:,} bytes it should"
                )
            if file.first_bytes and have == file.bytes:
                return
    if have < file.bytes:
        raise ConnectionError(
            f"the connection ended after {have:,} of {file.bytes:,} bytes"
        )


def _asked(address: str, have: int, timeout_s: float) -> Any:
    headers = {"Accept-Encoding": "identity", "User-Agent": "assay"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(address, headers=headers)
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        return opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing lies where the part ends
            raise
        error.close()
    return opener.open(
        urllib.request.Request(address, headers=headers | {"Range": "bytes=0-"}),
        timeout=timeout_s,
    )


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow an answer to another address only if that is as safe."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not is_safe(newurl) or (
            req.type == "https" and not newurl.startswith("https:")
        ):
            fp.close()
            raise Unreachable(
                f"{req.full_url} leads to {newurl}, which is not https, and was not followed."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _begins(answer: Any, have: int) -> tuple[int, int | None]:
    """Return at which byte an answer begins, and how many the whole has, if it says so."""
    if answer.status == 206:
        unit, _, said = answer.headers.get("Content-Range", "").partition(" ")
        place, _, total = said.partition("/")
        start = place.partition("-")[0]
        if unit != "bytes" or start not in (str(have), "0"):
            raise ConnectionError(
                "the server answered with another part than was asked for"
            )
        return int(start), int(total) if total.isdecimal() else None
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _size(part: IO[bytes]) -> int:
    part.flush()
    return os.fstat(part.fileno()).st_size


def _emptied(part: IO[bytes]) -> int:
    part.truncate(0)
    return 0


def _refuse(file: File, part: IO[bytes], fault: str) -> None:
    Path(part.name).unlink()
    raise DataRefused(_not_the_file(file, fault))


def _put(file: File, part: Path, place: Path) -> None:
    """Give a verified part the file's name; pack it first, without name and time, if that ends in .gz."""
    if not file.is_packed:
        part.replace(place)
        return
    packed = place.with_name(place.name + ".packing")
    try:
        with (
            part.open("rb") as raw,
            packed.open("wb") as out,
            gzip.GzipFile("", "wb", 9, out, mtime=0) as zipped,
        ):
            shutil.copyfileobj(raw, zipped)
        packed.replace(place)
    finally:
        packed.unlink(missing_ok=True)
    part.unlink()
