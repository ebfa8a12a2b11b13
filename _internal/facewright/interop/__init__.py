"""Faces and models of other programs, read as plain data."""
