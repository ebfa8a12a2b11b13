"""facewright: a face-replacement workshop run as numbered scripts."""

__version__ = "0.1.0"
