"""Options of the printer's file that comes with a picture in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError

if TYPE_CHECKING:
    from ..prints.order import Order

PRINTED = ("pdf", "tif", "png", "jpg")


@dataclass(frozen=True)
class PaperOptions:
    """The paper as typed."""

    size: Annotated[
        str | None, typer.Option(help="Also a file for the printer: 21x29.7cm, 8x10in, A4.")
    ] = None
    dpi: Annotated[int, typer.Option(help="Its pixels an inch.")] = 240
    bleed: Annotated[str, typer.Option(help="Printed beyond the cut on each side: 3mm.")] = "0"
    mat: Annotated[str, typer.Option(help="What a mat or frame hides on each side: 5mm.")] = "0"
    print_as: Annotated[str, typer.Option(help="pdf, tif, png or jpg.")] = "pdf"

    @property
    def suffix(self) -> str:
        """Of the file."""
        return f".{self.print_as}"

    def check(self, upscaler: str) -> None:
        """Refuses what cannot be, and what would do nothing, before anything is read.

        Raises:
            InputError: There is no such paper or file type, or no print that an option is about.
        """
        if self.print_as not in PRINTED:
            kinds = ", ".join(PRINTED)
            raise InputError(f"--print-as {self.print_as!r} is not known: choose {kinds}")
        if self.size is not None:
            self.order(1.0, upscaler)
            return
        usual = PaperOptions()
        for name in ("dpi", "bleed", "mat", "print_as"):
            if getattr(self, name) != getattr(usual, name):
                raise InputError(f"--{name.replace('_', '-')} is about the print, and needs --size")

    def order(self, aspect: float, upscaler: str) -> Order | None:
        """The order for a picture of an aspect, if any; the paper lies as it does, if not said."""
        from ..prints.lengths import parse_length
        from ..prints.order import Order
        from ..prints.paper import MAX_DPI, Sheet
        from ..prints.papersizes import laid, parse_size

        if self.size is None:
            return None
        if not 1 <= self.dpi <= MAX_DPI:
            raise InputError(f"--dpi {self.dpi} is out of range: 1 to {MAX_DPI}")
        sheet = Sheet(
            laid(parse_size(self.size, self.dpi, aspect > 1), self.size, landscape=aspect > 1),
            self.dpi,
            parse_length(self.bleed, self.dpi, "--bleed"),
            mat=parse_length(self.mat, self.dpi, "--mat"),
        )
        return Order(sheet, upscaler=upscaler)
