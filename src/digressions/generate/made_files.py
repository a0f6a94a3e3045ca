"""What a folder holds that was made: newest first, with what each file remembers; and its trash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import DigressionsError, ImageError, InputError, in_words, verbatim
from ..files import numbered, writing
from ..images.image_files import read_image, thumbnail, to_webp
from ..images.pyramid import is_mosaic, preview_of
from ..images.video import VIDEOS
from .file_texts import text_of
from .file_words import shown
from .metadata import Record
from .params import GenerationParams
from .record_reading import record_and_notes

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif")
_MADE = (*PICTURES, *VIDEOS, ".pdf")
TRASH = ".trash"


@dataclass(frozen=True)
class MadeFile:
    """A file or the folder of a mosaic.

    Attributes:
        path: Where it is.
        time: When it was last written, in seconds since 1970.
    """

    path: Path
    time: float

    @property
    def picture(self) -> Path | None:
        """A picture of it, or ``None`` where it is none."""
        if self.path.is_dir():
            return preview_of(self.path)
        return self.path if self.path.suffix.lower() in PICTURES else None

    def remembers(self) -> list[str]:
        """What it says of how it was made, a line for each setting; empty where it says nothing."""
        return list(_remembered(self.path, self.time))

    def small(self, longest: int) -> bytes | None:
        """A small picture of it as a WebP of so many pixels a side, or ``None`` where it is none
        or cannot be read."""
        return _small(self.path, self.time, longest)


def made_in(folder: Path, part: str = "") -> list[MadeFile]:
    """What was made in a folder, the newest first; hidden files are left out.

    Args:
        part: Only what has these words in its name or in what it remembers, in any order and case.
    """
    found = sorted(_made(folder), key=lambda each: (-each.time, each.path.name))
    wanted = part.lower().split()
    return [each for each in found if _has(each, wanted)]


def settings_of(path: Path) -> tuple[dict[str, Any], list[str]]:
    """How a picture was painted, by the parameters of `params.PaintSpec`, as far as its file says,
    whatever program made it; and what should be said of what another program wrote.

    Raises:
        ImageError: It says nothing, or is damaged.
    """
    record, notes = record_and_notes(text_of(path), str(path))
    return _asked_by(record), notes


def to_trash(path: Path, folder: Path) -> Path:
    """Moves what was made in a folder to the folder's own trash.

    Returns:
        Where it is now.

    Raises:
        InputError: It is not in the folder.
        OutputError: It cannot be moved.
    """
    check_made(path, folder)
    trash = folder / TRASH
    with writing(path):
        trash.mkdir(exist_ok=True)
        usual = trash / path.name
        place = next(p for p in numbered(usual, folder=path.is_dir()) if not p.exists())
        return path.rename(place)


def out_of_trash(path: Path, folder: Path) -> Path:
    """Puts back what `to_trash` has moved, under a free name. Raises as that."""
    check_made(path, folder / TRASH)
    with writing(folder):
        usual = folder / path.name
        place = next(p for p in numbered(usual, folder=path.is_dir()) if not p.exists())
        return path.rename(place)


def check_made(path: Path, folder: Path) -> None:
    """Raises `InputError` for what is not in a folder once every link is followed."""
    if not path.resolve().is_relative_to(folder.resolve()) or not path.exists():
        raise InputError(f"{verbatim(path.name)} is not among what was made")


def _made(folder: Path) -> Iterator[MadeFile]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if (path / "world.json").is_file():  # a page to fly through, and no picture
            continue
        if path.is_dir() and not is_mosaic(path):
            yield from _made(path)  # such as the pictures for the frames of a photo
        elif path.is_dir() or path.suffix.lower() in _MADE:
            yield MadeFile(path, path.stat().st_mtime)


def _has(made: MadeFile, words: list[str]) -> bool:
    if not words:
        return True
    text = "\n".join([made.path.name, *made.remembers()]).lower()
    return all(word in text for word in words)


@lru_cache(maxsize=4096)
def _remembered(path: Path, time: float) -> tuple[str, ...]:
    try:
        return tuple(in_words(note.text, str) for note in shown(path) if hasattr(note, "text"))
    except DigressionsError:
        return ()


@lru_cache(maxsize=1024)
def _small(path: Path, time: float, longest: int) -> bytes | None:
    try:
        picture = MadeFile(path, time).picture
        return None if picture is None else to_webp(thumbnail(read_image(picture), longest), 80)
    except ImageError:
        return None


def _asked_by(record: Record) -> dict[str, Any]:
    """What one asks for to get the picture of a record."""
    params: Mapping[str, Any] = record.params.json_object()
    asked = {name: params[name] for name in GenerationParams.model_fields}
    if record.image is None:
        asked |= {"strength": None, "masked_content": None}
    else:
        asked["image"] = record.image.path
    if record.mask is not None:
        asked |= {"mask": record.mask.path, "mask_alpha": record.mask.alpha}
    elif record.image is not None:
        asked["fit"] = record.fit
    if record.regions is not None:
        asked["region"] = [each.get("name") or each["path"] for each in record.regions]
        asked["region_softness"] = record.region_softness
    asked["enlarge"] = record.enlarge
    if record.upscaler is not None and record.enlarge > 1:
        asked["upscaler"] = record.upscaler
    return {name: value for name, value in asked.items() if value not in (None, "")}
