"""Readers: one module for each kind of file, and what they share.

``read_file.read_file`` sends a source to its reader, which returns a
:class:`~assay.data.readers.table.Table` or refuses it in one sentence that names the file and, where there
is one, the line and the column. Nothing is unpickled, nothing is fetched, nothing is written. What needs
neither pandas nor a study is in :mod:`assay.formats`: prediction from a bundle reads by it too.
"""
