"""A printer's colours: ICC profiles, conversion to inks, soft proof, gamut. By LittleCMS."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from ..errors import InputError

INTENTS = {
    "perceptual": ImageCms.Intent.PERCEPTUAL,
    "relative": ImageCms.Intent.RELATIVE_COLORIMETRIC,
    "saturation": ImageCms.Intent.SATURATION,
    "absolute": ImageCms.Intent.ABSOLUTE_COLORIMETRIC,
}
VISIBLE = 5.0  # CIE76: colours that are further apart are plainly two
_LARGEST = 64_000_000  # bytes of a profile
_ROWS = 512  # at a time
_DATE = slice(24, 36)  # of a profile's creation, in its header
_CLASSES = ("prtr", "mntr", "spac")  # printers, screens, colour spaces: all have a way back
_COLOURS = {"RGB": "RGB", "CMYK": "CMYK"}  # of a profile to Pillow's mode


class Profile(NamedTuple):
    """An ICC profile to print by.

    Attributes:
        name: Its own description.
        mode: ``"CMYK"`` or ``"RGB"``.
        kind: Its class: ``"prtr"`` for an output device.
        content: The file.
    """

    name: str
    mode: str
    kind: str
    content: bytes

    @property
    def paper(self) -> int:
        """The value of all channels where nothing is printed."""
        return 0 if self.mode == "CMYK" else 255

    @property
    def black(self) -> tuple[int, ...]:
        """Of crop marks; by the black ink alone, so that they are sharp."""
        return (0, 0, 0, 255) if self.mode == "CMYK" else (0, 0, 0)


@functools.cache
def srgb() -> Profile:
    """sRGB (IEC 61966-2-1). Its date is left out, so that files are the same every day."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    content[_DATE] = bytes(_DATE.stop - _DATE.start)
    return Profile("sRGB", "RGB", "mntr", bytes(content))


@functools.cache
def _cielab() -> Profile:
    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return Profile("CIELAB", "LAB", "abst", content)


def read_profile(path: Path) -> Profile:
    """Reads a profile of a printer, a screen or a colour space, of CMYK or RGB.

    Raises:
        InputError: There is no such file, it is no ICC profile or a damaged one, or one that is
            for nothing that could be printed by.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path} is too large for an ICC profile")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if content[36:40] != b"acsp":
        raise InputError(f"{path} is not an ICC profile")
    try:
        inner = ImageCms.ImageCmsProfile(io.BytesIO(content)).profile
        name = " ".join((inner.profile_description or "").split()) or path.name
        kind, colours = inner.device_class.strip(), inner.xcolor_space.strip()
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError) as error:
        raise InputError(f"{path} is a damaged ICC profile: get it anew") from error
    if kind not in _CLASSES or colours not in _COLOURS:
        raise InputError(
            f"{path} is an ICC profile of {colours or 'nothing'} ({kind}), which nothing is "
            "printed by: give a CMYK or RGB profile of a printer"
        )
    profile = Profile(name, _COLOURS[colours], kind, content)
    try:
        sample = np.zeros((1, 1, 3), np.uint8)
        for intent in INTENTS:
            soft_proof(sample, profile, intent)
    except InputError as error:
        raise InputError(f"{path} is a damaged ICC profile: get it anew") from error
    return profile


def to_inks(image: np.ndarray, profile: Profile, intent: str) -> np.ndarray:
    """``(H, W, 3)`` uint8 sRGB in the profile's colours, ``(H, W, 3 or 4)`` uint8.

    Black goes to the profile's black (black point compensation), as is usual for all intents but
    absolute.

    Raises:
        InputError: The profile is damaged.
    """
    return _applied(image, _transform(srgb(), profile, intent))


def soft_proof(image: np.ndarray, profile: Profile, intent: str) -> np.ndarray:
    """How a print of ``(H, W, 3)`` uint8 sRGB will look, in the same form.

    Raises:
        InputError: The profile is damaged.
    """
    there = _transform(srgb(), profile, intent)
    # Absolute shows the paper's tint too; the others take paper for the white of the screen.
    back = _transform(profile, srgb(), "absolute" if intent == "absolute" else "relative")
    return _applied(_applied(image, there), back)


def out_of_gamut(image: np.ndarray, profile: Profile) -> np.ndarray:
    """Where ``(H, W, 3)`` uint8 sRGB has colours that cannot be printed, ``(H, W)`` bool.

    There the nearest colour that can be printed is more than `VISIBLE` away in CIELAB.

    Raises:
        InputError: The profile is damaged.
    """
    # Compensated there and back: that no ink is as black as a screen is no surprise.
    there = _transform(srgb(), profile, "relative")
    back = _transform(profile, _cielab(), "relative")
    lab = _transform(srgb(), _cielab(), "relative")
    found = np.empty(image.shape[:2], bool)
    for rows in _bands(len(image)):
        wanted, printed = (
            _lab(_applied(part, last))
            for part, last in ((image[rows], lab), (_applied(image[rows], there), back))
        )
        found[rows] = ((wanted - printed) ** 2).sum(-1) > VISIBLE**2
    return found


def _lab(stored: np.ndarray) -> np.ndarray:
    """Pillow's 8 bits, a and b with a sign, as CIELAB in float32."""
    lightness = stored[..., :1].astype(np.float32) * (100 / 255)
    return np.concatenate([lightness, stored[..., 1:].view(np.int8).astype(np.float32)], -1)


def _transform(source: Profile, target: Profile, intent: str) -> ImageCms.ImageCmsTransform:
    compensate = ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(source.content)),
            ImageCms.ImageCmsProfile(io.BytesIO(target.content)),
            source.mode,
            target.mode,
            INTENTS[intent],
            ImageCms.Flags.NONE if intent == "absolute" else compensate,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise InputError(f"the ICC profile cannot convert: {error}") from error


def _applied(image: np.ndarray, transform: ImageCms.ImageCmsTransform) -> np.ndarray:
    out: np.ndarray | None = None
    for rows in _bands(len(image)):
        part = Image.fromarray(np.ascontiguousarray(image[rows]), transform.input_mode)
        converted = np.asarray(ImageCms.applyTransform(part, transform))
        if out is None:
            out = np.empty((len(image), *converted.shape[1:]), np.uint8)
        out[rows] = converted
    assert out is not None
    return out


def _bands(height: int) -> Iterator[slice]:
    return (slice(top, min(top + _ROWS, height)) for top in range(0, height, _ROWS))
