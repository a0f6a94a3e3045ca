"""Every image file remembers how it was made, for people, for other tools and for `replay`.

Two texts: ``parameters`` in the form that AUTOMATIC1111's web UI made common, and ``digressions``,
JSON, which is exact and is read back. Of a file that has the first alone, or that another program
made, what is there is read (see `foreign`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from ..diffusion.names import A1111_SAMPLERS
from ..errors import ImageError, InputError, verbatim
from ..files import parsed
from ..geometry import Size
from ..images import ComposeName, Fit
from ..images.xmp import SourceType, marked
from ..prompts.foreign_syntax import ForeignPrompt
from .declare import Params, option
from .foreign import ForeignSettings, is_usual, sampler_named, spacing_named, text_of
from .infotext import NEGATIVE, pairs_line, quoted, settings_of
from .kinds import MAX_SEED, PaintedSize, Share
from .model_params import ModelAdditions
from .params import Enlargement, KeepParams, MaskFile, ResolvedParams, SourceFile
from .programs import settings_in

if TYPE_CHECKING:
    from ..models.base import Model

KEY = "digressions"
_DEEPEST = 64


def _check_json(value: dict[str, Any]) -> dict[str, Any]:
    """Raises `ValueError` for what JSON cannot keep: numbers beyond floats, endless nesting."""
    left: list[tuple[Any, int]] = [(value, 0)]
    while left:
        each, depth = left.pop()
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        if isinstance(each, dict):
            left += [(inner, depth + 1) for inner in each.values()]
        elif isinstance(each, (list, tuple)):
            left += [(inner, depth + 1) for inner in each]
        # So written that NaN fails too, and integers beyond every float.
        elif isinstance(each, (int, float)) and not abs(each) <= sys.float_info.max:
            raise ValueError("a number in it is beyond every float")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_check_json)]
"""Values that JSON gives back as they are."""


class Hires(Params):
    """How a picture was painted that its model cannot paint at once; see `generate.hires`.

    Attributes:
        painted: The size that was painted at once.
        compose: How that was brought to the picture's aspect.
        strength: Of the repainting in windows; ``None`` where it was enlarged alone.
    """

    painted: PaintedSize
    compose: ComposeName
    strength: Share | None = None


class Record(Params):
    """How one file was made.

    Attributes:
        kind: What made it; see `replay`.
        params: Of the picture, or of the first picture of whatever it is.
        model, model_hash: The name that the model was asked for by, and the SHA-256 of its weights.
            Empty when read from a file of another program, whose names mean nothing here; the first
            ten digits of the hash when read from one that lost its JSON.
        image, mask: Start picture and mask, or ``None``.
        fit: How the start picture was brought to the picture's aspect (see `images.fitting`).
        palette: What the masked area was filled with before it was painted (see `images.colour`),
            or ``None``.
        regions, region_softness: Where each prompt counts (see `images.masks`), or ``None``; the
            width of the edges.
        hires: How it was painted where its model cannot paint its size at once, or ``None``.
        keep: What of the start picture's file, or of the photo's, went along.
        enlarge, upscaler: How many times the painted picture was enlarged, and by what.
        dtype: What the networks computed in, such as ``"float16"``; empty of other programs' files.
        version: Of the program that wrote it.
        details: What only its kind knows, such as the grid of a mosaic.
        additions: What the model was loaded with beside its own files.
    """

    kind: str = option(..., "What made it.")
    params: ResolvedParams = option(..., "Of the picture.")
    model: str = option("", "The model's name.")
    model_hash: str = option("", "SHA-256 of its weights.")
    image: SourceFile | None = option(None, "The start picture.")
    mask: MaskFile | None = option(None, "The mask.")
    fit: Fit = option("cover", "How the start picture was brought to the picture's aspect.")
    palette: JsonObject | None = option(None, "What the masked area was filled with.")
    regions: list[dict[str, str]] | None = option(None, "Where each prompt counts.")
    region_softness: float = option(0.0, "The width of the regions' edges.", ge=0, le=0.5)
    hires: Hires | None = option(None, "How it was painted larger than its model paints.")
    keep: KeepParams = option(KeepParams(), "What of the start picture's file went along.")
    enlarge: Enlargement = option(1, "How many times it was enlarged.")
    upscaler: str | None = option(None, "What enlarged it.")
    dtype: str = option("", "What the networks computed in.")
    version: str = option("", "Of the program that wrote it.")
    details: JsonObject = option({}, "What only its kind knows.")
    additions: ModelAdditions = option(ModelAdditions(), "What the model was loaded with.")

    @property
    def source_type(self) -> SourceType:
        """What made the picture: AI alone, or over another picture."""
        return SourceType.TRAINED if self.image is None else SourceType.COMPOSITE

    def to_text(self) -> dict[str, str]:
        """As the texts of an image file, marked as made by AI."""
        own = {"parameters": a1111(self), KEY: json.dumps(self.json_object(), allow_nan=False)}
        return marked(own, self.source_type)


def dtype_name(model: Model) -> str:
    """What a model's networks compute in, as `Record.dtype` has it."""
    return str(model.dtype).removeprefix("torch.")


_NEEDED = {
    "sampler": "Sampler",
    "guidance": "CFG scale",
    "seed": "Seed",
    "width": "Size",
    "height": "Size",
}
_OTHERS = "other_program"


def a1111(record: Record) -> str:
    """The form that other tools read: prompt, negative prompt, then ``Key: value, ...``."""
    params = record.params
    started = record.image is not None
    pairs: dict[str, object] = {
        "Steps": params.steps,
        "Sampler": A1111_SAMPLERS[params.sampler],
        "CFG scale": params.guidance,
        "Seed": params.seed,
        "Size": params.size,
        "Model hash": record.model_hash[:10],
        "Model": quoted(record.model),
        "VAE": None if record.additions.vae is None else quoted(Path(record.additions.vae).name),
        "Clip skip": record.additions.clip_skip,
        "Denoising strength": params.strength if started else None,
        "Hires upscaler": record.upscaler,
        "CFG rescale": params.guidance_rescale or None,
        "Timestep spacing": params.timestep_spacing,
        "Zero SNR": params.zero_snr or None,
        "Ensemble": None if params.combine == "mean" else params.combine,
        "Regions": None if record.regions is None else len(record.regions),
        "Version": f"digressions {record.version}",
    }
    loras = [(Path(path).stem, strength) for path, strength in record.additions.loras()]
    lines = [" ".join([params.prompt, *(f"<lora:{name}:{much}>" for name, much in loras)])]
    if params.negative:
        lines.append(f"{NEGATIVE} {params.negative}")
    lines.append(pairs_line(pairs))
    return "\n".join(lines)


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


def _foreign(text: Mapping[str, str], source: str) -> tuple[Record, list[str]]:
    """A record of what is not our JSON: our own text without it, or another program's."""
    found, pairs = settings_in(text), dict[str, str]()
    if found is None:
        read = settings_of(text.get("parameters", ""))
        if read is None:
            raise ImageError(
                f"{verbatim(source)} does not say how it was made (no {KEY!r} text in it)"
            )
        found, pairs = read
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
    networks = [*found.networks, *prompt.networks, *negative.networks]
    schedule = found.schedule or sampler_named(str(found.values["sampler"]))[1]
    spacing = spacing_named(schedule)
    if spacing is not None:
        params = params.but(timestep_spacing=spacing)
    elif not is_usual(schedule):
        notes.append(
            f"it was painted with the noise schedule {schedule:.40}, which is not known here: the "
            "model steps through its own noise levels"
        )
    if networks:
        notes.append(f"it was painted with {', '.join(networks):.200}, which is left out")
    if prompt.rewritten or negative.rewritten:
        notes.append(f"its prompt is read as {found.program:.40} reads it: {params.prompt:.200}")
    named = {"Schedule type": schedule} if schedule and spacing is None else {}
    others = found.others | named
    others |= {"LoRA": ", ".join(networks)} if networks else {}
    details: dict[str, Any] = {_OTHERS: others} if others else {}
    version = pairs.get("Version", found.program)
    skipped = ModelAdditions(clip_skip=found.clip_skip)
    record = Record(
        kind="picture", params=params, version=version, details=details, additions=skipped
    )
    return record, [verbatim(" ".join(note.split())) for note in notes]


def _own(found: ForeignSettings, pairs: Mapping[str, str], source: str) -> Record:
    """A record of our own text, whose JSON was lost."""
    found.reads = ForeignPrompt
    own = {
        "combine": pairs.get("Ensemble", "mean"),
        "guidance_rescale": float(pairs.get("CFG rescale", 0)),
        "timestep_spacing": pairs.get("Timestep spacing"),
        "zero_snr": pairs.get("Zero SNR") == "True",
    }
    return Record(
        kind="picture",
        params=_params(found, {}, source).but(**own),
        model=pairs.get("Model", ""),
        model_hash=pairs.get("Model hash", ""),
        version=pairs["Version"],
        additions=ModelAdditions(clip_skip=found.clip_skip),
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
    found = record.details.get(_OTHERS)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
