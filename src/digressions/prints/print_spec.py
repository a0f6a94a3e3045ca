"""`PrintSpec`, every parameter of a print declared once, and `PrintJob`, the same for a
picture of a known aspect."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, model_validator

from .. import __version__
from ..errors import InputError
from ..generate.declare import Params, option
from ..generate.kinds import FilePath
from ..generate.params import upscaler_option
from ..geometry import Size
from ..images.image_files import resample
from ..images.upscale import enlarging, load_upscaler
from .icc import INTENTS, IntentName, Profile, converted, proof_picture, read_profile, srgb
from .paper import MAX_DPI, EdgeName, FitName, Placement, Sheet, placement, to_bleed
from .print_file import check_printable, write_print
from .sizes import Extent, Length, parse_paper, turned_like

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

    def write(
        self,
        output: Path,
        placed: np.ndarray,
        picture: Size,
        text: Mapping[str, str],
        proof: tuple[Path, Mapping[str, str]] | None = None,
    ) -> None:
        """Writes the file, and a proof if asked: both whole, or neither.

        Args:
            output: See `print_file.write_print`.
            placed: As `placing` returns.
            picture: The size that it was made of.
            text: What the file remembers.
            proof: Where a proof goes, a PNG, and what it remembers.

        Raises:
            OutputError: It cannot be written there.
        """
        sheet, box = self.sheet, self.placement(picture).target
        mirrored = self.fit == "cover"
        shown = None
        if proof is not None:
            bled = to_bleed(sheet, placed, box, None if mirrored else srgb().paper)
            path, words = proof
            shown = path, proof_picture(bled, sheet, self.profile, self.intent), words
            del bled
        if self.profile is not None:
            placed = converted(placed, self.profile, self.intent)
        bled = to_bleed(sheet, placed, box, None if mirrored else self.colours.paper)
        write_print(output, bled, sheet, self.colours, text, shown)

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


def _read_length(value: Any, info: ValidationInfo) -> Any:
    what = info.field_name or "length"
    if isinstance(value, str):
        return Length.parse(value, what)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value == 0:
            return Length()
        raise InputError(f"`{what}` {value:g} has no unit: write '{value:g}mm', cm, in or px")
    return value


PaperLength = Annotated[Length, BeforeValidator(_read_length), PlainSerializer(str)]
"""A `Length`; reads ``"3mm"``, ``"0.125in"``, ``"40px"`` and ``0``."""


class PrintSpec(Params):
    """How to print a picture. A `PrintJob` is the same for a picture of a known aspect."""

    size: str = option(
        ..., "The paper as cut: 21x29.7cm, 8x10in, A4, letter, 'A4 landscape'.", group="Paper"
    )
    dpi: int = option(
        240,
        "Pixels per inch.",
        group="Paper",
        default_from="240; of a mosaic's folder, as many as it has, if more",
        ge=1,
        le=MAX_DPI,
    )
    bleed: PaperLength = option(
        Length(), "Printed beyond the cut on each side: 3mm.", group="Paper"
    )
    safe: PaperLength = option(
        Length(), "Margin inside the cut to keep free of anything important.", group="Paper"
    )
    mat: PaperLength = option(
        Length(), "What a mat or frame hides on each side: 5mm.", group="Paper"
    )
    marks: bool = option(False, "Crop marks.", group="Paper")
    fit: FitName = option(
        "cover",
        "How a picture of another aspect comes to that of the paper. cover: cut off what sticks "
        "out; contain: leave paper free.",
        group="Paper",
    )
    edge: EdgeName = option(
        "mirror",
        "What fills the bleed and what the mat hides: mirror (the picture, mirrored) or picture (a "
        "part of it).",
        group="Paper",
    )
    icc: FilePath | None = option(
        None,
        "Convert the colours to this CMYK or RGB profile.",
        group="Paper",
        default_from="sRGB, without conversion",
    )
    intent: IntentName = option(
        "relative", "How colours that cannot be printed are replaced.", group="Paper"
    )
    proof: bool = option(
        False, "Also write OUTPUT-proof.png, which shows how the print will look.", group="Paper"
    )
    upscaler: str = upscaler_option(group="Paper")

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.sheet(1.0)
        return self

    @model_validator(mode="after")
    def _check_idle_pairs(self) -> Self:
        """Refuses what would do nothing without something else."""
        if self.icc is None and self.intent != "relative":
            raise InputError("`intent` is about the profile's colours, and needs `icc`")
        if not (self.bleed.value or self.mat.value) and self.edge != "mirror":
            raise InputError("`edge` is about what is beyond the cut, and needs `bleed` or `mat`")
        return self

    def sheet(self, aspect: float, *, turned: bool = False) -> Sheet:
        """The sheet for a picture of an aspect.

        Args:
            aspect: Width / height of the picture. A paper by name lies as the picture does, where
                ``size`` does not say how.
            turned: Whether two lengths are turned like the picture, too, or stay as they are.

        Raises:
            InputError: There is no such paper, nothing of it would be seen, or it is too large.
        """
        landscape = aspect > 1
        trim = parse_paper(self.size, self.dpi, landscape)
        bleed, safe, mat = (
            length.millimetres(self.dpi) for length in (self.bleed, self.safe, self.mat)
        )
        if turned:
            trim = turned_like(trim, self.size, landscape)
        return Sheet(trim, self.dpi, bleed, safe, mat, self.marks)

    def job(self, aspect: float, *, turned: bool = False) -> PrintJob:
        """The print of a picture of an aspect.

        Args:
            aspect, turned: As of `sheet`.

        Raises:
            InputError: As `sheet`; or ``icc`` is not a profile to print by.
        """
        profile = None if self.icc is None else read_profile(self.icc)
        sheet = self.sheet(aspect, turned=turned)
        return PrintJob(sheet, self.fit, self.edge, self.upscaler, profile, self.intent)
