"""Files for a printer: PNG, TIFF, JPEG and PDF that know their size and their colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import OutputError
from ..geometry import Size
from ..output import workshop, writing
from ..pictures.images import check_suffix
from ..pictures.texts import save_options, xmp_packet
from .inks import Profile
from .paper import Sheet, with_marks

_PDF = ".pdf"
_PREDICTOR, _XMP = 317, 700  # tags of TIFF
_SUBTRACT_LEFT = 2  # the predictor: each value less the one to the left
_KINDS = ("PNG", "TIFF", "JPEG")


def check_printable(path: Path, size: Size, mode: str) -> None:
    """Raises what `write_print` would raise for a path, before the work.

    Args:
        path: Where to.
        size: The file's pixels.
        mode: ``"RGB"`` or ``"CMYK"``.

    Raises:
        OutputError: A kind of file that printers do not take, or that cannot hold this.
    """
    suffix = path.suffix.lower()
    if suffix == _PDF:
        return
    try:
        kind = check_suffix(path, *size)
    except OutputError as error:
        if suffix in (".png", ".jpg", ".jpeg", ".tif", ".tiff"):
            raise
        raise OutputError(
            f"{path}: cannot print to {path.suffix or 'no suffix'!r}: use .pdf, .tif, .png or .jpg"
        ) from error
    if kind not in _KINDS:
        raise OutputError(f"{path}: printers take no {path.suffix}: use .pdf, .tif, .png or .jpg")
    if mode == "CMYK" and kind == "PNG":
        raise OutputError(f"{path}: a PNG has no CMYK: use .pdf, .tif or .jpg")


def write_print(
    path: Path,
    bled: np.ndarray,
    sheet: Sheet,
    profile: Profile,
    text: Mapping[str, str],
    proof: tuple[Path, np.ndarray] | None = None,
) -> None:
    """Writes a file to print, and a proof beside it: both whole, or neither.

    Args:
        path: ``.pdf``, ``.tif``, ``.png`` or ``.jpg`` (quality 97, colour not subsampled).
        bled: ``(H, W, C)`` uint8 in the profile's colours: everything up to the bleed.
        sheet: What is printed.
        profile: The colours, embedded.
        text: Texts that `images.read_text` gives back, or a PDF's XMP has.
        proof: Where a proof goes, a PNG, and its pixels ``(h, w, 3)`` uint8 sRGB.

    Raises:
        OutputError: As `check_printable`, or the place cannot be written.
    """
    check_printable(path, sheet.media, profile.mode)
    with workshop(path.parent, path) as work, writing(path):
        made = work / path.name
        if path.suffix.lower() == _PDF:
            from .pdf import write_pdf

            write_pdf(made, bled, sheet, profile, text)
        else:
            page = with_marks(sheet, bled, profile.paper, profile.black)
            _write_pixels(made, page, sheet.dpi, profile, text)
        if proof is not None:
            target, pixels = proof
            Image.fromarray(pixels).save(work / "proof.png")
            (work / "proof.png").replace(target)
        made.replace(path)


def _write_pixels(
    path: Path, page: np.ndarray, dpi: int, profile: Profile, text: Mapping[str, str]
) -> None:
    kind = check_suffix(path, page.shape[1], page.shape[0])
    if kind == "TIFF":
        # libtiff, which compresses, has no room for the EXIF block that other files take.
        tags = {_PREDICTOR: _SUBTRACT_LEFT, _XMP: xmp_packet(text)}
        options: dict[str, object] = {
            "compression": "tiff_lzw",
            "tiffinfo": tags,
        }  # what every print shop reads
    else:
        options = save_options(kind, text)
    if kind == "JPEG":
        options |= {"quality": 97, "subsampling": 0}
    image = Image.fromarray(page, profile.mode)
    image.save(path, kind, dpi=(dpi, dpi), icc_profile=profile.content, **options)
