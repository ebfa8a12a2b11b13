"""Devices, network blocks, losses and checkpoints."""
