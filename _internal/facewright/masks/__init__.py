"""The trained mask: what it learns from, its training, its masks in the records of faces."""
