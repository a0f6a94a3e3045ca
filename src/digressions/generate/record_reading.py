"""What a picture remembers, read back: what this program wrote, or another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ImageError, InputError, verbatim
from ..files import parsed
from ..geometry import Size
from ..prompts.foreign_syntax import ForeignPrompt, embeddings_named, loras_in, with_loras
from ..prompts.terms import LoraTag
from .foreign import BLAKE3, ForeignSettings, is_usual, sampler_named, spacing_named, text_of
from .infotext import settings_of
from .kinds import MAX_SEED
from .metadata import KEY, Record
from .model_params import ModelAdditions, RememberedFile
from .params import ResolvedParams
from .programs import settings_in

_NEEDED = {
    "sampler": "Sampler",
    "guidance": "CFG scale",
    "seed": "Seed",
    "width": "Size",
    "height": "Size",
}
OTHERS = "other_program"
"""The detail of a record that holds what another program says besides."""


def record_of(text: Mapping[str, str], source: str = "the file") -> Record:
    """The record that `Record.to_text` wrote, or that another program left.

    Keys that this version does not know are an error: they would be dropped in silence, and the
    replayed picture would be another.

    Raises:
        ImageError: There is none, or it is damaged, out of range or of a newer version.
    """
    return record_and_notes(text, source)[0]


def record_and_notes(text: Mapping[str, str], source: str = "the file") -> tuple[Record, list[str]]:
    """As `record_of`, and what should be said of what another program wrote."""
    try:
        if KEY in text:
            return Record.from_json_object(parsed(text[KEY])), []
        return _foreign(text, source)
    except ImageError:
        raise
    except (InputError, ValueError, OverflowError) as error:
        raise ImageError(f"{verbatim(source)} has damaged settings: {error!s:.200}") from error


def foreign_settings(
    text: Mapping[str, str], source: str
) -> tuple[ForeignSettings, dict[str, str]]:
    """What another program wrote, in its own words, and its pairs where it wrote such.

    Raises:
        ImageError: There is nothing.
        ValueError: It is damaged.
    """
    found = settings_in(text)
    if found is not None:
        return found, {}
    read = settings_of(text.get("parameters", ""))
    if read is None:
        raise ImageError(f"{verbatim(source)} does not say how it was made (no {KEY!r} text in it)")
    return read


def _foreign(text: Mapping[str, str], source: str) -> tuple[Record, list[str]]:
    """A record of what is not our JSON: our own text without it, or another program's."""
    found, pairs = foreign_settings(text, source)
    if "Regions" in pairs:
        raise ImageError(
            f"{verbatim(source)} was painted in regions that it does not name: paint anew"
        )
    if pairs.get("Version", "").startswith("digressions"):
        return _own(found, pairs, source), []
    lacking = [named for key, named in _NEEDED.items() if found.values.get(key) in (None, "")]
    notes = list(found.notes)
    if "Seed" not in lacking and MAX_SEED < (seed := _whole(found.values["seed"])) < 2**64:
        found.values["seed"] = seed - 2**63
        notes.append(f"its seed {seed} is larger than seeds are here: {seed - 2**63} is taken")
    params = _params(found, dict.fromkeys(lacking), source)
    prompt, negative = found.prompts()
    loras = list(dict.fromkeys([*found.loras, *prompt.loras, *negative.loras]))
    params = params.but(prompt=with_loras(params.prompt, loras))
    left_out = [*prompt.left_out, *negative.left_out]
    schedule = found.schedule or sampler_named(str(found.values["sampler"]))[1]
    spacing = spacing_named(schedule)
    if spacing is not None:
        params = params.but(timestep_spacing=spacing)
    elif not is_usual(schedule):
        notes.append(
            f"it was painted with the noise schedule {schedule:.40}, which is not known here: the "
            "model steps through its own noise levels"
        )
    if left_out:
        notes.append(f"it was painted with {', '.join(left_out):.200}, which is left out")
    if prompt.rewritten or negative.rewritten:
        notes.append(f"its prompt is read as {found.program:.40} reads it: {params.prompt:.200}")
    named = {"Schedule type": schedule} if schedule and spacing is None else {}
    others = found.others | named
    others |= {"left out": ", ".join(left_out)} if left_out else {}
    details: dict[str, Any] = {OTHERS: others} if others else {}
    skipped = ModelAdditions(clip_skip=found.clip_skip)
    record = Record(
        kind="picture",
        params=params,
        version=found.program,
        details=details,
        additions=skipped,
        files=_files_of(found, params, loras),
    )
    return record, [verbatim(" ".join(note.split())) for note in notes]


def _files_of(
    found: ForeignSettings, params: ResolvedParams, loras: Iterable[LoraTag]
) -> list[RememberedFile]:
    """The LoRAs and embeddings of another program's picture, with the hashes that it says."""
    hashes = {(kind, name.lower()): hashed for (kind, name), hashed in found.hashes.items()}
    files = []
    for name in dict.fromkeys(tag.name for tag in loras):
        known = hashes.get(("lora", name.lower()), "")  # of the file, or of its content
        if known.startswith(BLAKE3):
            blake3 = known.removeprefix(BLAKE3)
            files.append(RememberedFile(kind="lora", name=name, blake3=blake3))
            continue
        files.append(RememberedFile(kind="lora", name=name, sha256=known, content_sha256=known))
    said = [name for kind, name in found.hashes if kind == "embedding"]
    said += embeddings_named(f"{params.prompt}\n{params.negative}")
    for name in {each.lower(): each for each in reversed(said)}.values():
        known = hashes.get(("embedding", name.lower()), "")
        files.append(RememberedFile(kind="embedding", name=name, sha256=known))
    return files


def _own(found: ForeignSettings, pairs: Mapping[str, str], source: str) -> Record:
    """A record of our own text, whose JSON was lost."""
    found.reads = ForeignPrompt
    own = {
        "combine": pairs.get("Ensemble", "mean"),
        "guidance_rescale": float(pairs.get("CFG rescale", 0)),
        "timestep_spacing": pairs.get("Timestep spacing"),
        "zero_snr": pairs.get("Zero SNR") == "True",
    }
    params = _params(found, {}, source).but(**own)
    return Record(
        kind="picture",
        params=params,
        model=pairs.get("Model", ""),
        model_hash=pairs.get("Model hash", ""),
        version=pairs["Version"],
        additions=ModelAdditions(clip_skip=found.clip_skip),
        files=_files_of(found, params, loras_in(params.prompt)),
    )


def _params(found: ForeignSettings, lacking: Iterable[str], source: str) -> ResolvedParams:
    """The parameters of a picture of another program.

    Raises:
        ImageError: Some are missing, or mean nothing here.
    """
    values = found.values
    missing = [*([] if "steps" in values else ["Steps"]), *lacking]
    if missing:
        raise ImageError(f"{verbatim(source)} does not say its {', '.join(missing)}: paint anew")
    if found.start:
        raise ImageError(
            f"{verbatim(source)} was painted over a picture that it does not name: paint anew"
        )
    sampler, _ = sampler_named(str(values["sampler"]))
    if sampler is None:
        raise ImageError(
            f"{verbatim(source)} needs the sampler {str(values['sampler'])!r:.80}, which is not "
            "known here: paint anew"
        )
    prompt, negative = found.prompts()
    return ResolvedParams(
        prompt=prompt.text,
        negative=negative.text,
        seed=_whole(values["seed"]),
        steps=_whole(values["steps"]),
        guidance=float(text_of(values["guidance"])),
        size=Size(_whole(values["width"]), _whole(values["height"])),
        sampler=sampler,
        strength=1.0,
    )


def _whole(value: object) -> int:
    """A whole number of another program's. Raises `ValueError`."""
    text = text_of(value)
    return int(text.removesuffix(".0"))


def others_of(record: Record) -> dict[str, str]:
    """What another program's file says besides, and has no meaning here."""
    found = record.details.get(OTHERS)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
