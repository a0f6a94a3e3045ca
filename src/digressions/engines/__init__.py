"""Batches mapped over this process or over many machines."""
