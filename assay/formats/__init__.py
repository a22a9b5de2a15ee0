"""Bytes, archives, encodings and cells, read strictly; NumPy alone."""
