"""Prefect's settings of a check at a terminal: the variables that are documented, and nothing else a person has set.

A profile, ``.env``, ``prefect.toml``, ``pyproject.toml`` or further variables of a person are for their own flows. They
could keep results elsewhere, run a flow twice, leave the cache unused, or end the check with an error.
"""

import os
import re
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

_FLAG = r"(?i)true|false|0|1"
_KEPT = {  # each with what it must look like
    "PREFECT_API_URL": ".+",
    "PREFECT_API_AUTH_STRING": ".+",
    "PREFECT_API_KEY": ".+",
    "PREFECT_API_SSL_CERT_FILE": ".+",
    "PREFECT_API_TLS_INSECURE_SKIP_VERIFY": _FLAG,
    "PREFECT_CLIENT_CUSTOM_HEADERS": r"\{.*\}",
    "PREFECT_CLIENT_MAX_RETRIES": r"\d+",
    "PREFECT_HOME": ".+",
    "PREFECT_LOGGING_LEVEL": "DEBUG|INFO|WARNING|ERROR|CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": _FLAG,
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": ".+",
}


def keep_to_documented(artifacts: Path) -> None:
    """Leave only documented settings to this process and to those it starts, before any of them loads Prefect.

    The temporary server has a database of its own: limits, defaults and the version of a person's own would be
    those of the check.

    Parameters
    ----------
    artifacts
        Where the database goes if this user's home cannot be written to.
    """
    for name in list(os.environ):
        if name.startswith("PREFECT_"):
            form = _KEPT.get(name, "")
            if not re.fullmatch(form, os.environ[name], re.DOTALL):
                del os.environ[name]
    home = Path(os.environ.setdefault("PREFECT_HOME", str(_home(artifacts))))
    os.environ.setdefault(
        "PREFECT_SERVER_DATABASE_CONNECTION_URL",
        f"sqlite+aiosqlite:///{home / 'assay.db'}",
    )
    os.environ["PREFECT_PROFILES_PATH"] = os.devnull
    read_no_files()


def _home(artifacts: Path) -> Path:
    """Return Prefect's usual folder, or one in the artifacts where this user cannot write to it."""
    usual = Path.home() / ".prefect"
    try:
        usual.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return artifacts.absolute() / ".prefect"
    return usual if os.access(usual, os.W_OK) else artifacts.absolute() / ".prefect"


def read_no_files() -> None:
    """Let Prefect read no file of settings in a process of such a check; elsewhere somebody has set it up so."""
    if os.environ.get("PREFECT_PROFILES_PATH") != os.devnull:
        return
    with chdir(Path(__file__).parent):  # Prefect reads the current folder's as it loads
        from prefect.settings import base
    for kind in _classes(base.PrefectBaseSettings):
        kind.settings_customise_sources = staticmethod(_sources)
        for file in ("env_file", "toml_file", "pyproject_toml_table_header"):
            kind.model_config.pop(file, None)


def _sources(_: Any, init_settings: Any, env_settings: Any, **_files: Any) -> Any:
    """Return where values come from: what is handed, then variables, none of which is called as a bare field."""
    env_settings.env_vars = {
        name: value
        for name, value in env_settings.env_vars.items()
        if name.startswith("prefect_")
    }
    return init_settings, env_settings


def _classes(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _classes(inner)
