"""Download a catalogued file, continue where an earlier attempt ended, and verify its digest.

What has arrived so far lies in ``NAME.part``; the file appears under its own name whole and verified, or not
at all. Only https is used, except on this machine itself.
"""

import gzip
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from assay.data.catalogue import (
    File,
    fault_of,
    is_safe,
    other_size,
    part_of,
    too_long,
)
from assay.errors import AssayError, DataRefused, StudyError, Unreachable, why_refused
from assay.store.locks import acquired, lock_of, remove
from assay.wording import Sentence, Value

DELAYS_S = (1.0, 5.0)  # before the second and the third try
TIMEOUT_S = 30.0  # without a byte
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")

Hear = Callable[[int], None]


class _Broken(ConnectionError):
    """An answer that is not what was asked for; another may be."""

    def __init__(self, key: str, /, **values: Value) -> None:
        super().__init__(key)
        self.sentence = Sentence.of(key, **values)


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
        Called with the number of bytes that have arrived, as they arrive.
    delays_s
        Seconds to wait before each further try.
    timeout_s
        Seconds without a byte after which a try has failed.

    Raises
    ------
    DataRefused
        If the download has another size or digest; none of it is kept.
    Unreachable
        If the network failed; what has arrived so far is kept.
    StudyError
        If nothing can be written there.
    """
    if file.address is None:
        raise ValueError(f"{file.path} has no address")
    place = folder / file.path
    part = part_of(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise StudyError(
            "data_download.not_writable",
            folder=str(place.parent),
            path=file.path,
            reason=why_refused(error),
        ) from None
    with _alone(file, part):
        try:
            with _client(file, timeout_s) as client, part.open("ab") as opened:
                _in_tries(client, file, opened, hear, delays_s)
            fault = fault_of(file, part, packed=False)
            if fault is not None:
                raise _refused(file, fault)
        except DataRefused:
            part.unlink()
            raise
        _put(file, part, place)


@contextmanager
def _alone(file: File, part: Path) -> Iterator[None]:
    """Let one process, and one call in it, write the part."""
    lock = lock_of(part.with_name(part.name + ".lock"))
    if lock.is_locked or not acquired(lock):
        raise AssayError("data_download.running", path=file.path)
    try:
        yield
    finally:
        remove(lock)


def _client(file: File, timeout_s: float) -> httpx.Client:
    """Return a client that trusts the system's certificates and follows a redirect only to a safe address."""
    address = httpx.URL(str(file.address))

    def need_safe(request: httpx.Request) -> None:
        is_weaker = address.scheme == "https" != request.url.scheme
        if is_weaker or not is_safe(str(request.url)):
            raise Unreachable(
                "data_download.unsafe_redirect",
                address=str(address),
                target=str(request.url),
            )

    return httpx.Client(
        headers={"Accept-Encoding": "identity", "User-Agent": "assay"},
        timeout=timeout_s,
        follow_redirects=True,
        verify=ssl.create_default_context(),
        event_hooks={"request": [need_safe]},
    )


def _in_tries(
    client: httpx.Client,
    file: File,
    part: IO[bytes],
    hear: Hear,
    delays_s: Sequence[float],
) -> None:
    """Download until the part is as long as the file, waiting after each fault that may pass."""
    for delay_s in (*delays_s, None):
        try:
            _download(client, file, part, hear)
            return
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            why = Sentence.of(
                "data_download.answered",
                code=code,
                phrase=error.response.reason_phrase,
            )
            if code not in _PASSING:
                raise Unreachable(
                    "data_download.failed", address=str(file.address), why=why
                ) from None
        except httpx.TimeoutException:
            why = Sentence.of("data_download.silent")
        except _Broken as error:
            why = error.sentence
        except (httpx.HTTPError, OSError) as error:
            text = re.sub(r"^\[\w+ -?\d+\] ", "", str(error)).rstrip(".")
            why = Sentence.plain(text or type(error).__name__)
        if delay_s is None:
            raise Unreachable(
                "data_download.failed_each_time",
                address=str(file.address),
                n_tries=len(delays_s) + 1,
                why=why,
            )
        time.sleep(delay_s)


def _download(client: httpx.Client, file: File, part: IO[bytes], hear: Hear) -> None:
    """Append what is missing to the part, or start again where the server cannot continue.

    Raises
    ------
    httpx.HTTPError, OSError
        If the connection is cut or silent, or the server answers with an error.
    DataRefused
        If the server announces or sends another number of bytes.
    """
    have = part.seek(0, 2)
    if have > file.bytes:
        have = part.truncate(0)
    hear(have)
    if have == file.bytes:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with client.stream("GET", str(file.address), headers=headers) as answer:
        if answer.status_code == 416 and have:  # the server's file ends before the part
            part.truncate(0)
            _download(client, file, part, hear)
            return
        answer.raise_for_status()
        start, total = _begins(answer, have)
        have = start or part.truncate(0)
        if total is not None and (
            total < file.bytes if file.first_bytes else total != file.bytes
        ):
            raise _refused(file, other_size(total, file.bytes))
        for block in answer.iter_raw():
            if file.first_bytes:
                block = block[: file.bytes - have]
            part.write(block)
            have += len(block)
            hear(have)
            if have > file.bytes:
                raise _refused(file, too_long(file.bytes))
            if file.first_bytes and have == file.bytes:
                return
    if have < file.bytes:
        raise _Broken("data_download.ended", n_bytes=have)


def _begins(answer: httpx.Response, have: int) -> tuple[int, int | None]:
    """Return at which byte an answer begins, and how many bytes the whole file has, if it says so."""
    if answer.status_code == 206:
        part = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if part is None or part[1] not in (str(have), "0"):
            raise _Broken("data_download.other_part")
        return int(part[1]), int(part[2]) if part[2] != "*" else None
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _refused(file: File, fault: Sentence) -> DataRefused:
    return DataRefused(
        "data_download.other_file",
        address=str(file.address),
        path=file.path,
        fault=fault,
    )


def _put(file: File, part: Path, place: Path) -> None:
    """Give a verified part the file's name; compress it first, without name and time, if that ends in .gz."""
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
