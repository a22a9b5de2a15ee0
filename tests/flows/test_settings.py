"""A check at a terminal goes by documented settings of Prefect, whatever else a person has set for flows of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PRINTED = """
from pathlib import Path
from flows.settings import keep_to_documented
keep_to_documented(Path("artifacts"))
from prefect.settings import get_current_settings, PREFECT_API_AUTH_STRING, temporary_settings
with temporary_settings({PREFECT_API_AUTH_STRING: "a:b"}) as now:
    for settings in (get_current_settings(), now):
        print(settings.results.default_storage_block, settings.tasks.disable_caching, settings.flows.default_retries,
              settings.api.url, settings.logging.level, settings.plugins.enabled)
"""
THEIRS = {
    "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": "local-file-system/mine",
    "PREFECT_FLOW_DEFAULT_RETRIES": "3",
    "PREFECT_TASKS_DISABLE_CACHING": "true",
    "PREFECT_PLUGINS_ENABLED": "true",
    "PREFECT_TEST_MODE": "1",
    "PREFECT_LOGGING_LEVEL": "loud",
    "PREFECT_CLIENT_MAX_RETRIES": "many",
    "PREFECT_API_URL": "http://127.0.0.1:1/api",
}
FILES = {
    ".env": "PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK=local-file-system/mine\nPREFECT_FLOWS_DEFAULT_RETRIES=3\n",
    "prefect.toml": "[tasks]\ndisable_caching = true\n[plugins]\nenabled = true\n[logging]\nlevel = 'loud'\n",
    "pyproject.toml": "[tool.prefect.flows]\ndefault_retries = 3\n",
    ".prefect/profiles.toml": "active = 'mine'\n[profiles.mine]\nPREFECT_API_URL = 'https://example.org/api'\n"
    "PREFECT_TASKS_DISABLE_CACHING = 'true'\n",
}


def printed(folder: Path, **settings: str) -> list[str]:
    """Return what Prefect's settings are in a folder that is the home too."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRINTED],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
        | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


@pytest.mark.flow
def test_variables_and_files_of_a_person_do_not_reach_the_check(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    url = THEIRS["PREFECT_API_URL"]
    assert printed(tmp_path, **THEIRS) == [f"None False 0 {url} INFO False"] * 2


@pytest.mark.flow
def test_files_that_are_no_settings_do_not_end_the_check(tmp_path):
    (tmp_path / "prefect.toml").write_text("[[[")
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")

    assert printed(tmp_path) == ["None False 0 None INFO False"] * 2
