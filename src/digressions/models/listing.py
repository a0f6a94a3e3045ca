"""What is in the user's model folders, file by file, as far as headers tell.

What was found is kept in a file of the user's cache, by path, size and time, so that a second look
reads nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ModelError
from ..files import at_home, parsed, write_json
from .fingerprint import blake3_hash, content_hash
from .header import Header, read_header
from .library import Library
from .recognise import FAMILIES, Kind, recognise

_DIGITS, _LORA_DIGITS = 10, 12  # of a hash, as A1111 shows it
_FEWEST = 8
_MOST_WORDS = 5


@dataclass(frozen=True)
class Listed:
    """A file, as a row of a table.

    Attributes:
        path: Of the file.
        name: Without its suffix.
        kind, family, prediction: As `recognise.Contents` has them; empty where nobody says.
        what: In words; of a file that cannot be read, why.
        size: In bytes.
        licence, words: Of its makers; words that it was taught to react to.
        sha256: First ten digits, as A1111 shows them; empty where it was not computed.
        content_sha256: First twelve digits of a LoRA's hash, as A1111 shows them: see
            `fingerprint.content_hash`.
        blake3: First ten digits of the hash that InvokeAI has; empty where it was not computed.
    """

    path: str
    name: str
    kind: str
    family: str
    prediction: str
    what: str
    size: int
    licence: str = ""
    words: str = ""
    sha256: str = ""
    content_sha256: str = ""
    blake3: str = ""


def listing(
    library: Library,
    part: str = "",
    *,
    kinds: Collection[Kind] = (),
    hashes: bool = False,
    blake3: bool = False,
) -> Iterator[Listed]:
    """Every file of a library.

    Args:
        part: Only those with this in their names, in any case.
        kinds: Hashes are computed for these alone; of all if empty.
        hashes: Compute the SHA-256 of those whose is not known, which reads all of them.
        blake3: The same for InvokeAI's hash.

    Raises:
        MissingExtraError: As `fingerprint.blake3_hash`.
    """
    cache = _cache_file()
    known = _remembered(cache)
    now: dict[str, Any] = {}
    try:
        for path in library.files():
            stamp = _stamp(path)
            if stamp is None or part.lower() not in path.name.lower():
                continue
            row = _row(known.get(str(path)), stamp) or _look(path, stamp[0])
            asked = not kinds or row.kind in kinds
            if hashes and asked and not row.sha256:
                row = Listed(**asdict(row) | _hashes(path, row.kind))
            if blake3 and asked and not row.blake3:
                row = replace(row, blake3=blake3_hash(path)[:_DIGITS])
            now[str(path)] = {"stamp": stamp, "version": __version__, "row": asdict(row)}
            yield row
    finally:
        if any(known.get(path) != entry for path, entry in now.items()):
            cache.parent.mkdir(parents=True, exist_ok=True)
            write_json(cache, known | now)


def by_hash(library: Library, kind: Kind, *hashes: str, blake3: str = "") -> Path | None:
    """The file of a kind that has one of these hashes, the very file before one of the same
    content; reads those whose hash is not known yet.

    Args:
        hashes: SHA-256 of a file, or of a LoRA's content, or how they begin; those of fewer than
            eight digits tell nothing, and are left out.
        blake3: InvokeAI's hash, likewise.

    Raises:
        MissingExtraError: As `fingerprint.blake3_hash`.
    """
    sha256 = [each.lower() for each in hashes if len(each) >= _FEWEST]
    others = [blake3.lower()] if len(blake3) >= _FEWEST else []
    wanted = sha256 + others
    if not wanted:
        return None
    alike = None  # of the same content, under another description
    for row in listing(library, kinds=(kind,), hashes=bool(sha256), blake3=bool(others)):
        if row.kind != kind:
            continue
        known = [each for each in (row.sha256, row.blake3) if each]
        if any(same_hash(a, b) for a in known for b in wanted):
            return Path(row.path)
        content = row.content_sha256
        if alike is None and content and any(same_hash(content, each) for each in sha256):
            alike = Path(row.path)
    return alike


def same_hash(one: str, other: str) -> bool:
    """Whether two hashes are the same, as far as both are known."""
    return one.startswith(other) or other.startswith(one)


def _look(path: Path, size: int) -> Listed:
    try:
        header = read_header(path)
    except ModelError as error:
        why = str(error).removeprefix(f"{path} ")
        return Listed(str(path), path.stem, "damaged", "", "", why, size)
    found = recognise(header)
    return Listed(
        str(path),
        path.stem,
        found.kind,
        FAMILIES[found.family] if found.family else "",
        found.prediction or "",
        found.what,
        size,
        header.metadata.get("modelspec.license", ""),
        _words(header),
    )


def _words(header: Header) -> str:
    """What a LoRA was taught to react to, by its makers or by the tags that it saw most."""
    if said := header.metadata.get("modelspec.trigger_phrase", ""):
        return said
    try:
        folders = parsed(header.metadata.get("ss_tag_frequency", "{}"))
        counts: dict[str, int] = {}
        for tags in folders.values():
            for tag, count in tags.items():
                counts[tag.strip()] = counts.get(tag.strip(), 0) + int(count)
    except (AttributeError, TypeError, ValueError):
        return ""
    return ", ".join(sorted(counts, key=lambda tag: -counts[tag])[:_MOST_WORDS])


def _stamp(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _hashes(path: Path, kind: str) -> dict[str, str]:
    with path.open("rb") as file:
        found = {"sha256": hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]}
    if kind == "lora":
        found["content_sha256"] = content_hash(path)[:_LORA_DIGITS]
    return found


def _cache_file() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return at_home(base) / "digressions" / "models.json"


def _remembered(cache: Path) -> dict[str, Any]:
    """What the cache holds; nothing where it is damaged, since it is only a cache."""
    try:
        found = json.loads(cache.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _row(entry: Any, stamp: list[int]) -> Listed | None:
    """A row that is remembered. Of one that another version has written, the hashes count alone:
    it may have known less. What could not be read is looked at again, since rights change while the
    file stays."""
    try:
        row = Listed(**entry["row"])
        if entry["stamp"] != stamp or row.kind == "damaged":
            return None
        if entry.get("version") == __version__:
            return row
        hashes = {name: getattr(row, name) for name in ("sha256", "content_sha256", "blake3")}
    except (KeyError, TypeError):
        return None
    return replace(_look(Path(row.path), stamp[0]), **hashes)
