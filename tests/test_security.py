"""What SECURITY.md promises: nothing that is read is run, no server stands open, no secret is left behind."""

import ast
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from assay.errors import StudyError, Unreachable
from assay.store.machine import circumstances
from bench.program import PREFECT
from flows.server import need_password, prefect_server, server_errors, without_secrets
from tests.flow_runs import make, prefect_running

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    file
    for folder in ("flows", "tasks", "assay")
    for file in (ROOT / folder).rglob("*.py")
)

# What turns bytes into running code, by the last part of a name or by module.
RUNS_CODE = {"eval", "exec", "compile", "__import__"}
UNPICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
OPENS_CODE = {"read_pickle", "unsafe_load", "full_load", "system", "popen"}
ALLOWED = {
    # its own errors, between a process and the one it has started
    ("assay/stages/processes.py", "pickle"),
}


def named(node: ast.expr) -> str:
    """Return a dotted name, such as ``np.load``; empty for anything else."""
    try:
        text = ast.unparse(node)
    except ValueError:
        return ""
    return text if re.fullmatch(r"[\w.]+", text) else ""


def dangers(tree: ast.AST) -> list[str]:
    """Return what in a module could run what it reads."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name in UNPICKLES]
        elif isinstance(node, ast.ImportFrom) and node.module in UNPICKLES:
            found.append(node.module)
        elif isinstance(node, ast.Call):
            found += danger_of(node)
    return found


def is_said(given: dict[str | None, ast.expr], name: str, value: bool) -> bool:
    """Return whether an argument is written out as this value."""
    found = given.get(name)
    return isinstance(found, ast.Constant) and found.value is value


def danger_of(call: ast.Call) -> list[str]:
    name, given = (
        named(call.func),
        {keyword.arg: keyword.value for keyword in call.keywords},
    )
    last = name.rpartition(".")[2]
    if name in RUNS_CODE or last in OPENS_CODE:
        return [name]
    if name == "yaml.load" or (last == "load" and name.startswith("yaml")):
        return [name]
    if name in ("np.load", "numpy.load") and not is_said(given, "allow_pickle", False):
        return [f"{name} that may unpickle"]
    if last == "load_model" and not is_said(given, "safe_mode", True):
        return [f"{name} that may run what an archive brings"]
    if "shell" in given:
        return [f"{name} with a shell"]
    return []


@pytest.mark.parametrize(
    "text",
    [
        "eval(x)",
        "import pickle",
        "from marshal import loads",
        "np.load(file)",
        "np.load(file, allow_pickle=True)",
        "yaml.load(text)",
        "pd.read_pickle(file)",
        "subprocess.run(x, shell=True)",
        "os.system(x)",
        "keras.models.load_model(file)",
    ],
)
def test_what_runs_what_it_reads_is_seen(text):
    assert dangers(ast.parse(text))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_module_unpickles_or_runs_what_it_reads(module):
    place = module.relative_to(ROOT).as_posix()
    found = dangers(ast.parse(module.read_text(encoding="utf-8")))

    assert [one for one in found if (place, one) not in ALLOWED] == []


# Prefect's server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://0.0.0.0:4200/api",
        "http://192.168.1.7:4200/api",
        "https://prefect.example.org/api",
        "http://[2001:db8::1]:4200/api",
        "http://localhost.example.org/api",
        "http://127.0.0.1@example.org/api",
    ],
)
def test_a_server_beyond_this_machine_needs_a_password(address):
    with pytest.raises(StudyError, match="beyond this machine, and no password"):
        need_password(address, None)
    need_password(address, "me:secret")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]"])
def test_a_server_of_this_machine_needs_none(host):
    need_password(f"http://{host}:4200/api", None)


def test_a_check_is_refused_before_it_reaches_an_open_server(tmp_path, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: "http://192.0.2.1:4200/api"}),
        pytest.raises(StudyError, match=r"names 192\.0\.2\.1"),
        prefect_server(),
    ):
        pytest.fail("went on")


def test_an_answer_of_the_server_is_told_without_its_password():
    import httpx

    request = httpx.Request("GET", "http://127.0.0.1/api")
    answer = httpx.Response(401, request=request)
    with (
        pytest.raises(
            Unreachable, match=r"\*\*\*@host/api answers 401\..* Set PREFECT_API_AUTH"
        ) as raised,
        server_errors("http://me:secret@host/api"),
    ):
        answer.raise_for_status()

    assert "secret" not in str(raised.value)


def test_errors_that_are_not_the_servers_pass():
    with pytest.raises(RuntimeError, match="ours"), server_errors("http://host/api"):
        raise RuntimeError("ours")


def test_passwords_of_addresses_are_not_told():
    told = without_secrets("postgresql+asyncpg://me:p@ss@db/x and http://host/y")

    assert told == "postgresql+asyncpg://***@db/x and http://host/y"


@pytest.mark.flow
def test_the_temporary_server_lets_nobody_in_without_the_password(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    code = (
        "from flows.server import prefect_server\n"
        "from prefect.settings import PREFECT_API_URL\n"
        "from prefect.client.orchestration import get_client\n"
        "with prefect_server():\n"
        "    with get_client(sync_client=True) as client: client.read_flows()\n"
        "    print(PREFECT_API_URL.value(), flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(f"{address}/admin/settings")
        raised.value.close()
        process.communicate("\n")

    assert raised.value.code == 401
    assert process.returncode == 0


# Secrets ---------------------------------------------------------------------------------------

SECRETS = {
    "PREFECT_API_AUTH_STRING": "tester:kept-between-us-1",
    "PREFECT_SERVER_API_AUTH_STRING": "tester:kept-between-us-1",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://me:kept-between-us-2@127.0.0.1:9/prefect",
}
TELLTALE = b"kept-between-us"


def holding(folder: Path) -> list[Path]:
    """Return the files below a folder that hold a secret."""
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and TELLTALE in file.read_bytes()
    ]


@pytest.mark.flow
def test_no_secret_is_in_anything_that_a_check_leaves_or_says(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    word = "PREFECT_SERVER_API_AUTH_STRING"
    monkeypatch.setenv(word, SECRETS[word])
    with prefect_running(home) as address:
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PREFECT_API_URL", address)
        monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
        workplace = make(tmp_path / "place", target="noise")
        run = workplace.run(program=PREFECT)

    assert run.code == 0, run.err
    assert TELLTALE.decode() not in run.out + run.err
    assert holding(tmp_path) == []


@pytest.mark.flow
def test_a_temporary_server_without_its_database_ends_in_a_sentence_without_the_password(
    tmp_path, monkeypatch
):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    run = make(tmp_path / "place", target="noise").run(program=PREFECT)

    assert run.code == 1
    assert run.err.splitlines()[-1].startswith(
        "Prefect's temporary server did not start"
    )
    assert "Traceback" not in run.err
    assert TELLTALE.decode() not in run.out + run.err
    assert holding(tmp_path) == []


def test_circumstances_hold_nothing_of_the_environment_but_named_settings(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    assert TELLTALE.decode() not in circumstances(1.0).model_dump_json()


def test_nothing_secret_is_built_into_the_image():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert not re.search(r"(ARG|ENV)\s.*(AUTH|PASSWORD|SECRET|TOKEN)", text)
    assert "**" in ignored  # nothing enters but what is named
    assert not {"!.env", "!artifacts/**", "!.git"} & set(ignored)


# Files beside a table ------------------------------------------------------------------------------

SPAWNS = """
from multiprocessing import get_context
from assay.stages.processes import imports_outside_the_current_folder
if __name__ == "__main__":
    process = get_context("spawn").Process(target=print, args=("done",))
    with imports_outside_the_current_folder():
        process.start()
    process.join()
"""


def test_a_process_of_a_check_imports_nothing_from_the_current_folder(tmp_path):
    """A process that ``multiprocessing`` spawns looks there first, for ``multiprocessing`` itself."""
    table, program = tmp_path / "table", tmp_path / "program"
    for folder in (table, program):
        folder.mkdir()
    for name in ("multiprocessing", "pickle", "assay", "numpy"):
        (table / f"{name}.py").write_text("open('it-ran', 'w')")
    (program / "spawns.py").write_text(SPAWNS)
    done = subprocess.run(
        [sys.executable, program / "spawns.py"],
        cwd=table,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "done\n"
    assert not (table / "it-ran").exists()


# The page -----------------------------------------------------------------------------------------


def test_every_test_that_the_page_names_is_there():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named_tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)

    assert len(named_tests) > 20
    for file, name in named_tests:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), name
