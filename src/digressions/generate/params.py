"""`GenerationParams`: every parameter of a picture, declared once.

Name, type, range, help and where the default comes from stand here and nowhere else. Mosaics,
worlds, films and frames embed these groups.

    GenerationParams      as somebody asks for a picture: what is ``None`` is up to the model
        .resolved(...)
    ResolvedParams        nothing left open: the same values with the same weights paint the same

Nothing here needs torch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ..diffusion.names import SamplerName
from ..errors import InputError
from ..geometry import Size
from ..images import DEFAULT_UPSCALER, UPSCALERS, Fit, MaskAlpha
from ..prompts.scheduling import CombineName
from .declare import Params, declared, option
from .kinds import (
    Guidance,
    Named,
    NegativeText,
    PaintedSize,
    PictureInput,
    PictureSize,
    PromptText,
    Seed,
    Share,
    Steps,
    TypedSampler,
    TypedSpacing,
    UpscalerName,
)
from .presets import PresetName, PresetParams, preset_option

MOST_TIMES = 64  # a picture is enlarged by at most
MOST_ENLARGED = 16
LARGE = 512  # pixels of a side: fewer look broken on a screen
MaskedContent = Literal["noise", "original"]


Enlargement = Annotated[int, Field(ge=1, le=MOST_ENLARGED)]


class SourceFile(Params):
    """A file of the user's that a picture starts from, as the picture remembers it.

    Attributes:
        path: As it was given.
        sha256: Of the file, 64 hex digits.
    """

    path: str
    sha256: str


class MaskFile(SourceFile):
    """A mask of the user's, as the picture remembers it.

    Attributes:
        alpha: Which of its parts are painted, where its transparency says so.
    """

    alpha: MaskAlpha | None = None


class GenerationParams(Params):
    """Every parameter of a picture. ``None`` is up to the model, or as the help says."""

    prompt: PromptText = option(
        ..., "What to paint, like 'photo of a turtle' or 'a giraffe AND a frog'."
    )
    negative: NegativeText = option("", "What not to paint: one prompt. Needs a guidance above 1.")
    seed: Seed | None = option(
        None, "The same seed paints the same picture.", default_from="drawn at random"
    )
    size: PaintedSize | None = option(
        None,
        "WIDTHxHEIGHT in pixels, or one number for a square. What a model cannot paint at once is "
        "painted small and made large.",
        default_from="the model",
    )
    steps: Steps | None = option(
        None, "Denoising steps for the whole way from noise.", default_from="the model"
    )
    sampler: TypedSampler | None = option(None, "The sampler.", default_from="the model")
    guidance: Guidance | None = option(None, "Guidance scale; 1 is none.", default_from="the model")
    guidance_rescale: Share = option(
        0.0, "0 to 1: how much of the contrast that guidance adds is taken back."
    )
    combine: CombineName = option(
        "mean",
        "How prompts joined by AND become one picture; docs/ensembling.md explains each way.",
    )
    strength: Share | None = option(
        None,
        "0 to 1: how much of the start picture is noised away; 1 paints freely.",
        group="Start",
        default_from="the model",
    )
    masked_content: MaskedContent | None = option(
        None,
        "What the masked area starts from: noise alone, or the original picture with noise.",
        group="Start",
        default_from="noise at strength 1, else original",
    )
    timestep_spacing: TypedSpacing | None = option(
        None,
        "How the steps are spread over the noise levels; karras, exponential and simple are sigmas "
        "of k-diffusion and ComfyUI.",
        group="Sampling",
        default_from="the model; trailing where a masked area starts from noise",
    )
    zero_snr: bool = option(
        False,
        "Start at noise alone (zero terminal SNR), with trailing spacing; for v-prediction models.",
        group="Sampling",
    )

    def resolved(self, defaults: Mapping[str, Any], *, size: Size) -> ResolvedParams:
        """With everything that was open filled in.

        Args:
            defaults: The model's ``sampler``, ``steps``, ``guidance`` and ``strength``; see
                `models.base.Defaults.values`.
            size: Of the picture, where the user did not say.
        """
        values = {name: getattr(self, name) for name in GenerationParams.model_fields}
        given = {name: value for name, value in values.items() if value is not None}
        fallback: dict[str, Any] = {**defaults, "size": size}
        if self.seed is None:
            fallback["seed"] = random.SystemRandom().randrange(2**32)
        return ResolvedParams(**fallback | given)


class ResolvedParams(GenerationParams):
    """Parameters with nothing left open: what a picture is painted by and what its file keeps.

    ``prompt`` is any text: other programs paint without a word. Its choices, ``{cat|dog}``, are
    drawn from the seed wherever it is painted (`job.Job`).
    """

    prompt: str
    negative: str = declared(GenerationParams, "negative")
    seed: Seed
    size: PaintedSize
    steps: Steps
    sampler: SamplerName
    guidance: Guidance
    strength: Share


def fit_option() -> Any:
    """The parameter ``fit`` of a `Params` class."""
    return option(
        "cover",
        "How an image of another aspect is brought to that of the picture. cover: cut off what "
        "sticks out; contain: make the picture smaller, in the image's aspect; pad: keep all of "
        "the image, with the colours of its edges around it.",
        group="Start",
    )


def check_fit(fit: Fit, image: object) -> None:
    """Raises `InputError` for a way to fit a picture where there is none."""
    if fit != "cover" and image is None:
        raise InputError("`fit` is about a start picture, and needs an `image`")


def mask_alpha_option(group: str = "Start") -> Any:
    """The parameter ``mask_alpha`` of a `Params` class."""
    return option(
        None,
        "Take the mask from its transparency: which of its parts are white.",
        group=group,
        default_from="its colours count, and what is transparent is black",
    )


class KeepParams(Params):
    """What goes along from the file of a photo into what is made of it."""

    keep_exif: bool = option(
        False,
        "Keep what the camera wrote into the photo: time, place, lens. For others to see.",
        group="Output",
    )
    keep_icc: bool = option(
        False,
        "Write the picture in the photo's own colour profile, and keep that, instead of sRGB.",
        group="Output",
    )

    @property
    def wanted(self) -> list[str]:
        """The names of those that are asked for."""
        return [name for name in KeepParams.model_fields if getattr(self, name)]


class StartParams(Params):
    """The pictures that a painting starts from. Each is a path, a PIL image or an array."""

    image: PictureInput = option(None, "Paint over this picture.", group="Start", form="picture")
    fit: Fit = fit_option()
    mask: PictureInput = option(
        None,
        "Paint only where this picture, of the image's size, is white. All else of the image stays "
        "as it is, at its own size; `size` is what its masked area is painted at.",
        group="Start",
        form="picture",
    )
    mask_alpha: MaskAlpha | None = mask_alpha_option()
    palette: Named | None = option(
        None,
        "Colours to paint the masked area from, instead of what is in it: those of a picture, or "
        "such as 'navy,teal,#e0c080' from top to bottom.",
        group="Start",
    )
    region: list[Named] | None = option(
        None,
        "Where a prompt counts, one for each prompt: a mask file (white where it counts), or all, "
        "left, right, top, bottom, middle.",
        group="Start",
    )
    region_softness: float = option(
        0.1, "Width of the regions' edges, in shorter sides.", group="Start", ge=0, le=0.5
    )
    keep: KeepParams = KeepParams()


def upscaler_option(group: str = "Output") -> Any:
    """The parameter ``upscaler`` of a `Params` class."""
    names = ", ".join(UPSCALERS)
    return option(
        DEFAULT_UPSCALER,
        f"What enlarges: {names}, a .safetensors file, or the name of one in `models`.",
        group=group,
    )


class OutputParams(Params):
    """What may become of the files that are at the output already."""

    overwrite: bool = option(
        False, "Replace what is at the output, whatever made it.", group="Output"
    )


class EnlargeParams(Params):
    """How painted pictures are enlarged."""

    enlarge: Enlargement | None = option(
        None,
        "Enlarge each picture this many times; 1 leaves it as it was painted.",
        group="Output",
        default_from=f"to {LARGE} px or more, for a model of fewer, without `size` or `mask`",
    )
    upscaler: UpscalerName = upscaler_option()

    def times(self, size: Size, *, given: bool) -> int:
        """How many times pictures of a size are enlarged.

        Args:
            given: Whether the user chose the size, or gave a mask around which pixels are kept,
                and so has what was asked for.
        """
        if self.enlarge is not None:
            return self.enlarge
        return 1 if given else min(MOST_ENLARGED, math.ceil(LARGE / max(size)))

    def check(self, *, sized: bool) -> None:
        """Raises `InputError` for an upscaler where nothing is enlarged, whatever the model.

        Args:
            sized: As ``given`` of `times`.
        """
        if "upscaler" in self.model_fields_set and self.enlarge == 1 and not sized:
            raise InputError("`upscaler` does nothing with `enlarge` 1: give one of them")


class PaintSpec(PresetParams):
    """Pictures that differ only in their seeds."""

    params: GenerationParams
    start: StartParams
    larger: EnlargeParams
    n: int = option(1, "How many, with seeds one after the other.", group="Output", ge=1, le=9999)
    preset: PresetName | None = preset_option()


class UpscaleSpec(Params):
    """How to enlarge a picture: by a factor, or to fit a size."""

    times: float | None = option(
        None,
        "How many times as wide and high.",
        group="Output",
        default_from="4, if no size is given",
        gt=1,
        le=MOST_TIMES,
    )
    size: PictureSize | None = option(
        None, "WIDTHxHEIGHT in pixels to fit into, instead of `times`.", group="Output"
    )
    upscaler: UpscalerName = upscaler_option()
    keep: KeepParams = KeepParams()

    def size_for(self, picture: Size) -> Size:
        """The size that a picture of a size gets.

        Raises:
            InputError: Both ``times`` and ``size`` are given, or the result is not larger.
        """
        if self.times is not None and self.size is not None:
            raise InputError("`times` and `size` are two ways to say one thing: give one of them")
        times = 4.0 if self.times is None else self.times
        if self.size is not None:
            times = min(self.size.width / picture.width, self.size.height / picture.height)
            if not 1 < times <= MOST_TIMES:
                raise InputError(
                    f"`size` {self.size} is {times:.3g} times {picture}: more than 1 and at most "
                    f"{MOST_TIMES}"
                )
        return Size(*(max(1, round(side * times)) for side in picture))
