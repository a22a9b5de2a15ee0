"""What Windows lacks is imported and called behind a guard only."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.posix_hidden import HIDDEN

OURS = [
    file
    for folder in ("assay", "tasks", "flows")
    for file in (ROOT / folder).rglob("*.py")
]
# Names of os and signal that Windows lacks, and where each stands behind a guard.
LACKING = re.compile(
    r"\b(?:os\.(?:fork|forkpty|get[ug]id|gete[ug]id|killpg|mkfifo|sched_\w+|setsid|sysconf|uname|wait\w*)"
    r"|signal\.(?:SIGKILL|SIGHUP|SIGUSR\d|SIGALRM|alarm|pthread_\w+|sigwait\w*)"
    r"|preexec_fn|dir_fd)\b"
)
GUARDED = {  # behind hasattr
    "assay/predict/command.py": {"os.sched_getaffinity"},
    "assay/stages/processes.py": {"signal.pthread_sigmask"},
    "assay/reproduce/again.py": {"os.getuid", "os.getgid"},
}

IMPORTS = """
import importlib, pkgutil
from tests.posix_hidden import hide

hide()
import assay

for module in pkgutil.walk_packages(assay.__path__, "assay."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print("imported")
"""
WORK = """
import sys
from pathlib import Path

from tests.posix_hidden import hide

hide()
from assay.formats import excel_worker
from assay.store.machine import circumstances, cores_allowed, memory_allowed
from assay.store.store import Store

excel_worker._limit(1, 1)
assert circumstances(1.0).peak_memory_mb > 1
assert cores_allowed() >= 1
assert memory_allowed() > 10**8
store = Store(Path(sys.argv[1]))
ref = store.put(b"content")
for n in range(2):
    store.files.publish({"a/b.txt": b"%d" % n}, store.folder / "runs" / "one")
with store.lock("run"), store.lock("run"):
    store.results.put("stage/key", b"{}")
assert store.get(ref) == b"content"
assert store.results.get("stage/key") == b"{}"
assert (store.folder / "runs" / "one" / "a" / "b.txt").read_bytes() == b"1"
assert store.files.sweep() == 0
print("worked")
"""


def said_by(program: str, *words: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_modules_that_only_posix_has_are_imported_behind_a_guard():
    unguarded = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in OURS
        for name in _unguarded(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert not unguarded


def _unguarded(tree: ast.Module) -> set[str]:
    """Return the hidden modules that are imported outside of ``try: ... except ImportError``."""
    guarded = {
        id(node)
        for tried in ast.walk(tree)
        if isinstance(tried, ast.Try)
        and any(
            isinstance(handler.type, ast.Name) and handler.type.id == "ImportError"
            for handler in tried.handlers
        )
        for statement in tried.body
        for node in ast.walk(statement)
    }
    names = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if id(node) not in guarded
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    return names & HIDDEN


def test_the_library_calls_nothing_that_windows_lacks():
    called = [
        f"{file.relative_to(ROOT)} uses {name}"
        for file in (ROOT / "assay").rglob("*.py")
        for name in set(LACKING.findall(file.read_text(encoding="utf-8")))
        if name not in GUARDED.get(file.relative_to(ROOT).as_posix(), set())
    ]

    assert not called


def test_the_store_works_without_them(tmp_path):
    assert said_by(WORK, str(tmp_path)) == "worked"


@pytest.mark.slow
def test_every_module_can_be_imported_without_them():
    assert said_by(IMPORTS) == "imported"


@pytest.mark.parametrize("n_refused", [0, 2])
def test_a_file_that_is_read_just_now_is_replaced_a_moment_later(
    tmp_path, monkeypatch, n_refused
):
    """As on Windows, where a file that is open can be neither moved nor replaced."""
    from assay.store import files

    refusals = iter(range(n_refused))
    replace = Path.replace

    def refused_at_first(source: Path, target: Path) -> Path:
        if next(refusals, None) is not None:
            raise PermissionError
        return replace(source, target)

    monkeypatch.setattr(files, "_MOVES_WAIT", True)
    monkeypatch.setattr(Path, "replace", refused_at_first)
    files.Files(tmp_path).write(tmp_path / "a.txt", b"new")

    assert (tmp_path / "a.txt").read_bytes() == b"new"
