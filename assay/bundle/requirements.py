"""The lines of the lock that predicting from a bundle needs: the same versions, the same hashes."""

import re

# Predicting loads NumPy alone of what onnxruntime requires; pip wants all of it.
WITH_IMAGES = ("pillow",)
PACKAGES = ("flatbuffers", "numpy", "onnxruntime", "packaging", "protobuf", "pyarrow")
_HEAD = """\
# What predicting from this bundle needs beside the program's own source: NumPy, onnxruntime and what it
# asks for, and pyarrow for Parquet. Versions and hashes are those of the run's requirements.txt.
#   python -m pip install --require-hashes --only-binary=:all: -r requirements.txt
"""
_BLOCK = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==[^\n]*(?:\n[ \t]+[^\n]*)*", re.MULTILINE
)


def subset(lock: str, packages: tuple[str, ...] = PACKAGES) -> str:
    """Return the lines of a lock that pin some packages, with their hashes and markers.

    Raises
    ------
    ValueError
        If the lock does not have one of them.

    Examples
    --------
    >>> lock = "a==1 \\\\\\n    --hash=sha256:00\\n    # via b\\nb==2 \\\\\\n    --hash=sha256:11\\n"
    >>> print(subset(lock, ("a",)).splitlines()[-2:])
    ['a==1 \\\\', '    --hash=sha256:00']
    """
    blocks: dict[str, list[str]] = {}
    for block in _BLOCK.finditer(lock):
        name = re.sub(r"[-_.]+", "-", block["name"]).lower()
        lines = (
            line for line in block[0].splitlines() if not line.lstrip().startswith("#")
        )
        blocks.setdefault(name, []).append("\n".join(lines))
    missing = [name for name in packages if name not in blocks]
    if missing:
        raise ValueError(f"the lock has no {missing[0]}, which predicting needs")
    kept = [block for name in packages for block in blocks[name]]
    return _HEAD + "\n".join(kept) + "\n"
