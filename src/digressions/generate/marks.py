"""What a file says about who made its picture: a camera, AI, or both.

What is painted says so in its `Record`'s texts. Here is what becomes of that where pictures are
made of other files: an enlargement or a print is what its picture was, and a photo with a painting
in it is a composite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import ImageError
from ..images.image_files import read_text
from ..images.source_image import SourceImage
from ..images.xmp import SourceType, marked, source_type
from .infotext import settings_of
from .metadata import KEY
from .programs import settings_in
from .record_reading import record_of


def made_by(text: Mapping[str, str]) -> SourceType | None:
    """What made a picture, by its texts; ``None`` where they know of no AI.

    A picture by another program need not be marked: that it says how it was painted is enough.
    """
    found = source_type(text)
    if found in set(SourceType):
        return SourceType(found)
    try:
        return record_of(text).source_type
    except ImageError:  # something else, or what cannot be painted again
        return SourceType.COMPOSITE if KEY in text else _foreign(text)


def _foreign(text: Mapping[str, str]) -> SourceType | None:
    """What made a picture of another program whose settings make no record."""
    try:
        read = settings_of(text.get("parameters", ""))
        found = settings_in(text) or (read and read[0])
    except ValueError:  # damaged: all that is known is that there are settings
        return SourceType.COMPOSITE
    if not found:
        return None
    return SourceType.COMPOSITE if found.start else SourceType.TRAINED


def kept_mark(text: Mapping[str, str]) -> dict[str, str]:
    """The texts of a picture for a file that shows it anew, with the mark that they may lack."""
    kind = made_by(text)
    return dict(text) if kind is None or source_type(text) == kind else marked(text, kind)


def composite_mark(
    sources: Iterable[SourceImage], *others: Mapping[str, str] | None
) -> dict[str, str]:
    """The mark of a picture made of others: a text for its file, or nothing where no AI made any.

    Args:
        sources: The pictures that come from files.
        others: The texts of those in memory.

    Raises:
        ImageError: A file cannot be read any more.
    """
    paths = [source.origin["path"] for source in sources]
    texts = [*(read_text(Path(path)) for path in paths if path), *others]
    painted = any(text and made_by(text) is not None for text in texts)
    return marked({}, SourceType.COMPOSITE) if painted else {}
