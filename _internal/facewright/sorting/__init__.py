"""Orders facesets."""
