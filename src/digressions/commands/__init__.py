"""The commands of ``digress``, one a file: parse, call, print.

Torch is imported inside the functions, so that ``digress --help`` answers at once.
"""
