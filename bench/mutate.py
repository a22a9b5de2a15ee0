"""Damage as it happens and as it is done on purpose: bytes flipped, cut, moved, doubled, put in."""

import gzip
import random
from collections.abc import Callable

from bench.valid_files import zipped

_TOKENS = (
    b'"', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\x00", b"\x1a", b"\xff",
    b"\xef\xbb\xbf", b"\xff\xfe", b"NaN", b"inf", b"-1e999", b"9" * 30, b"true",
    b"null", b"[", b"]", b"{", b"}", b'""', b" ", b"../", b"\\u0000", b"=", b"'",
    "\uac00".encode(), "\uac00".encode("cp949"), b"A" * 5000,
)  # fmt: skip


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Return content damaged one to four times."""
    for _ in range(draw.randint(1, 4)):
        content = draw.choice(_WAYS)(content, draw)
    return content


def damaged(name: str, content: bytes, draw: random.Random) -> bytes:
    """Return a file damaged; of one that is packed, half the time what it packs."""
    if name.endswith(".gz") and draw.random() < 0.5:
        return gzip.compress(mutated(gzip.decompress(content), draw), mtime=0)
    if draw.random() < 0.5 and content.startswith(b"PK"):
        return _inside(content, draw)
    return mutated(content, draw)


def _inside(content: bytes, draw: random.Random) -> bytes:
    """Return a zip with one of its members damaged, or renamed, under checksums that hold."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(list(members))
    if draw.random() < 0.1:
        members[draw.choice(["../x.csv", "x", name + "2"])] = members.pop(name)
    else:
        members[name] = mutated(members[name], draw)
    return zipped(members)


def _flip(content: bytes, draw: random.Random) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _drop(content: bytes, draw: random.Random) -> bytes:
    start, end = _span(content, draw)
    return content[:start] + content[end:]


def _double(content: bytes, draw: random.Random) -> bytes:
    start, end = _span(content, draw)
    return content[:end] + content[start:end] + content[end:]


def _splice(content: bytes, draw: random.Random) -> bytes:
    start, end = _span(content, draw)
    at = draw.randrange(len(content) + 1)
    return content[:at] + content[start:end] + content[at:]


def _put_in(content: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + draw.choice(_TOKENS) + content[at:]


def _shuffle_lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    draw.shuffle(lines)
    return b"".join(lines)


def _span(content: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(content) + 1)
    return start, min(len(content), start + draw.choice((1, 2, 8, 64, 512)))


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _cut,
    _drop,
    _double,
    _splice,
    _put_in,
    _put_in,
    _shuffle_lines,
)
