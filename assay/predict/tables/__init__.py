"""Tables to predict, read a few thousand rows at a time, by the same rules as in training: a module a format."""

from assay.predict.tables.open_table import open_table
from assay.predict.tables.table import Table

__all__ = ["Table", "open_table"]
