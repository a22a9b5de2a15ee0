"""The program with every command, in the order in which help lists their groups."""

from assay.cli import check_commands, run_commands, trust_commands
from assay.cli.options import app

__all__ = ["app", "check_commands", "run_commands", "trust_commands"]
