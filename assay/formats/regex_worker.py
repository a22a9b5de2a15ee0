"""Try regular expressions in a process of its own: on some texts a bad one takes longer than anybody waits.

    python regex_worker.py CPU_S

Reads ``{"patterns": [...], "texts": [...]}`` and writes a line as soon as a pattern has been sought in every
text. It loads no other module of Assay. Linux and macOS end it after ``CPU_S`` seconds.
"""

import contextlib
import json
import re
import sys


def _limit(cpu_s: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, most in ((resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # not on every system
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    _limit(int(sys.argv[1]))
    asked = json.load(sys.stdin)
    for pattern in asked["patterns"]:
        with contextlib.suppress(re.error, RecursionError, OverflowError):
            compiled = re.compile(pattern)
            for text in asked["texts"]:
                compiled.search(text)
        sys.stdout.write("\n")
        sys.stdout.flush()
