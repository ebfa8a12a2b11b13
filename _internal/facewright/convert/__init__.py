"""Puts a predicted face back into its frame (no keras: predict() is an argument)."""
