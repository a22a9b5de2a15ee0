"""A check under Prefect as a person at a terminal starts it: quiet settings, a server, the flow."""

import importlib
import logging
import os
from typing import cast

from assay.cli.terminal import Watcher
from assay.request import Request
from assay.store.places import artifacts_folder
from assay.store.verdict import Verdict
from flows.settings import keep_to_documented

_SETTINGS = {  # those already set are kept
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLIENT_MAX_RETRIES": "5",  # a busy SQLite answers 503; a minute, each wait twice the last
}
_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",  # each event that a stopped server does not take
}


def check(request: Request) -> Verdict:
    """Take a request to its verdict as a run of the flow ``check_hypothesis``."""
    keep_to_documented(request.artifacts or artifacts_folder())
    is_quiet = "PREFECT_LOGGING_LEVEL" not in os.environ
    for name, value in (_SETTINGS | (_QUIET if is_quiet else {})).items():
        os.environ.setdefault(name, value)
    # A server that is gone would be reported at every line that it was to log.
    logging.raiseExceptions = not is_quiet
    with Watcher("cli.starting_prefect"):
        from flows.server import prefect_server

        with prefect_server():
            flow = importlib.import_module(
                "flows.main"
            ).check_hypothesis  # by name: it imports this
            return cast(
                "Verdict",
                flow(
                    study=str(request.study),
                    overrides=list(request.overrides),
                    data=str(request.data) if request.data else None,
                    artifacts=str(request.artifacts) if request.artifacts else None,
                    shared=request.shared,
                    runner=request.runner,
                    fresh=request.fresh,
                    multiverse=request.multiverse,
                    audit=request.audit,
                ),
            )
