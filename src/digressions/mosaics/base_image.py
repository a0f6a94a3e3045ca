"""The picture that a mosaic is made of, painted or the user's own, at 8 pixels a cell."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..events import Event, Note, Preview, Progress, Saved, completed
from ..generate.declare import Params
from ..generate.found_files import used_files
from ..generate.job import check, job_of
from ..generate.kinds import DEFAULT_SEED, PaintedSize, PictureSize
from ..generate.metadata import Record
from ..generate.paint import Painted, paint_jobs
from ..generate.params import GenerationParams, ResolvedParams
from ..generate.previews import PaintPreviews
from ..generate.replay import ReplayRequest, replays_kind
from ..generate.resolving import resolve
from ..generate.start import Inputs, inputs_of, record_for
from ..geometry import Size
from ..images import Fit
from ..images.fitting import cut_note, padded
from ..images.image_files import check_suffix, cover, resample, to_array, write_image
from ..images.source_image import SourceImage
from ..images.upscale import check_upscaler, enlarge, load_upscaler
from ..models.base import Model
from .cell_shape import shape_for
from .mosaic_spec import ToneName
from .tone import Crowded, crowded, with_room

KIND = "base image"


def base_params(model: Model, params: GenerationParams, aspect: float = 1.0) -> ResolvedParams:
    """The parameters that a base image of an aspect is painted by: in that aspect, or as a square
    that gets ground around it, by a model of squares alone."""
    own = GenerationParams(
        prompt=params.prompt,
        negative=params.negative,
        seed=DEFAULT_SEED if params.seed is None else params.seed,
        combine=params.combine,
        timestep_spacing=params.timestep_spacing,
        zero_snr=params.zero_snr,
    )
    wide = aspect != 1 and not model.defaults.squares_only
    return resolve(model, own, size=shape_for(model, aspect) if wide else None)


@dataclass(frozen=True, eq=False)
class BaseImage:
    """The picture that a mosaic is made of: painted from a prompt, or the user's own.

    Attributes:
        record: How it is painted, of kind ``"picture"``; where it names an image, nothing is.
        start: The user's own picture, or ``None``.
        upscaler: What enlarges it to 8 pixels a cell.
        tone: Whether it is then given room for cells.
    """

    record: Record
    start: SourceImage | None
    upscaler: str
    tone: ToneName = "off"

    @property
    def image(self) -> np.ndarray | None:
        """``(H, W, 3)`` uint8 of the user's own picture, or ``None``."""
        return None if self.start is None else self.start.pixels

    def notes(self, whole: Size, to: str, mend: str) -> list[Note]:
        """What a user should know of what is not taken from the user's own picture.

        Args:
            whole: What has the aspect that it is brought to.
            to: The same in words.
            mend: What would keep all of the picture, in words.
        """
        if self.start is None:
            return []
        found = self.start.notes()
        if self.record.fit == "cover":
            own = Size(self.start.pixels.shape[1], self.start.pixels.shape[0])
            found += cut_note(self.start.name, own, whole.width / whole.height, to, mend)
        return found

    @property
    def identity(self) -> dict[str, Any]:
        """What tells it from other base images, wherever its files are, in JSON's values. The model
        and the upscaler are not in it."""
        if self.record.image is not None:
            padded = {"fit": "pad"} if self.record.fit == "pad" else {}
            return {"image": self.record.image.sha256, "tone": self.tone} | padded
        return {"params": self.record.params.json_object(), "tone": self.tone}

    def record_at(self, size: Size, whole: Size) -> Record:
        """What a file of it remembers that is enlarged to a size; see `making_base_image`."""
        details: dict[str, Any] = {"enlarged": [*size], "tone": self.tone}
        if not _alike(size, whole):
            details["whole"] = [*whole]
        return self.record.but(kind=KIND, upscaler=self.upscaler, details=details)


class ToneParams(Params):
    """What the record of whatever has a base image says of its tone."""

    tone: ToneName


class BaseDetails(Params):
    """What a record of kind ``"base image"`` says besides: its size, once enlarged, what has its
    aspect where that has not, and its tone."""

    enlarged: PaintedSize
    whole: PictureSize | None = None
    tone: ToneName = "off"


def base_image_of(
    model: Model,
    params: GenerationParams,
    start: SourceImage | None,
    upscaler: str,
    fit: Fit = "cover",
    tone: ToneName = "off",
    aspect: float = 1.0,
    **prompts: Sequence[str],
) -> BaseImage:
    """The base image that is asked for.

    Args:
        model: Paints it.
        params: Of the mosaic; see `mosaic_spec.MosaicSpec`.
        start: The user's own picture, or ``None``.
        upscaler: What enlarges it.
        fit: How the user's own picture comes to the aspect.
        tone: Whether it is given room for cells.
        aspect: Width / height of what it becomes.
        prompts: Others, of what is made of it, by the parameters that they are given by.
    """
    own = base_params(model, params, aspect if start is None else 1.0)
    record = record_for(model, own, Inputs(image=start, fit=fit))
    record = record.but(
        files=used_files(model, prompt=[own.prompt], negative=[own.negative], **prompts)
    )
    return BaseImage(record, start, upscaler, tone)


def check_base_image(model: Model, base: BaseImage) -> None:
    """Raises what making it would raise, without painting."""
    if base.image is None:
        check(model, job_of(base.record.params))
    check_upscaler(base.upscaler)


def notes_on_base_image(
    base: BaseImage, asked: GenerationParams, *, cell_prompts: bool
) -> Iterator[Note]:
    """What a user should know of a base image for which not all that was asked for counts.

    Args:
        base: The base image.
        asked: As the user asks for the cells.
        cell_prompts: Whether the cells have prompts of their own.
    """
    if base.image is not None:
        if cell_prompts:
            yield Note(
                "the prompt paints nothing: the base image is `image`, and the cells show "
                "`cell_prompt`",
                "note",
            )
        return
    own = base.record.params
    for name in ("steps", "sampler", "guidance"):
        wanted, value = getattr(asked, name), getattr(own, name)
        if wanted not in (None, value):
            text = f"`{name}` {wanted} is for the cells: the base image is painted with {value}"
            yield Note(text, "note")


def making_base_image(
    model: Model,
    base: BaseImage,
    size: Size,
    whole: Size | None = None,
    previews: PaintPreviews | None = None,
) -> Generator[Progress | Preview, None, np.ndarray]:
    """Paints a base image, or takes the user's own, and brings it to exactly a size.

    What is smaller is enlarged by the upscaler; what is larger is filtered down. Its tones are left
    alone: see `toned`.

    Args:
        model: Paints it.
        base: What it is.
        size: Of the result, which has 8 x 8 values a cell whatever the cells' shape.
        whole: What has the aspect of the picture; ``size`` if not given.
        previews: As of `paint.paint_jobs`.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    image = base.image
    if image is None:
        for found in paint_jobs(model, [job_of(base.record.params)], previews=previews):
            if isinstance(found, Painted):
                image = to_array(found.image)
            elif isinstance(found, Progress):
                yield Progress("painting the base image", found.done, found.total)
            else:
                yield found
        assert image is not None
        if model.defaults.squares_only:
            image = padded(image, whole or size)
    elif base.record.fit == "pad":
        image = padded(image, whole or size)
    if whole is not None and not _alike(size, whole):
        own = largest(image.shape[1], image.shape[0], whole.width / whole.height)
        image = cover(image, *own)
        if own[0] >= size.width and own[1] >= size.height:
            return resample(image, *size)
    elif image.shape[1] >= size.width and image.shape[0] >= size.height:
        return cover(image, size.width, size.height)
    else:
        image = cover(image, *largest(image.shape[1], image.shape[0], size.width / size.height))
    return enlarge(image, size.width, size.height, load_upscaler(base.upscaler))


def make_base_image(
    model: Model, base: BaseImage, size: Size, whole: Size | None = None
) -> np.ndarray:
    """As `making_base_image`, all at once."""
    return completed(making_base_image(model, base, size, whole))


def toned(base: BaseImage, image: np.ndarray) -> tuple[np.ndarray, list[Note]]:
    """What `making_base_image` made, with room for cells where that is wanted, and what to say."""
    found = crowded(image) if base.tone == "auto" else Crowded(0.0, 0.0)
    room = with_room(image, found)
    return room, [] if room is image else [Note(str(found), "note")]


def _alike(one: Size, other: Size) -> bool:
    """Whether two sizes have one aspect."""
    return one.width * other.height == one.height * other.width


def largest(width: int, height: int, aspect: float) -> tuple[int, int]:
    """The largest size of an aspect inside another."""
    if width / height > aspect:
        return max(1, round(height * aspect)), height
    return width, max(1, round(width / aspect))


def remembered_base_image(record: Record) -> BaseImage:
    """The base image that a record of a mosaic, of a world's film or of a base image remembers.

    Raises:
        ImageError, InputError: The picture that it is made of cannot be read, or has changed.
    """
    return BaseImage(
        record.but(kind="picture", upscaler=None, details={}),
        inputs_of(record).image,
        record.upscaler or "lanczos",
        ToneParams.from_json_object({"tone": record.details.get("tone", "off")}).tone,
    )


@replays_kind(KIND)
def replay_base_image(request: ReplayRequest, model: Model, record: Record) -> Iterator[Event]:
    """The base image of a mosaic again."""
    details = BaseDetails.from_json_object(record.details)
    size = details.enlarged
    check_suffix(request.target, *size)
    base = remembered_base_image(record)
    check_base_image(model, base)
    yield Note(f"the base image of a mosaic, {size} px")
    image, notes = toned(base, (yield from making_base_image(model, base, size, details.whole)))
    yield from notes
    yield Saved(write_image(request.target, image, record.to_text()))
