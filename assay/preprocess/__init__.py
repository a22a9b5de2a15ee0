"""Preparation fitted on training rows only."""
