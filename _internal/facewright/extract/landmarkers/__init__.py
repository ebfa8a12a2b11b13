"""One file per landmark predictor."""
