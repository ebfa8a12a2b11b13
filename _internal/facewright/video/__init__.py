"""Videos: probing, timing, decoding, encoding, muxing."""
