"""Making a file again from what it remembers.

Each kind of file knows how to make itself again, and registers that here. Files that were made of
others without a model (prints, enlargements, hangings) have a text of their own, by whose key they
register; files of painted pictures have a `Record`, by whose kind they do. What was done last
counts, since a file remembers what it was made of as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..errors import InputError, MissingExtraError, verbatim
from ..events import Event, Note, counted
from ..files import parsed
from ..images.source_image import SourceImage, in_memory, remembered_image
from .file_texts import text_of
from .foreign import BLAKE3, MODEL_HASH
from .found_files import FoundFiles, files_now, found_files
from .metadata import KEY, Record, checkpoint_hash, dtype_name
from .model_params import ModelAdditions
from .outputs import chosen_output, place_beside
from .record_reading import others_of, record_and_notes, record_of

if TYPE_CHECKING:
    import numpy as np

    from ..models.base import Model


@dataclass(frozen=True)
class ReplayRequest:
    """What is to be made again.

    Attributes:
        source: The file.
        text: What it remembers, and what is made of it will.
        output: Where to, or ``None`` for a name beside the source.
        overwrite: Whether what is there may go.
        device: For upscalers that run on one.
        load: Loads the model of a record, noting where the picture will differ.
    """

    source: Path
    text: Mapping[str, str]
    output: Path | None = None
    overwrite: bool = False
    device: str | None = None
    load: LoadRecord | None = None

    @cached_property
    def target(self) -> Path:
        """The file to write.

        Raises:
            OutputError: As `outputs.chosen_output`.
        """

        def plan(place: Path) -> dict[Path, Mapping[str, str]]:
            return {place: self.text}

        return chosen_output(self.output, self.usual_file, plan, overwrite=self.overwrite)

    @property
    def usual_file(self) -> Path:
        """Where to, for kinds that write a file, if nobody says."""
        return place_beside(self.source, "-replay", self.source.suffix)

    @property
    def usual_folder(self) -> Path:
        """Where to, for kinds that write a folder, if nobody says."""
        return place_beside(self.source, "-replay", "")


TextReplay: TypeAlias = Callable[[ReplayRequest], Iterator[Event]]
KindReplay: TypeAlias = "Callable[[ReplayRequest, Model, Record], Iterator[Event]]"
LoadRecord: TypeAlias = "Callable[[Record], Generator[Event, None, Model]]"
Repaint: TypeAlias = "Callable[[Model, Record], Generator[Event, None, np.ndarray]]"

# A print is made last. A sheet's pictures are made in any way.
_LAST_FIRST = ("sheet", "print", "upscale", "found", "frame", "photos", "photo_film")
_TEXTS: dict[str, TextReplay] = {}
_PAINTED: dict[str, Repaint] = {}
_KINDS: dict[str, KindReplay] = {}


def made_last_by(text: Mapping[str, str]) -> str | None:
    """The key of the text by which a file is made again, or ``None`` where that is its record."""
    return next((key for key in _LAST_FIRST if key in text and key in _TEXTS), None)


def replays_text(key: str) -> Callable[[TextReplay], TextReplay]:
    """Registers the function that remakes files whose texts include this key."""

    def register(function: TextReplay) -> TextReplay:
        _TEXTS[key] = function
        return function

    return register


def replays_kind(kind: str) -> Callable[[KindReplay], KindReplay]:
    """Registers the function that remakes files whose record is of this kind."""

    def register(function: KindReplay) -> KindReplay:
        _KINDS[kind] = function
        return function

    return register


def repaints_kind(kind: str) -> Callable[[Repaint], Repaint]:
    """Registers the function that paints a record of this kind without writing it."""

    def register(function: Repaint) -> Repaint:
        _PAINTED[kind] = function
        return function

    return register


def picture_again(
    request: ReplayRequest, origin: Mapping[str, str]
) -> Generator[Event, None, SourceImage]:
    """The picture that a file was made of: read again, or painted where it never was a file.

    Args:
        request: Of the file, whose texts may hold the record of the picture.
        origin: As `SourceImage.origin`.

    Raises:
        ImageError, InputError: As `remembered_image`.
    """
    if origin.get("path") == "" and KEY in request.text and request.load is not None:
        record = record_of(request.text, str(request.source))
        if record.kind in _PAINTED:
            loaded = yield from request.load(record)
            return in_memory((yield from _PAINTED[record.kind](loaded, record)))
    return remembered_image(origin)


def replay_file(
    source: Path,
    load: Callable[..., Model],
    *,
    model: str | None = None,
    models: str | None = None,
    output: Path | None = None,
    overwrite: bool = False,
    device: str | None = None,
) -> Iterator[Event]:
    """Makes a file again.

    Args:
        source: An image, film or print.
        load: Loads a model by its name and dtype (``None`` where the file does not say), where one
            is needed; what it was loaded with besides comes by name, as `loading.load` takes it. So
            does ``named``, where names in prompts stand for files that were found by their hash.
        model: Its name, if it is not where the file says.
        models: The folder in which it is looked for by its hash; see `library.Library.of`.
        output: Where to; a free name beside the source if not given.
        overwrite: Whether what is at ``output`` may go, whatever made it.
        device: For upscalers.

    Raises:
        ImageError: The file does not say how it was made, or its settings are damaged.
        InputError: What it was made of is not there, or another by now.
    """
    text = text_of(source)

    def load_for(record: Record) -> Generator[Event, None, Model]:
        return (yield from _loaded(source, found_files(record, models), load, model, models))

    request = ReplayRequest(source, text, output, overwrite, device, load_for)
    if (key := made_last_by(text)) is not None:
        yield from _TEXTS[key](request)
        return
    record, notes = record_and_notes(text, str(source))
    if record.kind not in _KINDS:
        raise InputError(
            f"{verbatim(source)} is of a kind that is not known here: {record.kind!r:.40}"
        )
    search = found_files(record, models)
    record = search.record
    loaded = yield from _loaded(source, search, load, model, models)
    yield from (Note(f"{verbatim(source)}: {note}", "note") for note in notes)
    dtype = dtype_name(loaded)
    record = record.but(
        model=loaded.name,
        model_hash=loaded.hash,
        dtype=dtype,
        additions=ModelAdditions(**loaded.additions),
        files=files_now(loaded, record),
    )
    request = replace(request, text=record.to_text())
    yield from _KINDS[record.kind](request, loaded, record)


def _loaded(
    source: Path,
    search: FoundFiles,
    load: Callable[..., Model],
    model: str | None,
    models: str | None,
) -> Generator[Event, None, Model]:
    """The model that painted a record, and notes on why a picture may be another now."""
    record = search.record
    name = model or _model_of(record, models)
    if not name:
        raise InputError(
            f"{verbatim(source)} was made by another program and names no model that is known "
            "here: say which with `model`, or where models are with `models`"
        )
    named = {"named": search.named} if search.named else {}
    loaded = load(name, record.dtype or None, **record.additions.given(), **named)
    yield from (Note(f"{verbatim(source)}: {note}", "note") for note in search.notes)
    if reason := difference(record, loaded.hash):
        yield Note(f"{verbatim(source)} {reason}", "note")
    dtype = dtype_name(loaded)
    if record.dtype not in ("", dtype):
        text = f"{verbatim(source)} was painted in {record.dtype}, not {dtype}: pixels may differ"
        yield Note(text, "note")
    return loaded


def _model_of(record: Record, models: str | None) -> str:
    """The model that a record names; found by its hash where it is not where it was, or where
    another program painted with it. Empty where nothing is known.

    Raises:
        InputError: What tells its hash is not installed.
    """
    others = others_of(record)
    wanted = checkpoint_hash(record) or others.get(MODEL_HASH, "")
    gone = record.model.endswith(".safetensors") and not Path(record.model).exists()
    if len(wanted) < 10 or (record.model and not gone):
        return record.model
    from ..models.library import Library
    from ..models.listing import by_hash

    library = Library.of(models)
    if library is None:
        return record.model
    blake3 = wanted.removeprefix(BLAKE3) if wanted.startswith(BLAKE3) else ""
    try:
        found = by_hash(library, "checkpoint", *([] if blake3 else [wanted]), blake3=blake3)
    except MissingExtraError as error:
        raise InputError(
            f"the file names its model by InvokeAI's hash, and {error}; or say which it is with "
            "`model`"
        ) from error
    return record.model if found is None else str(found)


def difference(record: Record, model_hash: str) -> str | None:
    """Why a picture made again with these weights will be another, or ``None`` if it will not."""
    if not record.model_hash:
        return "was made by another program, which draws other noise: the picture will differ"
    if not model_hash.startswith(record.model_hash):
        return (
            f"was made by other weights ({record.model_hash[:10]}, not {model_hash[:10]}): "
            "the picture will differ"
        )
    return None


# --- several pictures in one file ------------------------------------------------------------


def sheet_text(
    text: Mapping[str, str], what: str, folder: Path, pictures: Iterable[Path]
) -> dict[str, str]:
    """What a file remembers that only shows pictures, each of which is a file of its own.

    Args:
        text: Of the first of them.
        what: It is, such as "a contact sheet".
        folder: Where it is itself.
        pictures: Their files.
    """
    names = [path.relative_to(folder).as_posix() for path in pictures]
    return {**text, "sheet": json.dumps({"what": what, "pictures": names})}


@replays_text("sheet")
def replay_sheet(request: ReplayRequest) -> Iterator[Event]:
    """Says what to replay instead of a sheet.

    Raises:
        InputError: Always.
    """
    try:
        found = parsed(request.text["sheet"])
        what, pictures = str(found["what"]), [str(each) for each in found["pictures"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the settings of the sheet are damaged: {error!r:.120}") from error
    of = f", and of the others in it their files, {counted(len(pictures), 'picture')} in all"
    raise InputError(
        f"{verbatim(request.source)} is {what}: replay its picture "
        f"{verbatim(pictures[0])}{of * (len(pictures) > 1)}"
    )
    yield  # a generator, as others are
