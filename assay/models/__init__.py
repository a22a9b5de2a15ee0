"""Families of models, their search, and what is said of them."""
