"""The training loop and all around it: saving, preview, status page."""
