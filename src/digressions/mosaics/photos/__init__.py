"""Mosaics of the user's own photos: indexed, chosen, bent until the mosaic is exact. No network."""
