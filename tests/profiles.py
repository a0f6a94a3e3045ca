"""ICC profiles to test with: a printer's from libvips, and others of LittleCMS."""

from __future__ import annotations

import functools
from pathlib import Path

import pyvips
from PIL import ImageCms


@functools.cache
def cmyk() -> bytes:
    """A printer's profile in the public domain ("Chemical proof", by Graeme W. Gill), which
    libvips carries."""
    return bytes(pyvips.Operation.call("profile_load", "cmyk"))


@functools.cache
def wide_rgb() -> bytes:
    """Display P3, the profile of phones' photos, which libvips carries."""
    return bytes(pyvips.Operation.call("profile_load", "p3"))


def lab() -> bytes:
    """A profile that nothing is printed by."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def saved(folder: Path, content: bytes, name: str = "printer.icc") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
