"""What each stage of an assay means: plain functions on data they are handed."""
