"""Hide from our own code the modules that only POSIX systems have, as if it ran on Windows."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = frozenset({"fcntl", "grp", "pwd", "resource", "termios"})
OURS = frozenset({"assay", "flows", "tasks"})


def hide() -> None:
    """Let an import of these modules fail in every module of ours; other libraries keep them."""
    import_module = builtins.__import__

    def imported(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        importer = str((globals or {}).get("__name__", "")).partition(".")[0]
        if importer in OURS and level == 0 and name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return import_module(name, globals, locals, fromlist, level)

    builtins.__import__ = imported
