"""`PrintSpec`: every parameter of a print, declared once."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, model_validator

from ..errors import InputError
from ..generate.declare import Params, option
from ..generate.kinds import FilePath, UpscalerName
from ..generate.params import upscaler_option
from .icc import IntentName, read_profile
from .paper import MAX_DPI, EdgeName, FitName, Sheet
from .print_job import PrintJob
from .sizes import Length, parse_paper, turned_like


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
        form="file",
    )
    intent: IntentName = option(
        "relative", "How colours that cannot be printed are replaced.", group="Paper"
    )
    proof: bool = option(
        False, "Also write OUTPUT-proof.png, which shows how the print will look.", group="Paper"
    )
    upscaler: UpscalerName = upscaler_option(group="Paper")

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
