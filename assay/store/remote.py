"""What stages came to, where several machines find it: in a bucket, or in a folder that all of them mount.

Everything has the name that it has in a store's folder, and who reads it holds it to its digest. It
appears in one step: an object storage shows no upload before its end, in several parts or in one, and
in a folder a file is moved to its name. Of two writers of one name the last one's stays; both wrote the
same, for names are digests of content, or of all that decides a result.

Where the storage is and who may use it say the environment and files of its library
(``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID`` and so on). No sentence here repeats what a library said.
"""

import secrets
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from assay.errors import AssayError, StudyError, Unreachable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")

DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # before each further try, once work is under way
_CONNECTED_S, _OPENING_S, _WORKING_S = 5.0, 15.0, 30.0  # until a try has failed
_SLOWEST = 1e6  # bytes a second of an upload, the least there may be
_MARK, _MARKED = "assay-store", b"What stages of Assay came to. See docs/scale.md.\n"
_FINAL = (PermissionError, FileNotFoundError)  # no further try will do


class Shared:
    """Named bytes behind an address: put whole, never listed, never deleted."""

    def __init__(self, address: str) -> None:
        self.address = as_address(address)
        self._whole: set[str] = set()  # put or verified by this process
        self._open = self._gone = False

    def __reduce__(self) -> tuple[Callable[[str], "Shared"], tuple[str]]:
        return shared_at, (self.address,)

    def __repr__(self) -> str:
        return f"Shared({self.address!r})"

    def open(self) -> None:
        """Make sure, within seconds, that something can be kept there and read back.

        Raises
        ------
        StudyError
            If there is no such place, it lets nobody in, or its library is not installed.
        Unreachable
            If nothing answers.
        """
        if self._open:
            return
        files = _files(self.address, _OPENING_S)
        try:
            self._put(files, _MARK, _MARKED, _OPENING_S)
            files.cat_file(self.place(_MARK))
        except Exception as error:  # any library's: only its kind is told
            raise _unopened(self.address, error) from None
        self._open = True

    def place(self, name: str) -> str:
        return f"{self.address}/{name}"

    def put(self, name: str, content: bytes) -> None:
        """Keep ``content`` under ``name``, whatever was there.

        Raises
        ------
        Unreachable
            If the storage did not take it, each time it was tried.
        """
        patience_s = _WORKING_S + len(content) / _SLOWEST
        self._tried(lambda files: self._put(files, name, content, patience_s))
        self._whole.add(name)

    def get(self, name: str, right: Callable[[bytes], bool]) -> bytes | None:
        """Return what is kept under ``name``, or None if nothing is or it is not ``right``.

        Raises
        ------
        Unreachable
            If the storage did not answer, each time it was tried.
        """
        found = self._tried(lambda files: _read(files, self.place(name)))
        if found is None or not right(found):
            self._whole.discard(name)
            return None
        self._whole.add(name)
        return found

    def is_whole(self, name: str) -> bool:
        """Return whether this process has put it or seen it to be right."""
        return name in self._whole

    def has(self, name: str, size: int) -> bool:
        """Return whether something of that many bytes is kept under ``name``; it is not read."""
        if self.is_whole(name):
            return True
        return size == self._tried(lambda files: _size(files, self.place(name)))

    def _put(
        self, files: "AbstractFileSystem", name: str, content: bytes, patience_s: float
    ) -> None:
        from fsspec.asyn import sync

        place = self.place(name)
        if files.async_impl:
            # Its own time-out does not count while it waits to be let begin.
            sync(files.loop, files._pipe_file, place, content, timeout=patience_s)
            return
        unfinished = self.place(f".{secrets.token_hex(8)}.part")
        files.pipe_file(unfinished, content)
        files.makedirs(place.rpartition("/")[0], exist_ok=True)
        files.mv(unfinished, place)

    def _tried(self, do: Callable[["AbstractFileSystem"], T]) -> T:
        """Do it, and again after a while where it fails; once that was for nothing, no more time is given."""
        files = _files(self.address, _WORKING_S)
        for delay_s in (*(() if self._gone else DELAYS_S), None):
            try:
                done = do(files)
            except Exception as error:  # any library's: only its kind is told
                if delay_s is None or isinstance(error, _FINAL):
                    self._gone = True
                    raise Unreachable(
                        f"The store {self.address} no longer takes or gives what it should ({_kind(error)}). What was "
                        f"finished is kept; run again when it answers."
                    ) from None
                time.sleep(delay_s)
            else:
                self._gone = False
                return done
        raise AssertionError


@lru_cache
def shared_at(address: str) -> Shared:
    """Return the one shared store that this process has at an address."""
    return Shared(address)


def as_address(word: str) -> str:
    """Return an address without its last slash.

    Raises
    ------
    StudyError
        If it is none that can be used, or holds what is none of its business.

    Examples
    --------
    >>> as_address("s3://bucket/assay/")
    's3://bucket/assay'
    """
    try:
        parts = urlsplit(word)
    except ValueError:
        parts = urlsplit("")
    if "@" in word or parts.query or parts.fragment:
        raise StudyError(
            "The address of a shared store holds a password or options. Leave them to the environment "
            "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL), and give s3://BUCKET/PREFIX alone."
        )
    named = parts.netloc if parts.scheme == "s3" else parts.netloc + parts.path
    absolute = parts.scheme != "file" or (not parts.netloc and parts.path != "/")
    if parts.scheme not in ("s3", "file", "memory") or not named or not absolute:
        raise StudyError(
            f"--store {word}: it is s3://BUCKET/PREFIX, or file:///FOLDER of a folder that all machines mount."
        )
    return word.rstrip("/")


@lru_cache
def _files(address: str, patience_s: float) -> "AbstractFileSystem":
    """Return the library's way to an address.

    Raises
    ------
    StudyError
        If it is not installed.
    """
    import fsspec

    scheme = urlsplit(address).scheme
    if scheme != "s3":
        return fsspec.filesystem(scheme)
    asked: dict[str, Any] = {
        "connect_timeout": _CONNECTED_S,
        "read_timeout": patience_s,
        "retries": {"total_max_attempts": 1},  # we try again ourselves
    }
    try:
        files = fsspec.filesystem("s3", use_listings_cache=False, config_kwargs=asked)
    except ImportError:
        raise StudyError(
            f"--store {address}: the package s3fs is not installed here. Install it with `make storage`, or "
            f"python -m pip install --require-hashes -r requirements-s3.txt -c requirements.txt"
        ) from None
    files.retries = 1
    return files


def _read(files: "AbstractFileSystem", place: str) -> bytes | None:
    try:
        content: bytes = files.cat_file(place)
    except FileNotFoundError:
        return None
    return content


def _size(files: "AbstractFileSystem", place: str) -> int | None:
    try:
        size: int = files.info(place)["size"]
    except FileNotFoundError:
        return None
    return size


def _unopened(address: str, error: Exception) -> AssayError:
    """Return in words why an address could not be opened."""
    said = f"--store {address}: "
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return StudyError(f"{said}there is no such bucket or folder. Make it first.")
    if isinstance(error, PermissionError) or "Credentials" in _kind(error):
        return StudyError(
            f"{said}it may not be written to and read ({_kind(error)}). Set AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to those of someone who may."
        )
    if _kind(error) == "ParamValidationError":
        return StudyError(f"{said}no bucket can have that name.")
    return Unreachable(
        f"The store {address} does not answer ({_kind(error)}). See to AWS_ENDPOINT_URL and the network, or "
        f"leave --store out."
    )


def _kind(error: BaseException) -> str:
    """Return a word for an error: the storage's own code, or the name of its class; never its text."""
    cause = error.__cause__ or error
    answer = getattr(cause, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    word = str(code) if code else type(cause).__name__
    return word if word.isalnum() else type(cause).__name__
