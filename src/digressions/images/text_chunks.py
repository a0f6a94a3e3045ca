"""Texts inside image files: PNG text chunks, GIF comments, EXIF, XMP.

A picture's texts are a mapping of names to strings (see `metadata`); the one named `xmp.XMP` is an
XMP packet, which every kind of file has a place for. A PNG holds each of the others in a tEXt chunk
if it is Latin-1, which is where most tools look, and in an iTXt chunk if not; a GIF all of them in
its comment, as JSON. Elsewhere ``parameters`` goes to the EXIF user comment, where the common tools
look for it, and the rest to the EXIF image description as JSON. Files that are streamed to disk by
libvips take all of them as one XMP packet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from PIL import ExifTags, Image, PngImagePlugin

from ..errors import OutputError
from ..files import parsed
from .xmp import XMP, bare_mark, texts_of_xmp

_LABEL = re.compile(r"(prompt|workflow)\s*:\s*\{", re.IGNORECASE)
_UNICODE = b"UNICODE\x00"  # the character code of an EXIF user comment
_XMP_TAG = 700  # of a TIFF
_SEGMENT = 65_000  # bytes of text that fit into one segment of a JPEG
_LONGEST_NAME = 79  # bytes of the name of a text in a PNG
# XMP Specification Part 3, 1.1.2: the last block's bytes lead a reader of blocks to the end,
# wherever in the packet it begins.
_GIF_XMP = b"!\xff\x0bXMP DataXMP"
_GIF_XMP_END = b"\x01" + bytes(range(255, -1, -1)) + b"\0"

MADE = (*("digressions", "print", "upscale", "frame", "found", "sheet", "photos", "photo_film"),)
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
            if key == XMP:
                chunks.add_itxt(key, value)
            else:
                chunks.add_text(key, value)  # an iTXt chunk where it is not Latin-1
        return {"pnginfo": chunks}
    packet = text.get(XMP, "").encode()
    exif = _exif(text)
    if packet and kind == "TIFF":
        exif[_XMP_TAG] = packet
    return {"exif": exif} | ({"xmp": packet} if packet and kind != "TIFF" else {})


def fitting(kind: str | None, text: Mapping[str, str]) -> dict[str, str]:
    """The texts that a kind of file has room for: ours, and of others as many as fit. Of an XMP
    packet that does not fit, the mark stays that AI made the picture.

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
    foreign = sorted(text.keys() - {XMP, *MADE, *(("parameters",) if MADE[0] in text else ())})
    foreign.sort(key=lambda name: -len(text[name]))
    while kept and len(_exif(kept).tobytes()) > _SEGMENT:
        if not foreign:
            raise OutputError("the prompt is too long for a JPEG to remember: write a PNG")
        del kept[foreign.pop(0)]
    if len(kept.get(XMP, "").encode()) > _SEGMENT:
        del kept[XMP]
        kept |= bare_mark(text)
    return kept


def _names_a_chunk(name: str) -> bool:
    try:
        return 0 < len(name.encode("latin-1")) <= _LONGEST_NAME and "\0" not in name
    except UnicodeEncodeError:
        return False


def texts_of(image: Image.Image) -> dict[str, str]:
    """The texts in an opened picture; empty where there are none."""
    if image.format == "PNG":
        image.load()  # text chunks may follow the pixels
        chunks = {str(k): str(v) for k, v in getattr(image, "text", {}).items()}
        return _from_exif(image.getexif()) | chunks
    if image.format == "GIF":
        return _from_json(image.info.get("comment", b""))
    exif = image.getexif()
    return _from_exif(exif) | texts_of_xmp(image.info.get("xmp") or exif.get(_XMP_TAG))


def gif_extensions(text: Mapping[str, str]) -> bytes:
    """Texts as extensions of a GIF: a comment (GIF89a, section 24), in blocks of up to 255 bytes,
    and the XMP packet."""
    words = json.dumps({name: value for name, value in text.items() if name != XMP}).encode()
    blocks = [words[start : start + 255] for start in range(0, len(words), 255)]
    comment = b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    if XMP not in text:
        return comment
    return comment + _GIF_XMP + text[XMP].encode() + _GIF_XMP_END


def _exif(text: Mapping[str, str]) -> Image.Exif:
    exif = Image.Exif()
    if rest := {key: text[key] for key in text if key not in ("parameters", XMP)}:
        exif[ExifTags.Base.ImageDescription] = json.dumps(rest)
    if "parameters" in text:
        comment = _UNICODE + text["parameters"].encode("utf-16-be")
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        inner[ExifTags.Base.UserComment] = comment
        exif[ExifTags.IFD.Exif] = inner  # or a TIFF would be saved without it
    return exif


def _from_exif(exif: Image.Exif) -> dict[str, str]:
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if comment is None:  # some programs put it among the tags of the picture
        comment = exif.get(ExifTags.Base.UserComment)
    words = "" if comment is None else user_comment(comment)
    # A camera's comment, or somebody's own, is no settings.
    ours = isinstance(comment, bytes) and comment.startswith(_UNICODE)
    settings = ours or "Steps:" in words or words.lstrip()[:1] == "{"
    found = {"parameters": words} if settings else {}
    found |= _labelled(exif)
    return found | _from_json(exif.get(ExifTags.Base.ImageDescription, ""))


def user_comment(comment: str | bytes) -> str:
    """The text of an EXIF user comment, in whatever encoding it was written.

    The standard wants eight bytes that name the encoding; programs leave them out, fill them with
    zeros, or write UTF-16 in either order after them (EXIF 2.32, section 4.6.5).
    """
    if isinstance(comment, str):
        comment = comment.encode("latin-1", "replace") if comment.isascii() else comment.encode()
    code, text = comment[:8], comment[8:]
    if code == _UNICODE:
        if text.startswith((b"\xff\xfe", b"\xfe\xff")):
            return text.decode("utf-16", "replace").strip("\0")
        big, little = text[0::2].count(0), text[1::2].count(0)  # of Latin letters one half is 0
        return text.decode("utf-16-le" if little > big else "utf-16-be", "replace").strip("\0")
    if code in (b"ASCII\0\0\0", bytes(8)):
        comment = text
    elif code == b"JIS\0\0\0\0\0":
        return text.decode("iso2022_jp", "replace")
    try:
        return comment.decode().strip("\0")
    except UnicodeDecodeError:
        return comment.decode("latin-1").strip("\0")


def _labelled(exif: Image.Exif) -> dict[str, str]:
    """The texts that ComfyUI writes into a WebP: tags such as ``prompt:{...}``, whichever."""
    found = {}
    for value in exif.values():
        if isinstance(value, str) and (match := _LABEL.match(value)):
            found[match[1].lower()] = value[match.end() - 1 :]
    return found


def _from_json(words: str | bytes) -> dict[str, str]:
    try:
        found = parsed(words or "{}")
    except ValueError:
        return {}  # a description in somebody's words
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
