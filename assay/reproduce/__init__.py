"""A finished run, run again and compared."""
