"""Files for a printer that know their size and their colours: PNG, TIFF, JPEG, and PDF with exact
boxes, lossless pixels, colours by profile and crop marks."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String
from PIL import Image

from .. import __version__
from ..errors import ImageError, OutputError, verbatim
from ..files import reading_foreign, whole_file
from ..geometry import Size
from ..images.decoding import is_file
from ..images.image_files import check_suffix
from ..images.text_chunks import save_options
from ..images.xmp import texts_of_xmp, xmp_packet
from .icc import Profile
from .paper import MARK_WIDTH, Sheet, with_marks
from .sizes import points

_ROWS = 512  # at a time
_SUBTRACT_LEFT = 2  # the TIFF predictor: each value less the one to the left


def write_pdf(
    path: Path, bled: np.ndarray, sheet: Sheet, profile: Profile, text: Mapping[str, str]
) -> None:
    """Writes a page with MediaBox, BleedBox and TrimBox (PDF 1.7, ISO 32000-1, 14.11.2).

    The boxes are exact whatever the pixels round to. Crop marks are lines on all plates. No
    conformance to PDF/X is claimed.

    Args:
        path: Where to; what is there is overwritten.
        bled: ``(H, W, C)`` uint8 in the profile's colours: everything up to the bleed.
        sheet: What is printed.
        profile: The colours; a printer's is also named as what the file was made for.
        text: Texts as of a picture file, stored as XMP.

    Raises:
        OSError: The place cannot be written.
    """
    with Pdf.new() as pdf:
        colours = _profile_stream(pdf, profile)
        picture = _picture(pdf, bled, Array([Name.ICCBased, colours]))
        page = pdf.add_blank_page()
        for name, inset in (
            ("MediaBox", -sheet.outside),
            ("BleedBox", -sheet.bleed),
            ("TrimBox", 0.0),
        ):
            page.obj[f"/{name}"] = _box(sheet, inset)
        page.obj.Resources = Dictionary(
            XObject=Dictionary(Picture=picture), ColorSpace=Dictionary(All=_all_plates(pdf))
        )
        page.obj.Contents = pdf.make_stream(_drawing(sheet))
        if profile.kind == "prtr":
            pdf.Root.OutputIntents = Array([_intent(profile, colours)])
        pdf.Root.Metadata = Stream(pdf, xmp_packet(text), Type=Name.Metadata, Subtype=Name.XML)
        pdf.docinfo["/Producer"] = f"digressions {__version__}"
        # Our packet stays as it is: it names no version of PDF that pikepdf could correct.
        pdf.save(path, min_version="1.7", deterministic_id=True, fix_metadata_version=False)


def read_pdf_text(path: Path) -> dict[str, str]:
    """The texts that `write_pdf` left in a file; empty where there are none.

    Raises:
        ImageError: It is not there, or not a PDF.
    """
    if not is_file(path):
        raise ImageError(f"{verbatim(path)}: there is no such file")
    with (
        reading_foreign(
            lambda why: ImageError(f"{verbatim(path)} is not a PDF that can be read ({why})")
        ),
        Pdf.open(path) as pdf,
    ):
        packet = pdf.Root.get("/Metadata")
        content = packet.read_bytes() if isinstance(packet, Stream) else None
    return texts_of_xmp(content)


def _box(sheet: Sheet, inset: float) -> Array:
    """What lies ``inset`` inside the cut, in points from the page's lower left."""
    start = sheet.outside + inset
    ends = (sheet.outside + side - inset for side in sheet.trim)
    return Array([round(points(value), 4) for value in (start, start, *ends)])


def _picture(pdf: Pdf, bled: np.ndarray, colours: Object) -> Object:
    height, width, channels = bled.shape
    deflate = zlib.compressobj(level=6)
    parts = []
    for top in range(0, height, _ROWS):
        rows = bled[top : top + _ROWS].copy()
        rows[:, 1:] -= bled[top : top + _ROWS, :-1]
        parts.append(deflate.compress(rows.tobytes()))
    stream = Stream(pdf, b"".join([*parts, deflate.flush()]))
    stream.stream_dict = Dictionary(
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=width,
        Height=height,
        BitsPerComponent=8,
        ColorSpace=colours,
        Filter=Name.FlateDecode,
        DecodeParms=Dictionary(
            Predictor=_SUBTRACT_LEFT, Colors=channels, BitsPerComponent=8, Columns=width
        ),
    )
    return pdf.make_indirect(stream)


def _drawing(sheet: Sheet) -> bytes:
    """The page's content: the picture up to the bleed, then the marks."""
    width, height = (points(side + 2 * sheet.bleed) for side in sheet.trim)
    corner = points(sheet.outside - sheet.bleed)
    lines = [f"q {width:.4f} 0 0 {height:.4f} {corner:.4f} {corner:.4f} cm /Picture Do Q"]
    if sheet.marks:
        lines.append(f"/All CS 1 SCN {points(MARK_WIDTH):.4f} w")
        for ends in sheet.mark_lines():
            x0, y0, x1, y1 = map(points, ends)
            lines.append(f"{x0:.4f} {y0:.4f} m {x1:.4f} {y1:.4f} l S")
    return "\n".join(lines).encode()


def _all_plates(pdf: Pdf) -> Object:
    """The colour that is on every plate, black on a screen (8.6.6.4)."""
    tint = Dictionary(FunctionType=2, Domain=[0, 1], C0=[1], C1=[0], N=1)
    return pdf.make_indirect(Array([Name.Separation, Name.All, Name.DeviceGray, tint]))


def _profile_stream(pdf: Pdf, profile: Profile) -> Object:
    channels = len(profile.black)
    device = Name.DeviceCMYK if profile.mode == "CMYK" else Name.DeviceRGB
    stream = Stream(pdf, profile.content, N=channels, Alternate=device)
    return pdf.make_indirect(stream)


def _intent(profile: Profile, colours: Object) -> Dictionary:
    return Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFX,
        OutputConditionIdentifier=String(profile.name),
        Info=String(profile.name),
        DestOutputProfile=colours,
    )


_PDF = ".pdf"
_PREDICTOR, _XMP = 317, 700  # tags of TIFF
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
            f"{verbatim(path)}: cannot print to {path.suffix or 'no suffix'!r}: use .pdf, .tif, "
            ".png or .jpg"
        ) from error
    if kind not in _KINDS:
        raise OutputError(
            f"{verbatim(path)}: printers do not take {path.suffix}: use .pdf, .tif, .png or .jpg"
        )
    if mode == "CMYK" and kind == "PNG":
        raise OutputError(f"{verbatim(path)}: a PNG has no CMYK: use .pdf, .tif or .jpg")


def write_print(
    path: Path,
    bled: np.ndarray,
    sheet: Sheet,
    profile: Profile,
    text: Mapping[str, str],
    proof: tuple[Path, np.ndarray, Mapping[str, str]] | None = None,
) -> None:
    """Writes a file to print, and a proof beside it: both whole, or neither.

    Args:
        path: ``.pdf``, ``.tif``, ``.png`` or ``.jpg`` (quality 97, colour not subsampled).
        bled: ``(H, W, C)`` uint8 in the profile's colours: everything up to the bleed.
        sheet: What is printed.
        profile: The colours, embedded.
        text: Texts that `read_text` gives back, of a PDF `read_pdf_text`.
        proof: Where a proof goes, a PNG, its pixels ``(h, w, 3)`` uint8 sRGB, and its texts.

    Raises:
        OutputError: As `check_printable`, or the place cannot be written.
    """
    check_printable(path, sheet.media, profile.mode)
    with ExitStack() as files:
        part = files.enter_context(whole_file(path))
        if proof is not None:
            target, pixels, words = proof
            part_of_proof = files.enter_context(whole_file(target))
            Image.fromarray(pixels).save(part_of_proof, "PNG", **save_options("PNG", words))
        if path.suffix.lower() == _PDF:
            write_pdf(part, bled, sheet, profile, text)
        else:
            page = with_marks(sheet, bled, profile.paper, profile.black)
            kind = check_suffix(path, page.shape[1], page.shape[0])
            _write_pixels(part, kind, page, sheet.dpi, profile, text)


def _write_pixels(
    path: Path, kind: str, page: np.ndarray, dpi: int, profile: Profile, text: Mapping[str, str]
) -> None:
    if kind == "TIFF":
        # libtiff, which compresses, has no room for the EXIF block that other files take.
        tags = {_PREDICTOR: _SUBTRACT_LEFT, _XMP: xmp_packet(text)}
        # LZW is what every print shop reads.
        options: dict[str, object] = {"compression": "tiff_lzw", "tiffinfo": tags}
    else:
        options = save_options(kind, text)
    if kind == "JPEG":
        options |= {"quality": 97, "subsampling": 0}
    image = Image.fromarray(page, profile.mode)
    image.save(path, kind, dpi=(dpi, dpi), icc_profile=profile.content, **options)
