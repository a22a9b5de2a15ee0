"""Damaged run folders and receipts, for ``bench.fuzz``: of a kept small run, whose digests are made to hold again."""

import json
import os
import random
import shutil
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from assay.errors import AssayError, StudyError
from assay.report.folder import open_run
from assay.report.page import page_again
from assay.report.rerun_receipts import receipts_of
from assay.report.two_runs import compare
from assay.report.two_runs_page import side_by_side
from assay.reproduce.lock import pins_of
from assay.reproduce.rerun import lay_out
from assay.reproduce.rerun import open_run as open_verified
from assay.reproduce.signatures import Signature
from assay.store.canonical import digest_bytes
from assay.store.run_folder import fitting
from assay.study.load import load
from bench.mutate import mutated
from bench.program import ROOT

NAME = "small-99632818d2b7"
_KEPT = ROOT / "tests" / "kept" / "run-b409744.tar.xz"
_LOCK_LINES = (
    b"--find-links==wheels", b"-r==more.txt", b"-e.", b"--index-url https://e.org", b"# -*- coding: utf-7 -*-",
    b"evil @ file:wheels/evil.whl", b"numpy[x]==1.0", b"numpy===1", b"${X}", b"numpy==2.4.6 ; os_name == 'x' -r y",
    b"\x0c-r more.txt", "\u2028-r more.txt".encode(), b"\xef\xbb\xbfnumpy==2.4.6", b"\\", b"numpy==2.4.6 \\",
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, "", "x", "\x1b[2J\n", "<script>", -1, 0, 2**31, 2**63, 10**400, 1e308, -0.0, True, [], {}, [[]], ["x"] * 50,
    {"key": "text.plain", "values": {}}, {"key": "records.verdict", "values": {"plan": 1}}, "9" * 5000, "a" * 64,
)  # fmt: skip


@cache
def _kept() -> dict[str, bytes]:
    with tarfile.open(_KEPT) as archive:
        return {
            member.name: file.read()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


def run_case(draw: random.Random, folder: Path) -> str:
    """A run is opened, read as a report, a study and a lock, and compared with the intact one."""
    place = folder / "run" / NAME
    shutil.rmtree(folder / "run", ignore_errors=True)
    files = {
        name.removeprefix(f"{NAME}/"): content
        for name, content in _kept().items()
        if name.startswith(NAME)
    }
    _laid(files, place)
    whole = open_run(Path(shutil.copytree(place, folder / "run" / "whole")))
    name = draw.choice(list(files))
    manifest = json.loads(files["manifest.json"]) if name != "manifest.json" else None
    if manifest is not None and draw.random() < 0.05:
        del files[name], manifest["files"][name]
    else:
        files[name] = _changed(name, files[name], draw)
    if manifest is not None and draw.random() < 0.9:
        if name in files:
            manifest["files"][name] = digest_bytes(files[name])
        files["manifest.json"] = json.dumps(manifest).encode()
    shutil.rmtree(place)
    _laid(files, place)
    if draw.random() < 0.1:
        draw.choice(_ADDED)(place, draw.choice(list(files)))
    try:
        run = open_run(place)
        with fitting(place):
            drawn = name.endswith(".json") and not name.startswith("bundle")
            page = page_again(run, "en") if drawn else ""
            side_by_side(compare(run, whole), "en")
        if "<script" in page:
            raise AssertionError("a script in the page")
        load(*lay_out(open_verified(place), folder / "run" / "again"))
        pins_of(place / "requirements.txt")
    except AssayError as error:  # it may name the folder, which a person has named
        raise StudyError(str(error).replace(str(folder), "")) from None
    return name


def receipt_case(draw: random.Random, folder: Path) -> str:
    """A receipt is read beside the run that it is of, and shown on its page."""
    place, receipts = folder / "kept" / NAME, folder / "receipts"
    if not place.exists():
        _laid(
            {
                name.removeprefix(f"{NAME}/"): content
                for name, content in _kept().items()
                if name.startswith(NAME)
            },
            place,
        )
    receipts.mkdir(exist_ok=True)
    content = _changed("receipt.json", _kept()["receipt.json"], draw)
    (receipts / "1.json").write_bytes(content)
    run = open_run(place)
    (kept,) = receipts_of(run, receipts, lambda _: Signature("none"))
    page = page_again(run, "ko", [kept])
    if "<script" in page:
        raise AssertionError("a script in the page")
    return "unreadable" if kept.receipt is None else str(kept.fault)


def _laid(files: dict[str, bytes], place: Path) -> None:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


def _changed(name: str, content: bytes, draw: random.Random) -> bytes:
    """Return a file with a value, a line or some bytes changed."""
    if name == "requirements.txt" and draw.random() < 0.7:
        lines = content.split(b"\n")
        lines.insert(draw.randrange(len(lines)), draw.choice(_LOCK_LINES))
        return b"\n".join(lines)
    if name.endswith(".json") and draw.random() < 0.7:
        value = json.loads(content)
        for _ in range(draw.randint(1, 3)):
            value = altered(value, draw)
        return json.dumps(value).encode()
    return mutated(content, draw)


def altered(value: Any, draw: random.Random) -> Any:
    """Return a JSON value with one value inside it, or one key, another."""
    if isinstance(value, dict) and value and draw.random() < 0.95:
        key = draw.choice(list(value))
        if draw.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        return value | {key: altered(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.9:
        place = draw.randrange(len(value))
        repeated = [value[place]] * draw.choice((1, 1, 1, 0, 2, 1000))
        inner = [altered(value[place], draw)] if len(repeated) == 1 else repeated
        return [*value[:place], *inner, *value[place + 1 :]]
    return draw.choice(_ODD)


def _pipe(place: Path, name: str) -> None:
    (place / name).unlink()
    os.mkfifo(place / name)


def _link(place: Path, name: str) -> None:
    (place / name).unlink()
    (place / name).symlink_to("/dev/zero")


def _more(place: Path, name: str) -> None:
    (place / f"{name}.pth").write_text("import os")


_ADDED: tuple[Callable[[Path, str], None], ...] = (_pipe, _link, _more)
