"""Making a file again from what it remembers.

Each kind of file knows how to make itself again, and registers that here. Files that were made of
others without a model (prints, enlargements, hangings) have a text of their own, by whose key they
register; files of painted pictures have a `Record`, by whose kind they do. What was done last
counts, since a file remembers what it was made of as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..errors import InputError, verbatim
from ..events import Event, Note
from ..images.image_files import read_text
from ..images.video import VIDEOS, read_video_text
from .metadata import KEY, Record, others_of, record_and_notes

if TYPE_CHECKING:
    from ..models.base import Model


@dataclass(frozen=True)
class ReplayRequest:
    """What is to be made again.

    Attributes:
        source: The file.
        text: What it remembers.
        output: Where to, or ``None`` for a name beside the source.
        device: For upscalers that run on one.
    """

    source: Path
    text: Mapping[str, str]
    output: Path | None = None
    device: str | None = None

    @property
    def target(self) -> Path:
        """The file to write."""
        return self.output or self.source.with_stem(f"{self.source.stem}-replay")

    @property
    def folder(self) -> Path:
        """The folder to write, for kinds that write one."""
        return self.output or self.source.with_name(f"{self.source.stem}-replay")


TextReplay: TypeAlias = Callable[[ReplayRequest], Iterator[Event]]
KindReplay: TypeAlias = "Callable[[ReplayRequest, Model, Record], Iterator[Event]]"
TextReader: TypeAlias = Callable[[Path], dict[str, str]]

_TEXTS: dict[str, TextReplay] = {}
_KINDS: dict[str, KindReplay] = {}
_READERS: dict[str, TextReader] = dict.fromkeys(VIDEOS, read_video_text)


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


def reads_text(*suffixes: str) -> Callable[[TextReader], TextReader]:
    """Registers what reads the texts of files with these suffixes, which are no images."""

    def register(function: TextReader) -> TextReader:
        _READERS.update(dict.fromkeys(suffixes, function))
        return function

    return register


def replay_file(
    source: Path,
    load: Callable[[str], Model],
    *,
    model: str | None = None,
    output: Path | None = None,
    device: str | None = None,
) -> Iterator[Event]:
    """Makes a file again.

    Args:
        source: An image, film or print.
        load: Loads a model by name, where one is needed.
        model: Its name, if it is not where the file says.
        output: Where to; beside the source if not given.
        device: For upscalers.

    Raises:
        ImageError: The file does not say how it was made, or its settings are damaged.
        InputError: What it was made of is not there, or another by now.
    """
    text = _READERS.get(source.suffix.lower(), read_text)(source)
    request = ReplayRequest(source, text, output, device)
    # The order of the texts is that of their making: a print is made last.
    for key in ("print", "upscale", "found", "frame"):
        if key in text and key in _TEXTS:
            yield from _TEXTS[key](request)
            return
    record, notes = record_and_notes(text, str(source))
    if record.kind not in _KINDS:
        raise InputError(f"{source} is of a kind that is not known here: {record.kind!r:.40}")
    name = model or record.model
    if not name:
        raise InputError(
            f"{source} was made by another program and names no model that is known here: say "
            "which with `model`"
        )
    loaded = load(name)
    if reason := difference(record, loaded.hash):
        yield Note(f"{source} {reason}", "note")
    yield from (Note(f"{source}: {note}", "note") for note in notes)
    record = record.but(model=loaded.name, model_hash=loaded.hash)
    yield from _KINDS[record.kind](request, loaded, record)


def shown(source: Path) -> Iterator[Event]:
    """What a file says of how it was made, a `Note` for each setting; paints nothing.

    Raises:
        ImageError: It says nothing, or its settings are damaged.
    """
    text = _READERS.get(source.suffix.lower(), read_text)(source)
    done = [key for key in ("print", "upscale", "found", "frame") if key in text and key in _TEXTS]
    if done:
        yield Note(f"made last by: {done[0]}")
        yield Note(verbatim(f"{done[0]}: {text[done[0]]}"))
        if KEY not in text and "parameters" not in text:
            return
    record, notes = record_and_notes(text, str(source))
    yield Note(verbatim(f"made by: {record.version or 'this program'}, a {record.kind}"))
    if record.model:
        yield Note(verbatim(f"model: {record.model} ({record.model_hash[:10]})"))
    for name, value in record.params.json_object().items():
        if value not in (None, ""):
            yield Note(verbatim(f"{name.replace('_', ' ')}: {value}"))
    if record.enlarge > 1:
        yield Note(f"enlarged: {record.enlarge} times")
    for name in ("image", "mask", "palette", "regions", "upscaler"):
        if value := record.json_object()[name]:
            yield Note(verbatim(f"{name}: {value}"))
    for name, value in others_of(record).items():
        yield Note(verbatim(f"not used here: {name}: {value:.500}"))
    yield from (Note(note, "note") for note in notes)


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
