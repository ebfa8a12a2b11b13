"""Bringing back what was put away: faces and files from the trash, older states of a model."""
