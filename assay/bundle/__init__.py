"""The files a run leaves."""
