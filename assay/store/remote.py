"""The store that several machines share: a bucket, or a folder that all of them mount.

Every object and result has the same name as in a store's folder, and whoever reads it verifies its digest.
It appears in one step: object storage shows an upload only when it is complete, and in a folder a file is
moved to its name. When two machines write one name, the last write stays; both wrote the same, because
names are digests of the content or of everything that decides a result.

The environment variables and files of the storage's own library hold its address and credentials
(``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID`` and so on). No message repeats a library's text: it may hold them.
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
_FINAL = (PermissionError, FileNotFoundError)  # trying again cannot help


class Shared:
    """Named bytes at an address: put whole, never listed, never deleted."""

    def __init__(self, address: str) -> None:
        self.address = as_address(address)
        self._whole: set[str] = set()  # put or verified by this process
        self._open = self._gone = False

    def __reduce__(self) -> tuple[Callable[[str], "Shared"], tuple[str]]:
        return shared_at, (self.address,)

    def __repr__(self) -> str:
        return f"Shared({self.address!r})"

    def open(self) -> None:
        """Make sure, within seconds, that something can be written there and read back.

        Raises
        ------
        StudyError
            If there is no such place, access is denied, or its library is not installed.
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
        """Write ``content`` under ``name``, over what was there.

        Raises
        ------
        Unreachable
            If the storage did not accept it in any try.
        """
        patience_s = _WORKING_S + len(content) / _SLOWEST
        self._tried(lambda files: self._put(files, name, content, patience_s))
        self._whole.add(name)

    def get(self, name: str, right: Callable[[bytes], bool]) -> bytes | None:
        """Return the bytes under ``name``, or None if there are none or ``right`` is false of them.

        Raises
        ------
        Unreachable
            If the storage did not answer in any try.
        """
        content = self._tried(lambda files: _read(files, self.place(name)))
        if content is None or not right(content):
            self._whole.discard(name)
            return None
        self._whole.add(name)
        return content

    def is_whole(self, name: str) -> bool:
        """Return whether this process has written or verified it."""
        return name in self._whole

    def has(self, name: str, size: int) -> bool:
        """Return whether ``name`` has that many bytes; they are not read."""
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
        """Call ``do``, again after each delay if it fails; without delays once the storage has failed every try."""
        files = _files(self.address, _WORKING_S)
        for delay_s in (*(() if self._gone else DELAYS_S), None):
            try:
                done = do(files)
            except Exception as error:  # any library's: only its kind is shown
                if delay_s is None or isinstance(error, _FINAL):
                    self._gone = True
                    raise Unreachable(
                        "store.gone", address=self.address, kind=_kind(error)
                    ) from None
                time.sleep(delay_s)
            else:
                self._gone = False
                return done
        raise AssertionError


@lru_cache
def shared_at(address: str) -> Shared:
    """Return this process's shared store at an address, the same object each time."""
    return Shared(address)


def as_address(word: str) -> str:
    """Return an address without its last slash.

    Raises
    ------
    StudyError
        If it is not a usable address, or holds a password or options.

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
        raise StudyError("store.address_secret")
    named = parts.netloc if parts.scheme == "s3" else parts.netloc + parts.path
    absolute = parts.scheme != "file" or (not parts.netloc and parts.path != "/")
    if parts.scheme not in ("s3", "file", "memory") or not named or not absolute:
        raise StudyError("store.address_form", address=word)
    return word.rstrip("/")


@lru_cache
def _files(address: str, patience_s: float) -> "AbstractFileSystem":
    """Return the library's file system for an address.

    Raises
    ------
    StudyError
        If it is not installed.
    """
    import fsspec

    scheme = urlsplit(address).scheme
    if scheme != "s3":
        return fsspec.filesystem(scheme)
    options: dict[str, Any] = {
        "connect_timeout": _CONNECTED_S,
        "read_timeout": patience_s,
        "retries": {"total_max_attempts": 1},  # we try again ourselves
    }
    try:
        files = fsspec.filesystem("s3", use_listings_cache=False, config_kwargs=options)
    except ImportError:
        raise StudyError("store.no_s3fs", address=address) from None
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
    """Return the error that tells a person why an address could not be opened."""
    kind = _kind(error)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return StudyError("store.no_bucket", address=address)
    if isinstance(error, PermissionError) or "Credentials" in kind:
        return StudyError("store.no_access", address=address, kind=kind)
    if kind == "ParamValidationError":
        return StudyError("store.bucket_name", address=address)
    return Unreachable("store.no_answer", address=address, kind=kind)


def _kind(error: BaseException) -> str:
    """Return the storage's own code for an error, or the name of the error's class; never its text."""
    cause = error.__cause__ or error
    answer = getattr(cause, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    word = str(code) if code else type(cause).__name__
    return word if word.isalnum() else type(cause).__name__
