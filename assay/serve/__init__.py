"""Predictions of one bundle over HTTP: who may ask, what a request holds, how many are worked on at once."""
