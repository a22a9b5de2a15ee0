"""Look up the known vulnerabilities of a lock: ``python containers/audit.py LOCK`` (``make audit`` calls it).

Exit codes: 0 none is known, 1 some are, 2 not every package could be looked up, so that nothing is known.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_NONE, _FOUND, _UNKNOWN = 0, 1, 2


def audited(lock: Path) -> tuple[int, str]:
    """Ask pip-audit, and return the exit code and what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        ended = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pip_audit",
                    "--disable-pip",
                    "--require-hashes",
                ),
                *("--progress-spinner=off", "-f", "json"),
                *("-o", str(report), "-r", str(lock)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        text = report.read_text(encoding="utf-8") if report.is_file() else ""
    last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
    return verdict(text, last)


def verdict(report: str, reason: str) -> tuple[int, str]:
    """Return the exit code, and in words what a report of pip-audit says.

    Parameters
    ----------
    report
        As JSON; empty where pip-audit has written none.
    reason
        Why there is none.
    """
    if not report:
        return _UNKNOWN, f"The database of vulnerabilities was not reached: {reason}"
    packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    skipped = [package for package in packages if "skip_reason" in package]
    lines = [f"{len(found)} known vulnerabilities:", *found] if found else []
    if skipped:
        n, first = len(skipped), skipped[0]["skip_reason"]
        lines.append(
            f"{n} of {len(packages)} packages could not be looked up, so nothing is known of them ({first})"
        )
    if not lines:
        lines = [f"No vulnerability is known of {len(packages)} packages."]
    code = _FOUND if found else _UNKNOWN if skipped else _NONE
    return code, "\n".join(lines)


if __name__ == "__main__":
    code, sentence = audited(Path(sys.argv[1]))
    sys.stdout.write(f"{sentence}\n")
    sys.exit(code)
