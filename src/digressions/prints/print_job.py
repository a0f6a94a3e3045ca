"""`PrintJob`: how a picture of a known aspect is printed, nothing left open."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import InputError
from ..events import completed
from ..geometry import Size
from ..images.image_files import resample
from ..images.rows import Rows, resampled
from ..images.upscale import enlarging, load_upscaler
from .icc import INTENTS, Profile, converted, proof_picture, read_profile, srgb
from .paper import Placement, Sheet, placement, to_bleed
from .print_file import Proof, check_printable, writing_print
from .sizes import Extent

LANCZOS_ENOUGH = 1.2  # times: so few pixels are not worth the minutes of a network


@dataclass(frozen=True)
class PrintJob:
    """How a picture is printed.

    Attributes:
        sheet: The paper.
        fit, edge: See `paper.placement`.
        upscaler: What enlarges a picture that lacks more than a few pixels.
        profile: What its colours are converted to, or ``None`` for sRGB.
        intent: One of `icc.INTENTS`.
    """

    sheet: Sheet
    fit: str = "cover"
    edge: str = "mirror"
    upscaler: str = "lanczos"
    profile: Profile | None = None
    intent: str = "relative"

    def __post_init__(self) -> None:
        """
        Raises:
            InputError: An unknown intent.
        """
        if self.intent not in INTENTS:
            raise InputError(
                f"`intent` {self.intent!r} is not known: choose one of {', '.join(INTENTS)}"
            )

    @property
    def colours(self) -> Profile:
        """The profile of the file."""
        return self.profile or srgb()

    def placement(self, picture: Size) -> Placement:
        """Where a picture of a size goes. Raises `InputError` as `paper.placement`."""
        return placement(self.sheet, picture, self.fit, self.edge)

    def effective_dpi(self, picture: Size) -> float:
        """The DPI that a picture of this size comes to on the sheet, counting its own pixels
        only."""
        return self.sheet.dpi / self.placement(picture).enlargement

    def upscaler_for(self, picture: Size) -> str | None:
        """What enlarges a picture of a size, or ``None`` if it has the pixels."""
        enlargement = self.placement(picture).enlargement
        if enlargement <= 1:
            return None
        return "lanczos" if enlargement < LANCZOS_ENOUGH else self.upscaler

    def check(self, output: Path) -> None:
        """Raises what `write` would raise for a path, before the work."""
        check_printable(output, self.sheet.media, self.colours.mode)

    def placing(
        self, image: np.ndarray, device: str | None = None
    ) -> Generator[int, None, np.ndarray]:
        """The part of a picture that is printed, in the pixels of the sheet.

        Args:
            image: ``(H, W, 3)`` uint8.
            device: Of an upscaler from a file: the best there is if not given.

        Yields:
            How many rows of it are done, of ``placement(...).target.size.height``.

        Returns:
            ``(h, w, 3)`` uint8.
        """
        size = Size(image.shape[1], image.shape[0])
        (box, target), upscaler = self.placement(size), self.upscaler_for(size)
        part = image[box.top : box.bottom, box.left : box.right]
        if upscaler is None:
            return resample(part, *target.size)
        ready = load_upscaler(upscaler, device=device)
        return (yield from enlarging(part, *target.size, ready))

    def placed(self, picture: Rows, device: str | None = None) -> Rows:
        """As `placing`, of a picture that need not fit into memory: no row is made before it is
        asked for. At most `upscaler`'s scale times as large as the picture."""
        (box, target), upscaler = self.placement(picture.size), self.upscaler_for(picture.size)
        plain = upscaler in (None, "lanczos")
        ready = None if plain else load_upscaler(str(upscaler), device=device)
        return resampled(picture, box, target.size, ready)

    def proof(self, placed: np.ndarray, picture: Size) -> np.ndarray:
        """How a print will look, see `icc.proof_picture`.

        Args:
            placed: As `placing` returns.
            picture: The size that it was made of.
        """
        blank = None if self.fit == "cover" else srgb().paper
        box = self.placement(picture).target
        bled = to_bleed(self.sheet, Rows.of(placed), box, blank).whole()
        return proof_picture(bled, self.sheet, self.profile, self.intent)

    def writing(
        self,
        output: Path,
        placed: Rows,
        picture: Size,
        text: Mapping[str, str],
        proof: Proof | None = None,
    ) -> Generator[int, None, None]:
        """Writes the file, and a proof if asked: both whole, or neither.

        Args:
            output: See `print_file.writing_print`.
            placed: As `placing` or `placed` returns.
            picture: The size that it was made of.
            text: What the file remembers.
            proof: What goes beside it.

        Yields:
            How many rows are written.

        Raises:
            OutputError: It cannot be written there.
        """
        box, profile = self.placement(picture).target, self.profile
        if profile is not None:
            channels, rgb = len(profile.black), placed
            placed = Rows(
                rgb.size,
                channels,
                lambda top, bottom: converted(rgb.get(top, bottom), profile, self.intent),
            )
        blank = None if self.fit == "cover" else self.colours.paper
        bled = to_bleed(self.sheet, placed, box, blank)
        yield from writing_print(output, bled, self.sheet, self.colours, text, proof)

    def write(
        self,
        output: Path,
        placed: np.ndarray,
        picture: Size,
        text: Mapping[str, str],
        proof: tuple[Path, Mapping[str, str]] | None = None,
    ) -> None:
        """As `writing`, all at once, of a picture in memory.

        Args:
            proof: Where a proof goes, a PNG, and what it remembers.
        """
        shown = None if proof is None else Proof(proof[0], self.proof(placed, picture), proof[1])
        completed(self.writing(output, Rows.of(placed), picture, text, shown))

    def remembered(self, picture: Size) -> dict[str, Any]:
        """As JSON: what `from_remembered` reads, and what a reader may like to know besides."""
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
            "crop": list(self.placement(picture).crop),
            "upscaler": self.upscaler_for(picture),
            "profile": self.colours.name,
            "icc": self.colours.origin,
            "intent": None if self.profile is None else self.intent,
            "version": __version__,
        }

    @classmethod
    def from_remembered(cls, found: object) -> PrintJob:
        """Reads what `remembered` gave.

        Raises:
            InputError: It is damaged, or its profile has changed.
        """
        try:
            if not isinstance(found, Mapping):
                raise TypeError("not an object")
            width, height = (float(side) for side in found["trim_mm"])
            sheet = Sheet(
                Extent(width, height),
                int(found["dpi"]),
                bleed=float(found["bleed_mm"]),
                safe=float(found["safe_mm"]),
                mat=float(found["mat_mm"]),
                marks=bool(found["marks"]),
            )
            return cls(
                sheet,
                str(found["fit"]),
                str(found["edge"]),
                str(found["upscaler"] or "lanczos"),
                _remembered_profile(found["icc"]),
                str(found["intent"] or "relative"),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise damaged(error) from error


def damaged(error: Exception) -> InputError:
    """The error for settings that are damaged."""
    return InputError(f"the settings of the print are damaged: {error!r:.120}")


def _remembered_profile(origin: Any) -> Profile | None:
    if origin is None:
        return None
    profile = read_profile(Path(origin["path"]))
    if profile.origin is None or profile.origin["sha256"] != origin["sha256"]:
        raise InputError(f"{origin['path']} has changed: it is another profile")
    return profile
