"""A picture file's own colours to sRGB: modes, embedded profiles, transparency."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # what a profile of each colour space is for


def to_srgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """A loaded picture of any of Pillow's modes as ``RGB``, in sRGB.

    An embedded profile is converted from, 16 bits and floats in 0..1 are scaled to 8 bits, alpha
    is composited over ``background``, which is sRGB already.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):  # 16-bit grey comes as I;16 or I, floats as F
        image = _eight_bits(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    opaque = _without_alpha(image)
    image = (_converted(opaque, profile) if profile else opaque).convert("RGB")
    if alpha is None:
        return image
    return Image.composite(image, Image.new("RGB", image.size, background), alpha)


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    values = values * 255 if image.mode == "F" else values / 257
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _without_alpha(image: Image.Image) -> Image.Image:
    """The colours alone, in one of the modes that profiles are for."""
    match image.mode:
        case "L" | "RGB" | "CMYK":
            return image
        case "1":
            return image.convert("L")
        case "LA" | "La":
            return image.convert("LA").getchannel("L")
        case _:  # a palette's colours are what its profile is about
            return image.convert("RGBA").convert("RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODES.get(source.profile.xcolor_space.strip()) != image.mode:
            return image
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that does not fit its picture says nothing about its colours
    return converted or image
