"""What is to be printed, and how: from a picture to a printer's file, remembered in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from ..errors import InputError
from ..geometry import Size
from ..jsontext import parsed
from ..pictures.images import resample
from ..pictures.original import read_again
from .inks import INTENTS, Profile, read_profile, srgb, to_inks
from .lengths import Extent
from .paper import Placement, Sheet, place, to_bleed
from .printfile import check_printable, write_print
from .proof import proof_picture

LANCZOS_ENOUGH = 1.2  # times: so few pixels are not worth the minutes of a network
Enlarge = Callable[[np.ndarray, Size, str], np.ndarray]
"""``(H, W, 3)`` uint8, the size wanted and the name of an upscaler, to a picture of that size."""


class Ink(NamedTuple):
    """The profile of a printer, and the file that it is from (as `original.Original.origin`)."""

    profile: Profile
    origin: dict[str, str]


@dataclass(frozen=True)
class Order:
    """How a picture is printed.

    Attributes:
        sheet: The paper.
        fit, edge: See `paper.place`.
        upscaler: What enlarges a picture that lacks more than a few pixels.
        ink: What its colours are converted to, or ``None`` for sRGB.
        intent: One of `inks.INTENTS`.
    """

    sheet: Sheet
    fit: str = "fill"
    edge: str = "mirror"
    upscaler: str = "lanczos"
    ink: Ink | None = None
    intent: str = "relative"

    def __post_init__(self) -> None:
        """Raises:
        InputError: An unknown intent.
        """
        if self.intent not in INTENTS:
            raise InputError(
                f"--intent {self.intent!r} is not known: choose one of {', '.join(INTENTS)}"
            )

    @property
    def colours(self) -> Profile:
        return srgb() if self.ink is None else self.ink.profile

    def place(self, picture: Size) -> Placement:
        """Where a picture of a size goes. Raises `InputError` as `paper.place`."""
        return place(self.sheet, picture, self.fit, self.edge)

    def effective_dpi(self, picture: Size) -> float:
        """Pixels of its own that a picture of a size has an inch."""
        return self.sheet.dpi / self.place(picture).enlargement

    def upscaler_for(self, picture: Size) -> str | None:
        """What enlarges a picture of a size, or ``None`` if it has the pixels."""
        enlargement = self.place(picture).enlargement
        if enlargement <= 1:
            return None
        return "lanczos" if enlargement < LANCZOS_ENOUGH else self.upscaler

    def check(self, target: Path) -> None:
        """Raises what `write` would raise for a path, before the work."""
        check_printable(target, self.sheet.media, self.colours.mode)

    def placed(self, image: np.ndarray, enlarge: Enlarge) -> np.ndarray:
        """The part of a picture that is printed, in the pixels of the sheet."""
        size = Size(image.shape[1], image.shape[0])
        (box, target), how = self.place(size), self.upscaler_for(size)
        part = image[box.top : box.bottom, box.left : box.right]
        return resample(part, *target.size) if how is None else enlarge(part, target.size, how)

    def write(
        self,
        target: Path,
        placed: np.ndarray,
        picture: Size,
        text: Mapping[str, str],
        proof: Path | None = None,
    ) -> None:
        """Writes the file, and a proof if asked: both whole, or neither.

        Args:
            placed: As `placed` returns.
            picture: The size that it was made of.
            text: What the file remembers.

        Raises:
            OutputError: It cannot be written there.
        """
        sheet, box = self.sheet, self.place(picture).target
        mirrored = self.fit == "fill"
        profile = None if self.ink is None else self.ink.profile
        shown = None
        if proof is not None:
            bled = to_bleed(sheet, placed, box, None if mirrored else srgb().paper)
            shown = (proof, proof_picture(bled, sheet, profile, self.intent))
            del bled
        if profile is not None:
            placed = to_inks(placed, profile, self.intent)
        bled = to_bleed(sheet, placed, box, None if mirrored else self.colours.paper)
        write_print(target, bled, sheet, self.colours, text, shown)

    def remembered(self, picture: Size) -> dict[str, Any]:
        """What `from_note` reads back, and what a reader may like to know besides."""
        return {
            "trim_mm": [round(side, 3) for side in self.sheet.trim],
            "dpi": self.sheet.dpi,
            "effective_dpi": round(self.effective_dpi(picture), 1),
            "bleed_mm": round(self.sheet.bleed, 3),
            "safe_mm": round(self.sheet.safe, 3),
            "mat_mm": round(self.sheet.mat, 3),
            "marks": self.sheet.marks,
            "fit": self.fit,
            "edge": self.edge,
            "crop": list(self.place(picture).crop),
            "upscaler": self.upscaler_for(picture),
            "profile": self.colours.name,
            "icc": None if self.ink is None else self.ink.origin,
            "intent": None if self.ink is None else self.intent,
            "version": __version__,
        }


def read_ink(path: Path) -> Ink:
    """A printer's profile from a file.

    Raises:
        InputError: It is none, or broken.
    """
    profile = read_profile(path)
    return Ink(profile, {"path": str(path), "sha256": hashlib.sha256(profile.content).hexdigest()})


def from_note(note: object) -> Order:
    """The order that `Order.remembered` described.

    Raises:
        InputError: The note is damaged, or its profile is another by now.
    """
    try:
        if not isinstance(note, dict):
            raise TypeError("not an object")
        width, height = (float(side) for side in note["trim_mm"])
        sheet = Sheet(
            Extent(width, height),
            int(note["dpi"]),
            bleed=float(note["bleed_mm"]),
            safe=float(note["safe_mm"]),
            mat=float(note["mat_mm"]),
            marks=bool(note["marks"]),
        )
        ink = None if note["icc"] is None else read_ink(Path(note["icc"]["path"]))
        if ink is not None and ink.origin["sha256"] != note["icc"]["sha256"]:
            raise InputError(f"{note['icc']['path']} is not the profile that it was")
        upscaler, intent = note["upscaler"] or "lanczos", note["intent"] or "relative"
        return Order(sheet, str(note["fit"]), str(note["edge"]), str(upscaler), ink, str(intent))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the settings of the print are damaged: {error!r}") from error


def print_again(target: Path, text: Mapping[str, str], enlarge: Enlarge) -> None:
    """Prints a picture file once more, as the text ``print`` of a printed one says.

    Raises:
        InputError: The text is damaged, or the picture is not there or another by now.
        OutputError: It cannot be written there.
    """
    try:
        note = parsed(text["print"])
        image = read_again(note["image"]).pixels
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"the settings of the print are damaged: {error!r}") from error
    order = from_note(note)
    order.check(target)
    size = Size(image.shape[1], image.shape[0])
    order.write(target, order.placed(image, enlarge), size, text)
