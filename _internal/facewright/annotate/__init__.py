"""Faces placed and corrected by hand, in a window or on a page."""
