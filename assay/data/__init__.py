"""From a source to samples and folds."""
