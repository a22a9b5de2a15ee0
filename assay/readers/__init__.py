"""Readers: one module for each kind of file, and what they share.

Each takes a source and returns a :class:`~assay.readers.table.Table`, or refuses it in one sentence
that names the file and, where there is one, the line and the column. Nothing is unpickled, nothing
is fetched, nothing is written.
"""

from assay.readers.choose import ENDINGS, read_file
from assay.readers.table import Table

__all__ = ["ENDINGS", "Table", "read_file"]
