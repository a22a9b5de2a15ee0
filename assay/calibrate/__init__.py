"""How often the words are right, by simulation."""
