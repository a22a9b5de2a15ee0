"""Regular expressions of strangers, sought in texts: on some texts a bad one takes longer than anybody waits."""

import json
import re
import subprocess
import sys
from collections.abc import Collection, Sequence
from math import log

from assay.formats import regex_worker

MAX_CPU_S = 60  # for all patterns on some texts
_MAX_WALL_S = 600  # where the system has no limit of its own
_STEPS = log(1e8)  # which take some seconds at most
_CHOICE = re.compile(r"[*+?{|]")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")


def is_quick(pattern: str, texts: Collection[str]) -> bool:
    """Return whether a pattern is sought in all of some texts within the limits.

    One whose choices are too few to take long is not tried.
    """
    n_choices, n = len(_CHOICE.findall(pattern)), len(texts)
    longest = max(map(len, texts), default=0)
    steps = log(n + 1) + (n_choices + 1) * log(longest + 1)
    if steps < _STEPS and not _REPEATED_GROUP.search(pattern):
        return True
    return n_sought([pattern], list(texts)) == 1


def n_sought(patterns: Sequence[str], texts: Sequence[str]) -> int:
    """Return how many patterns, one after the other, were sought in every text within the limits."""
    command = [sys.executable, "-I", regex_worker.__file__, str(MAX_CPU_S)]
    asked = json.dumps({"patterns": patterns, "texts": texts}).encode()
    try:
        done = subprocess.run(
            command, input=asked, capture_output=True, timeout=_MAX_WALL_S, check=False
        ).stdout
    except subprocess.TimeoutExpired as late:
        done = late.stdout or b""
    return done.count(b"\n")
