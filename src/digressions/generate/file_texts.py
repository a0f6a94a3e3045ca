"""What a file of any kind remembers. Each kind of file registers what reads its texts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from ..errors import DigressionsError
from ..files import parsed
from ..images.image_files import read_text
from ..images.text_chunks import MADE
from ..images.video import VIDEOS, read_video_text

TextReader: TypeAlias = Callable[[Path], dict[str, str]]

_READERS: dict[str, TextReader] = dict.fromkeys(VIDEOS, read_video_text)


def reads_text(*suffixes: str) -> Callable[[TextReader], TextReader]:
    """Registers what reads the texts of files with these suffixes, which are no images."""

    def register(function: TextReader) -> TextReader:
        _READERS.update(dict.fromkeys(suffixes, function))
        return function

    return register


def text_of(path: Path) -> dict[str, str]:
    """The texts in an image, a film, a print or the folder of a mosaic.

    Raises:
        ImageError: There is no such file, or it cannot be read.
    """
    if path.is_dir():
        return read_text(path)
    return _READERS.get(path.suffix.lower(), read_text)(path)


def made_alike(path: Path, text: Mapping[str, str], aside: Collection[str] = ()) -> bool:
    """Whether a file was made by the very settings that texts say.

    Args:
        path: Of a file.
        text: What one made by these settings remembers.
        aside: What of a record shows only when the work is done, and does not count.
    """
    try:
        found = text_of(path)
    except DigressionsError:  # nothing of ours
        return False
    ours, theirs = ([_made(each.get(key), aside) for key in MADE] for each in (text, found))
    return ours == theirs and any(value is not None for value in ours)


def _made(words: str | None, aside: Collection[str]) -> object:
    """One text as a value, whatever spaces it is written with."""
    try:
        value = None if words is None else parsed(words)
    except ValueError:
        return words
    return _without(value, aside)


def _without(value: object, names: Collection[str]) -> object:
    if not isinstance(value, dict):
        return value
    return {name: _without(each, names) for name, each in value.items() if name not in names}
