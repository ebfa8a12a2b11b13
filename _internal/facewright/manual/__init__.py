"""Finding and mending faces by hand: one core, shown in a window or on a page."""
