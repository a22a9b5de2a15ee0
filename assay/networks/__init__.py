"""The training engine, and the forms a finished network is kept in."""
