"""Worst first: after a conversion, a score for every frame for what can be wrong with it, and pages to look at them."""
