"""Scripts that print the figures of the docs. From the root: ``python -m benchmarks.mosaic``."""
