"""Pages of pairs and dataset versions: a file a subject."""
