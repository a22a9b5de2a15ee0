"""Families of models: their search, their fit, and descriptions of how the deep one behaves."""
