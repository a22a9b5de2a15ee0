"""The leak sentinels, one module each: what a table can tell of a leak before a score is shown.

Each has a function ``detect`` from a :class:`assay.audit.sentinel.Case` to a
:class:`assay.audit.sentinel.Finding`: its alarms, and what it could not look for and why. An alarm is a
question with its evidence, and says what to write in the study to answer it. Only ``stage`` calls them.
"""
