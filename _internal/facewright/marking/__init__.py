"""Says that an output was made with a trained network, and reads that back."""
