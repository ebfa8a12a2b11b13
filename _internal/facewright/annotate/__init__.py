"""Manual annotation: faces placed and corrected in a window or on a page."""
