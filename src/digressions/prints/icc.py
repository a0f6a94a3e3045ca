"""A printer's colours, by LittleCMS: ICC profiles, conversion, gamut; proofs of how a print looks
and where it is cut and hidden."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageDraw

from ..errors import InputError, verbatim
from ..files import reading_foreign
from .paper import Sheet

IntentName = Literal["perceptual", "relative", "saturation", "absolute"]
INTENTS: dict[str, ImageCms.Intent] = {
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
        origin: ``{"path": ..., "sha256": ...}`` of the file, as of a picture that something is
            made of; ``None`` for what is built in.
    """

    name: str
    mode: str
    kind: str
    content: bytes
    origin: dict[str, str] | None = None

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
        InputError: There is no such file, it is not an ICC profile, it is damaged, or it is for
            something that nothing is printed by.
    """
    content = _content(path)
    with reading_foreign(lambda _: _damaged(path)):
        inner = ImageCms.ImageCmsProfile(io.BytesIO(content)).profile
        name = " ".join((inner.profile_description or "").split()) or path.name
        kind, colours = inner.device_class.strip(), inner.xcolor_space.strip()
    if kind not in _CLASSES or colours not in _COLOURS:
        raise InputError(
            f"{verbatim(path)} is an ICC profile of {colours or 'nothing'} ({kind}), which nothing "
            "is printed by: give a CMYK or RGB profile of a printer",
            field="icc",
        )
    origin = {"path": str(path), "sha256": hashlib.sha256(content).hexdigest()}
    profile = Profile(name, _COLOURS[colours], kind, content, origin)
    try:
        sample = np.zeros((1, 1, 3), np.uint8)
        for intent in INTENTS:
            soft_proof(sample, profile, intent)
    except InputError as error:
        raise _damaged(path) from error
    return profile


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{verbatim(path)} is too large for an ICC profile", field="icc")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{verbatim(path)}: there is no such file", field="icc") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{verbatim(path)} cannot be read: {reason}", field="icc") from error
    if content[36:40] != b"acsp":
        raise InputError(f"{verbatim(path)} is not an ICC profile", field="icc")
    return content


def _damaged(path: Path) -> InputError:
    return InputError(f"{verbatim(path)} is a damaged ICC profile: get it again", field="icc")


def converted(image: np.ndarray, profile: Profile, intent: str) -> np.ndarray:
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
    # Compensated there and back: a print is never as black as a screen.
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

    def refusal(why: str) -> InputError:
        return InputError(f"the ICC profile cannot convert: {why}", field="icc")

    with reading_foreign(refusal):
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(source.content)),
            ImageCms.ImageCmsProfile(io.BytesIO(target.content)),
            source.mode,
            target.mode,
            INTENTS[intent],
            ImageCms.Flags.NONE if intent == "absolute" else compensate,
        )


def _applied(image: np.ndarray, transform: ImageCms.ImageCmsTransform) -> np.ndarray:
    """In bands of rows, so that a large page takes little memory besides itself."""
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


_LONGEST = 1200  # pixels of a side
_GAP = 24
_LINES = {"cut": (255, 0, 90), "safe": (0, 160, 255), "mat": (255, 170, 0)}
_ALARM = (0, 255, 0)
_BACKGROUND = 128


def proof_picture(
    bled: np.ndarray, sheet: Sheet, profile: Profile | None, intent: str
) -> np.ndarray:
    """Everything up to the bleed as it will look, with lines: red the cut, blue the safe area,
    orange the mat.

    By a profile, a second picture beside it is green where the colours cannot be printed.

    Args:
        bled: ``(H, W, 3)`` uint8 sRGB.
        sheet: What is printed.
        profile: What it is printed by, or ``None``.
        intent: One of `icc.INTENTS`.

    Returns:
        ``(h, w, 3)`` uint8 sRGB, of 1,200 pixels at most a picture and side.
    """
    image = Image.fromarray(bled)
    image.thumbnail((_LONGEST, _LONGEST))
    small = np.asarray(image)
    if profile is None:
        return _with_lines(small, bled.shape[1], sheet)
    flagged = small.copy()
    flagged[out_of_gamut(small, profile)] = _ALARM
    printed = _with_lines(soft_proof(small, profile, intent), bled.shape[1], sheet)
    gap = np.full((small.shape[0], _GAP, 3), _BACKGROUND, np.uint8)
    return np.hstack([printed, gap, flagged])


def _with_lines(small: np.ndarray, full_width: int, sheet: Sheet) -> np.ndarray:
    image = Image.fromarray(small)
    draw = ImageDraw.Draw(image)
    origin = sheet.inner(-sheet.bleed)
    scale = small.shape[1] / full_width
    for name, inset in (("safe", sheet.safe), ("mat", sheet.mat), ("cut", 0.0)):
        if inset or (name == "cut" and sheet.bleed):
            box = sheet.inner(inset)
            corners = [
                (box.left - origin.left) * scale,
                (box.top - origin.top) * scale,
                (box.right - origin.left) * scale - 1,
                (box.bottom - origin.top) * scale - 1,
            ]
            draw.rectangle(corners, outline=_LINES[name], width=2)
    return np.array(image)
