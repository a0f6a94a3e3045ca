"""Checkpoints of any family behind one protocol."""
