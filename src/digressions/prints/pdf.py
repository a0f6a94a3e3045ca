"""One picture as a page of PDF: exact boxes, lossless pixels, colours by profile, crop marks."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pikepdf import Array, Dictionary, Name, Object, PasswordError, Pdf, PdfError, Stream, String

from .. import __version__
from ..errors import ImageError
from ..pictures.texts import texts_of_xmp, xmp_packet
from .inks import Profile
from .lengths import points
from .paper import MARK_WIDTH, Sheet

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
        pdf.Root.Metadata = Stream(pdf, _packet(text), Type=Name.Metadata, Subtype=Name.XML)
        pdf.docinfo["/Producer"] = f"digressions {__version__}"
        pdf.save(path, min_version="1.7", deterministic_id=True)


def read_pdf_text(path: Path) -> dict[str, str]:
    """The texts that `write_pdf` left in a file; empty where there are none.

    Raises:
        ImageError: It is not there, or no PDF.
    """
    try:
        with Pdf.open(path) as pdf:
            packet = pdf.Root.get("/Metadata")
            return texts_of_xmp(packet.read_bytes()) if isinstance(packet, Stream) else {}
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file") from error
    except (OSError, PdfError, PasswordError) as error:
        reason = " ".join(str(error).split())
        raise ImageError(f"{path} is not a PDF that can be read ({reason})") from error


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


def _packet(text: Mapping[str, str]) -> bytes:
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode()
    return begin + xmp_packet(text) + b'<?xpacket end="w"?>'
