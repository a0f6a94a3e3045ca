"""What a file remembers of how it was made, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ImageError, verbatim
from ..events import Event, Note
from ..files import parsed
from .file_texts import text_of
from .metadata import KEY
from .record_reading import OTHERS, foreign_settings, others_of, record_and_notes
from .replay import made_last_by

_MOST = 500  # letters of a setting
_SIZES = ("size", "trim_mm")


def shown(source: Path) -> Iterator[Event]:
    """What a file says of how it was made, a `Note` for each setting; paints nothing.

    Raises:
        ImageError: It says nothing, or its settings are damaged.
    """
    text = text_of(source)
    if (key := made_last_by(text)) is not None:
        found = _parsed(text[key], source)
        yield Note(f"made last by: {key.replace('_', ' ')}")
        yield from _notes(_settings(found))
        if KEY not in text and not _is_foreign(text, source):
            return
    try:
        record, notes = record_and_notes(text, str(source))
    except ImageError as error:
        if KEY in text:
            raise
        yield from _foreign(text, source, error)
        return
    program = record.version or "another program"
    if program[0].isdigit():  # others have names
        program = f"digressions {program}"
    yield Note(verbatim(f"made by: {program}, a {record.kind}"))
    if record.model:
        yield Note(verbatim(f"model: {record.model} ({record.model_hash[:10]})"))
    yield from _notes(_settings(record.params.json_object()))
    if record.hires is not None:
        yield Note(f"painted at once: {record.hires.painted}, and made large")
    if record.enlarge > 1:
        yield Note(f"enlarged: {record.enlarge} times")
    yield from _notes(_settings(record.additions.given()))
    for each in record.files:
        if each.kind != "checkpoint":  # whose hash is told already
            known = each.content_sha256 or each.sha256 or each.blake3
            yield Note(verbatim(f"{each.kind}: {each.name} ({known[:12] or 'no hash'})"))
    made_of = record.json_object()
    names = ("image", "mask", "palette", "regions", "upscaler")
    yield from _notes(_settings({name: made_of[name] for name in names}))
    if KEY in text:
        yield from _notes(_details(record.details))
    yield from _unused(others_of(record))
    yield from (Note(note, "note") for note in notes)


def _is_foreign(text: Mapping[str, str], source: Path) -> bool:
    """Whether another program says how it made what a file was made of."""
    try:
        foreign_settings(text, str(source))
    except ValueError:  # damaged, which is told
        return True
    except ImageError:
        return False
    return True


def _foreign(text: Mapping[str, str], source: Path, reason: ImageError) -> Iterator[Event]:
    """What another program says of a picture that cannot be made again here.

    Args:
        reason: Why it cannot.

    Raises:
        ImageError: That, if it says nothing that can be read.
    """
    try:
        found, _ = foreign_settings(text, str(source))
    except ValueError:
        raise reason from None
    yield Note(verbatim(f"made by: {found.program}, a picture"))
    yield from _notes(_settings({"prompt": found.prompt, "negative": found.negative}))
    yield from _notes(_settings(found.values))
    yield from _notes(_settings({"schedule": found.schedule}))
    yield from _notes(("lora", f"{each.name} ({each.strength:g})") for each in found.loras)
    yield from _unused(found.others)
    yield from (Note(verbatim(note), "note") for note in found.notes)
    yield Note(f"it cannot be made again: {reason.message}", "note")


def _unused(others: Mapping[str, str]) -> Iterator[Note]:
    for name, value in others.items():
        if value:
            yield Note(verbatim(f"not used here: {name}: {value:.{_MOST}}"))


def _notes(settings: Iterable[tuple[str, str]]) -> list[Note]:
    try:
        return [Note(verbatim(f"{name}: {words:.{_MOST}}")) for name, words in settings]
    except RecursionError:
        raise ImageError("the settings are nested too deeply to be shown") from None


def _parsed(text: str, source: Path) -> dict[str, Any]:
    try:
        found = parsed(text)
        if not isinstance(found, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise ImageError(f"{verbatim(source)} has damaged settings: {error!s:.200}") from error
    return found


def _settings(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Settings by their names, those of a group and of each thing in a list one by one; what is
    not set is left out."""
    for key, value in found.items():
        name = key.replace("_", " ")
        if isinstance(value, dict) and not _is_file(value):
            yield from _settings(value)
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            for number, each in enumerate(value, 1):
                yield f"{name} {number}", _words(each)
        elif value not in (None, "", []):
            pair = key in _SIZES and isinstance(value, list)
            words = "x".join(map(_words, value)) if pair else _words(value)
            plain = name.removesuffix(" mm")
            yield plain, words if plain == name else f"{words} mm"


def _details(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a kind of file remembers besides: of cells and the like, with what they belong to."""
    for key, value in found.items():
        if key == OTHERS:
            continue
        own = f"{key.replace('_', ' ')} " if isinstance(value, dict) else ""
        yield from ((own + name, words) for name, words in _settings({key: value}))


def _words(value: Any) -> str:
    """A value of JSON as somebody would say it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, dict):
        if _is_file(value):
            return f"{value['path'] or 'a picture in memory'} ({str(value['sha256'])[:12]})"
        return ", ".join(f"{name} {words}" for name, words in _settings(value))
    if not isinstance(value, list):
        return str(value)
    if value and all(isinstance(each, list) for each in value):
        return " ".join(",".join(map(_words, each)) for each in value)  # corners, as they are typed
    return ", ".join(map(_words, value))


def _is_file(value: Mapping[str, Any]) -> bool:
    return {"path", "sha256"} <= value.keys()
