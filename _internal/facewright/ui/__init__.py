"""Pages, windows, contact sheets and plots; nothing of faces."""
