"""Write environment.yml from a lock: ``python containers/conda.py LOCK environment.yml`` (``make lock`` calls it)."""

import re
import sys
from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9._-]+(?:\[[^]]*\])?==[^\\\n]+?) *\\?$", re.MULTILINE)
_HEAD = """\
# Assay in a conda environment, with the versions of assay/requirements.txt (`make lock` writes this file):
#   conda env create -f environment.yml && conda activate assay && assay
name: assay
channels: [conda-forge]
dependencies:
  - python>=3.11,<3.14
  - pip
  - pip:
"""


def environment_of(lock: str) -> str:
    """Return a conda environment with each pin of a lock, and with this project itself."""
    pins = "".join(f'      - "{pin}"\n' for pin in _PIN.findall(lock))
    return f"{_HEAD}{pins}      - .\n"


if __name__ == "__main__":
    lock, environment = map(Path, sys.argv[1:])
    environment.write_text(
        environment_of(lock.read_text(encoding="utf-8")), encoding="utf-8"
    )
