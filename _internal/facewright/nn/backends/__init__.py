"""What keras does not offer for every backend: one module each, imported only when that backend is in use."""
