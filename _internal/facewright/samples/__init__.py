"""Makes training samples out of aligned faces (no keras)."""
