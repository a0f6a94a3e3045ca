"""Texts inside image files: PNG text chunks, GIF comments, EXIF, XMP.

A picture's texts are a mapping of names to strings (see `metadata`). A PNG holds each in an iTXt
chunk, a GIF all of them in its comment, as JSON. Elsewhere ``parameters`` goes to the EXIF user
comment, where the common tools look for it, and the rest to the EXIF image description as JSON.
Files that are streamed to disk by libvips take all of them as one XMP packet.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from PIL import ExifTags, Image, PngImagePlugin

from ..errors import OutputError
from ..files import parsed

_UNICODE = b"UNICODE\x00"  # the character code of an EXIF user comment
_OURS = "https://digressions.dev/ns/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP_TAG = 700  # of a TIFF
_SEGMENT = 65_000  # bytes of text that fit into one segment of a JPEG
_LONGEST_NAME = 79  # bytes of the name of a text in a PNG
_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)  # a name of a text that XML takes

MADE = ("digressions", "print", "upscale", "frame", "found", "sheet")
"""The texts that say how we made a file. Others are for other programs, or theirs."""


def save_options(kind: str, text: Mapping[str, str]) -> dict[str, object]:
    """What Pillow's ``save`` takes to store texts in a file.

    Args:
        kind: Pillow's name of the format: ``"PNG"``, ``"JPEG"``, ...

    Raises:
        OutputError: As `fitting`.
    """
    text = fitting(kind, text)
    if not text:
        return {}
    if kind == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for key, value in text.items():
            chunks.add_itxt(key, value)
        return {"pnginfo": chunks}
    return {"exif": _exif(text)}


def fitting(kind: str | None, text: Mapping[str, str]) -> dict[str, str]:
    """The texts that a kind of file has room for: ours, and of others as many as fit.

    Args:
        kind: As of `save_options`; ``None`` for kinds that hold whatever there is.

    Raises:
        OutputError: One of ours has no form in Unicode, or a JPEG has no room for it.
    """
    for name, value in text.items():
        if any("\ud800" <= mark <= "\udfff" for mark in value):  # half a character
            raise OutputError(
                f"the text {name!r} has bytes that are no characters, which no file can store"
            )
    if kind == "PNG":
        return {name: value for name, value in text.items() if _names_a_chunk(name)}
    kept = dict(text)
    if kind != "JPEG":
        return kept
    foreign = sorted(text.keys() - {*MADE, *(("parameters",) if MADE[0] in text else ())})
    foreign.sort(key=lambda name: -len(text[name]))
    while kept and len(_exif(kept).tobytes()) > _SEGMENT:
        if not foreign:
            raise OutputError("the prompt is too long for a JPEG to remember: write a PNG")
        del kept[foreign.pop(0)]
    return kept


def _names_a_chunk(name: str) -> bool:
    try:
        return 0 < len(name.encode("latin-1")) <= _LONGEST_NAME and "\0" not in name
    except UnicodeEncodeError:
        return False


def xmp_packet(text: Mapping[str, str]) -> bytes:
    """Texts as an XMP packet, UTF-8; without those whose names are none in XML."""
    named = {name: text[name] for name in text if _ATTRIBUTE.fullmatch(name)}
    values = " ".join(f"d:{name}={quoteattr(json.dumps(named[name]))}" for name in named)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about="" xmlns:d="{_OURS}" {values}/>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def texts_of(image: Image.Image) -> dict[str, str]:
    """The texts in an opened picture; empty where there are none."""
    if image.format == "PNG":
        image.load()  # text chunks may follow the pixels
        return {str(k): str(v) for k, v in getattr(image, "text", {}).items()}
    if image.format == "GIF":
        return _from_json(image.info.get("comment", b""))
    exif = image.getexif()
    return _from_exif(exif) | texts_of_xmp(image.info.get("xmp") or exif.get(_XMP_TAG))


def gif_comment(text: Mapping[str, str]) -> bytes:
    """Texts as the comment extension of a GIF (GIF89a, section 24): blocks of up to 255 bytes."""
    words = json.dumps(dict(text)).encode()
    blocks = [words[start : start + 255] for start in range(0, len(words), 255)]
    return b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _exif(text: Mapping[str, str]) -> Image.Exif:
    exif = Image.Exif()
    rest = {key: value for key, value in text.items() if key != "parameters"}
    exif[ExifTags.Base.ImageDescription] = json.dumps(rest)
    if "parameters" in text:
        comment = _UNICODE + text["parameters"].encode("utf-16-be")
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        inner[ExifTags.Base.UserComment] = comment
        exif[ExifTags.IFD.Exif] = inner  # or a TIFF would be saved without it
    return exif


def _from_exif(exif: Image.Exif) -> dict[str, str]:
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
    found: dict[str, str] = {}
    if isinstance(comment, bytes) and comment.startswith(_UNICODE):
        found["parameters"] = comment.removeprefix(_UNICODE).decode("utf-16-be", "replace")
    return found | _from_json(exif.get(ExifTags.Base.ImageDescription, ""))


def _from_json(words: str | bytes) -> dict[str, str]:
    try:
        found = parsed(words or "{}")
    except ValueError:
        return {}  # a description in somebody's words
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def texts_of_xmp(packet: object) -> dict[str, str]:
    """The texts in a packet of `xmp_packet`; empty where it is not one, or somebody else's."""
    if not isinstance(packet, bytes) or b"<!" in packet:  # no DTD, no entities of its own
        return {}
    try:
        root = ET.fromstring(packet.rstrip(b"\x00"))
        return {
            name.removeprefix(f"{{{_OURS}}}"): str(parsed(value))
            for description in root.iter(f"{{{_RDF}}}Description")
            for name, value in description.attrib.items()
            if name.startswith(f"{{{_OURS}}}")
        }
    except (ET.ParseError, ValueError):
        return {}  # somebody else's packet
