"""Draft: a study and an expectation suite for one's own table, ready to run and to be edited.

    from assay.draft import draft_source, find_table, keep_draft

    table = find_table(Path("orders.csv"))
    draft = draft_source(table.source, target="paid")
    drafted = keep_draft(draft, table, store)  # drafted.study is a file that `load` reads

No model is trained here. The target is looked at to choose a task and to leave out columns that give
it away, which can only make a study harder.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.draft.column import Role
    from assay.draft.draft import Draft, draft_source, draft_table
    from assay.draft.files import Drafted, Table, find_table, keep_draft, write_draft
    from assay.draft.roles import picture_in, question_of

__all__ = [
    "Draft",
    "Drafted",
    "Role",
    "Table",
    "draft_source",
    "draft_table",
    "find_table",
    "keep_draft",
    "picture_in",
    "question_of",
    "write_draft",
]

_FILES = {
    "Role": "column",
    "picture_in": "roles",
    "question_of": "roles",
} | dict.fromkeys(
    ("Drafted", "Table", "find_table", "keep_draft", "write_draft"), "files"
)


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for: reading a draft's types loads no pandas."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES.get(name, 'draft')}"), name)
