"""Finding faces: detection, landmarks, filters, and the cut that is saved."""
