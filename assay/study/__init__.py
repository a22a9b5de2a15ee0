"""What a person declares: a study, its plans, its sources."""
