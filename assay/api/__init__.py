"""Assay from Python: check a table or a study, and use what the run left."""

from assay.api.checking import check, draft
from assay.api.run import Model, Run, open_run, runs
from assay.wording import speak

__all__ = ["Model", "Run", "check", "draft", "open_run", "runs", "speak"]
