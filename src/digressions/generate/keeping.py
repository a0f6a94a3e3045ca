"""What goes along from a photo's file into what is made of it, as somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator

from ..events import Note
from ..images.carried import Carried
from ..images.source_image import SourceImage
from .params import KeepParams


def kept_of(photo: SourceImage, keep: KeepParams) -> Carried:
    """What of a photo's file goes along."""
    return photo.carried.only(exif=keep.keep_exif, icc=keep.keep_icc)


def notes_on_keeping(photo: SourceImage, keep: KeepParams) -> Iterator[Note]:
    """Says what is to go along and is not there."""
    for what in photo.carried.missing(exif=keep.keep_exif, icc=keep.keep_icc):
        yield Note(f"{photo.name} has no {what} that could be kept", "note")
