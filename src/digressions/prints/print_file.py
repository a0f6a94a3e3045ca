"""Files for a printer that know their size and their colours: PNG, TIFF, JPEG, and PDF with exact
boxes, lossless pixels, colours by profile and crop marks. A PDF and a TIFF are written a band of
rows at a time, so a poster takes no more memory than a postcard."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyvips
from pikepdf import Array, Dictionary, Name, Object, ObjectStreamMode, Pdf, Stream, String
from PIL import Image

from .. import __version__
from ..errors import ImageError, OutputError, verbatim
from ..files import reading_foreign, whole_file
from ..geometry import Size
from ..images.decoding import is_file
from ..images.image_files import check_suffix
from ..images.pouring import pour
from ..images.rows import Rows
from ..images.text_chunks import save_options
from ..images.xmp import texts_of_xmp, xmp_packet
from .icc import Profile
from .paper import MARK_WIDTH, Sheet, with_marks
from .sizes import points

_SUBTRACT_LEFT = 2  # the TIFF predictor: each value less the one to the left


def _writing_pdf(
    path: Path, bled: Rows, sheet: Sheet, profile: Profile, text: Mapping[str, str]
) -> Generator[int, None, None]:
    """Writes a page with MediaBox, BleedBox and TrimBox (PDF 1.7, ISO 32000-1, 14.11.2).

    The boxes are exact whatever the pixels round to. Crop marks are lines on all plates. No
    conformance to PDF/X is claimed.
    """
    with Pdf.new() as pdf:
        colours = _profile_stream(pdf, profile)
        page = pdf.add_blank_page()
        for name, inset in (
            ("MediaBox", -sheet.outside),
            ("BleedBox", -sheet.bleed),
            ("TrimBox", 0.0),
        ):
            page.obj[f"/{name}"] = _box(sheet, inset)
        picture = pdf.make_indirect(Dictionary(ColorSpace=Array([Name.ICCBased, colours])))
        page.obj.Resources = Dictionary(
            XObject=Dictionary(Picture=picture), ColorSpace=Dictionary(All=_all_plates(pdf))
        )
        page.obj.Contents = pdf.make_stream(_drawing(sheet))
        if profile.kind == "prtr":
            pdf.Root.OutputIntents = Array([_intent(profile, colours)])
        pdf.Root.Metadata = Stream(pdf, xmp_packet(text), Type=Name.Metadata, Subtype=Name.XML)
        pdf.docinfo["/Producer"] = f"digressions {__version__}"
        # Our packet stays as it is: it names no version of PDF that pikepdf could correct.
        pdf.save(
            path,
            min_version="1.7",
            deterministic_id=True,
            fix_metadata_version=False,
            object_stream_mode=ObjectStreamMode.disable,
        )
    yield from _adding_picture(path, bled)


def _adding_picture(path: Path, bled: Rows) -> Generator[int, None, None]:
    """Puts the pixels into a page whose picture is a promise, as an incremental update (7.5.6):
    whatever writes a PDF whole holds its streams in memory."""
    with Pdf.open(path) as pdf:
        promise = pdf.pages[0].obj.Resources.XObject.Picture
        number, (colours, _) = promise.objgen[0], promise.ColorSpace[1].objgen
        root, info = (pdf.trailer[name].objgen[0] for name in ("/Root", "/Info"))
        ids = " ".join(f"<{bytes(each).hex()}>" for each in pdf.trailer.ID)
        count = int(pdf.trailer.Size)
    before = int(path.read_bytes().rpartition(b"startxref")[2].split()[0])
    (width, height), channels = bled.size, bled.channels
    with path.open("ab") as file:
        picture_at = file.tell()
        file.write(
            f"{number} 0 obj\n<< /Type /XObject /Subtype /Image /Width {width} /Height {height} "
            f"/BitsPerComponent 8 /ColorSpace [/ICCBased {colours} 0 R] /Filter /FlateDecode "
            f"/DecodeParms << /Predictor {_SUBTRACT_LEFT} /Colors {channels} /BitsPerComponent 8 "
            f"/Columns {width} >> /Length {count} 0 R >>\nstream\n".encode()
        )
        begun, deflate, done = file.tell(), zlib.compressobj(level=6), 0
        for band in bled.bands():
            rows = band.copy()
            rows[:, 1:] -= band[:, :-1]
            file.write(deflate.compress(rows.tobytes()))
            done += len(rows)
            yield done
        file.write(deflate.flush())
        length = file.tell() - begun
        file.write(b"\nendstream\nendobj\n")
        length_at = file.tell()
        file.write(f"{count} 0 obj\n{length}\nendobj\n".encode())
        table_at = file.tell()
        file.write(
            f"xref\n{number} 1\n{picture_at:010d} 00000 n \n{count} 1\n{length_at:010d} 00000 n \n"
            f"trailer\n<< /Size {count + 1} /Root {root} 0 R /Info {info} 0 R /Prev {before} "
            f"/ID [{ids}] >>\nstartxref\n{table_at}\n%%EOF\n".encode()
        )


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
_KINDS = ("PNG", "TIFF", "JPEG")


def check_printable(path: Path, size: Size, mode: str) -> None:
    """Raises what `writing_print` would raise for a path, before the work.

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


class Proof(NamedTuple):
    """How a print will look: where that goes, a PNG; ``(h, w, 3)`` uint8 sRGB; and its texts."""

    path: Path
    pixels: np.ndarray
    text: Mapping[str, str]


def writing_print(
    path: Path,
    bled: Rows,
    sheet: Sheet,
    profile: Profile,
    text: Mapping[str, str],
    proof: Proof | None = None,
) -> Generator[int, None, None]:
    """Writes a file to print, and a proof beside it: both whole, or neither.

    Args:
        path: ``.pdf``, ``.tif``, ``.png`` or ``.jpg`` (quality 97, colour not subsampled).
        bled: In the profile's colours: everything up to the bleed.
        sheet: What is printed.
        profile: The colours, embedded; a printer's is also named as what a PDF was made for.
        text: Texts that `read_text` gives back, of a PDF `read_pdf_text`.
        proof: What goes beside it.

    Yields:
        How many rows are written.

    Raises:
        OutputError: As `check_printable`, or the place cannot be written.
    """
    check_printable(path, sheet.media, profile.mode)
    with ExitStack() as files:
        part = files.enter_context(whole_file(path))
        if proof is not None:
            part_of_proof = files.enter_context(whole_file(proof.path))
            options = save_options("PNG", proof.text)
            Image.fromarray(proof.pixels).save(part_of_proof, "PNG", **options)
        if path.suffix.lower() == _PDF:
            yield from _writing_pdf(part, bled, sheet, profile, text)
            return
        page = with_marks(sheet, bled, profile.paper, profile.black)
        kind = check_suffix(path, *page.size)
        if kind == "TIFF":
            yield from _writing_tiff(part, page, sheet.dpi, profile, text)
        else:
            _write_pixels(part, kind, page.whole(), sheet.dpi, profile, text)
            yield page.size.height


def _writing_tiff(
    path: Path, page: Rows, dpi: int, profile: Profile, text: Mapping[str, str]
) -> Generator[int, None, None]:
    dots = dpi / 25.4
    # LZW is what every print shop reads.
    options = {"compression": "lzw", "predictor": "horizontal", "resunit": "inch"}

    def save(image: pyvips.Image) -> None:
        # Four channels come as colours and transparency, which these are not.
        found = image.copy(interpretation="cmyk" if profile.mode == "CMYK" else "srgb")
        for name, content in (
            ("icc-profile-data", profile.content),
            ("xmp-data", xmp_packet(text)),
        ):
            found.set_type(pyvips.GValue.blob_type, name, content)
        found.tiffsave(str(path), xres=dots, yres=dots, **options)

    yield from pour(page.bands(), *page.size, path, save, channels=page.channels)


def _write_pixels(
    path: Path, kind: str, page: np.ndarray, dpi: int, profile: Profile, text: Mapping[str, str]
) -> None:
    options = save_options(kind, text)
    if kind == "JPEG":
        options |= {"quality": 97, "subsampling": 0}
    image = Image.fromarray(page, profile.mode)
    image.save(path, kind, dpi=(dpi, dpi), icc_profile=profile.content, **options)
