"""Readers: one module for each kind of file, and what they share.

``choose.read_file`` sends a source to its reader, which returns a :class:`~assay.data.readers.table.Table`
or refuses it in one sentence that names the file and, where there is one, the line and the column.
Nothing is unpickled, nothing is fetched, nothing is written. ``rules``, ``limits``, ``unpack``,
``encoding``, ``scan``, ``objects``, ``heads`` and ``archives`` need neither pandas nor a study: what
predicts from a bundle reads by them too.
"""
