"""Trains the networks by which `digressions.frames.scoring` tells openings from other quads."""
