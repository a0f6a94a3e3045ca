"""The single files that pictures are painted with: what a record says of them, and how they are
found again: where they were, by their names in the model folders,
or by their hashes.

A LoRA or an embedding is known by its hash. Where its name stands for nothing any more, or for
another file, the file with that hash takes its place for this replay. Of another program's picture
what cannot be found is left out, and said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, MissingExtraError, ModelError, errors_about, verbatim
from ..files import at_home
from .metadata import Record
from .model_params import ModelAdditions, RememberedFile

if TYPE_CHECKING:
    from ..models.base import Model
    from ..models.library import Library
    from ..models.recognise import Kind

_CALLED = {"lora": "LoRA", "embedding": "embedding"}
_KINDS: dict[str, Kind] = {"lora": "lora", "embedding": "embedding"}


@dataclass
class FoundFiles:
    """A record whose files were looked for.

    Attributes:
        record: It, with what is found elsewhere, and without what another program's picture names
            and nobody has.
        named: What names in its prompts stand for; see `loading.load`.
        notes: What a user should know.
    """

    record: Record
    named: dict[tuple[Kind, str], Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def found_files(record: Record, models: str | None) -> FoundFiles:
    """Looks for the LoRAs and embeddings of a record.

    Args:
        models: The folder of models; see `library.Library.of`.

    Raises:
        InputError: There is no such folder.
    """
    found = FoundFiles(record)
    if not any(each.kind in _CALLED for each in record.files):
        return found
    from ..models.library import Library

    if any(each.blake3 for each in record.files) and not _compares_blake3():
        missing = MissingExtraError("blake3", "invokeai")
        found.notes.append(f"its files are looked for by name alone, not by hash: {missing}")
    library = Library.of(models)
    options = dict(record.additions.loras())
    for each in record.files:
        if each.kind == "lora" and each.name in options:
            path, _ = _search(each, library)
            options[each.name] = str(path or each.name)
        elif each.kind in _CALLED:
            _look_for(each, library, found)
    if options:
        strengths = dict(record.additions.loras())
        loras = [f"{options[name]}:{strengths[name]}" for name in strengths]
        additions = ModelAdditions(**record.additions.given() | {"lora": loras})
        found.record = found.record.but(additions=additions)
    return found


def used_files(model: Model, **prompts: Sequence[str]) -> list[RememberedFile]:
    """What pictures of prompts remember of the single files that they are painted with.

    Args:
        prompts: By the parameters that they are given by, such as ``negative``.

    Raises:
        InputError, PromptError: As `Model.named_sources`.
    """
    for name, texts in prompts.items():
        with errors_about(name):
            model.named_sources(*texts)
    every = [text for texts in prompts.values() for text in texts]
    return [RememberedFile(**each._asdict()) for each in model.files(*every)]


def files_now(model: Model, record: Record) -> list[RememberedFile]:
    """The files of a record once it is loaded: those of other prompts than its own as it has
    them."""
    own = used_files(model, prompt=[record.params.prompt], negative=[record.params.negative])
    known = {(each.kind, each.name) for each in own}
    options = dict(record.additions.loras())
    others = [each for each in record.files if each.kind in ("lora", "embedding")]
    others = [each for each in others if each.name not in options]
    return [*own, *(each for each in others if (each.kind, each.name) not in known)]


def _look_for(each: RememberedFile, library: Library | None, found: FoundFiles) -> None:
    """One that a prompt names."""
    path, same = _search(each, library)
    foreign = not found.record.model_hash
    called = f"{_CALLED[each.kind]} {verbatim(repr(each.name))}"
    if path is None and foreign:
        hashed = each.content_sha256 or each.sha256 or each.blake3
        known = f" ({hashed[:12]})" if hashed else ""
        if each.kind == "embedding" and not _explicit(each.name).search(_prompts(found.record)):
            left = "its name stays a word"
        else:
            left = "it is left out"
            found.record = _without(found.record, each)
        gone = _why_gone(each, library)
        found.notes.append(f"it was painted with the {called}{known}, {gone}: {left}")
    elif path is None and each.kind == "embedding":
        found.notes.append(
            f"it was painted with the {called}, {_why_gone(each, library)}: the picture "
            f"will differ, since {verbatim(repr(each.name))} stays a word"
        )
    elif path is not None:
        found.named[_KINDS[each.kind], each.name] = path
        if not same:
            found.notes.append(
                f"the {called} is another file by now, {verbatim(path)}: the picture will differ"
            )
        elif foreign or path.stem.lower() != Path(each.name).stem.lower():
            found.notes.append(f"its {called} is {verbatim(path)}")


def _search(each: RememberedFile, library: Library | None) -> tuple[Path | None, bool]:
    """The file, and whether it is the very one, as far as its hashes are known."""
    from ..models.listing import by_hash

    kind = _KINDS[each.kind]
    hashes = [hash for hash in (each.sha256, each.content_sha256) if hash]
    blake3 = each.blake3 if _compares_blake3() else ""
    here = _by_name(each.name, kind, library)
    if here is not None and (not (hashes or blake3) or _has(here, kind, hashes, blake3)):
        return here, True
    moved = None if library is None else by_hash(library, kind, *hashes, blake3=blake3)
    return (here, False) if moved is None else (moved, True)


def _why_gone(each: RememberedFile, library: Library | None) -> str:
    """Why a file that a prompt names is not found."""
    if library is None:
        return "and no model folder is named"
    try:
        library.find(at_home(each.name).name, (_KINDS[each.kind],), whole=True)
    except ModelError as error:
        return f"and {error.message}"
    except InputError:  # several, none of which is the one
        pass
    return f"which is not in {library}"


def _by_name(name: str, kind: Kind, library: Library | None) -> Path | None:
    path = at_home(name)
    if path.is_file():
        return path.absolute()
    try:
        return None if library is None else library.find(path.name, (kind,), whole=True)
    except InputError:  # several, of which the hash tells which; or a damaged one
        return None


def _compares_blake3() -> bool:
    """Whether the library is there by which InvokeAI's hashes are told."""
    try:
        import blake3  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def _has(path: Path, kind: Kind, hashes: list[str], blake3: str) -> bool:
    """Whether a file has one of some hashes, or begins of them."""
    from ..models.fingerprint import FileFingerprint, blake3_hash
    from ..models.listing import same_hash

    if blake3:
        return same_hash(blake3_hash(path), blake3.lower())
    file = FileFingerprint(path)
    own = [file.hash(), *([file.content_hash()] if kind == "lora" else [])]
    return any(same_hash(mine, wanted.lower()) for mine in own for wanted in hashes)


def _prompts(record: Record) -> str:
    return f"{record.params.prompt}\n{record.params.negative}"


def _explicit(name: str) -> re.Pattern[str]:
    """What finds ComfyUI's form of an embedding."""
    suffix = r"(?:\.safetensors|\.pt|\.bin)?"
    return re.compile(rf",?\s*\bembedding\\?:\s*{re.escape(name)}{suffix}(?!\w)", re.IGNORECASE)


def _without(record: Record, each: RememberedFile) -> Record:
    """A record whose prompts do not name a file."""
    name = re.escape(each.name)
    form = re.compile(rf"\s*<lora:\s*{name}\s*(?::[^<>]*)?>") if each.kind == "lora" else None
    form = form or _explicit(each.name)
    params = record.params.but(
        prompt=form.sub("", record.params.prompt).strip(),
        negative=form.sub("", record.params.negative).strip(),
    )
    return record.but(params=params, files=[other for other in record.files if other != each])
