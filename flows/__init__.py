"""The pipeline, its command line, and what a person sees of it."""
