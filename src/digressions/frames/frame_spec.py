"""`FrameSpec`: every parameter of a picture in a frame, declared once. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from ..errors import InputError
from ..generate.declare import Params, declared, option
from ..generate.kinds import (
    DEFAULT_SEED,
    PictureInput,
    PromptText,
    Seed,
    Share,
    UpscalerName,
)
from ..generate.params import (
    GenerationParams,
    KeepParams,
    StartParams,
    mask_alpha_option,
    upscaler_option,
)
from ..images import ComposeName, MaskAlpha
from ..images.colour import PALETTE_STRENGTH
from ..prints.print_job import PrintJob
from ..prints.print_spec import PrintSpec
from ..prompts.slips import check_quoted, check_typed
from .frame_kinds import AUTO, Counts, Numbers, Openings, Palettes, Pictures, Prompts, Rooms

MAX_REFINED = 4.0
REFINED = 2.0  # sizes of the model, if nobody says
ROOM = 0.25  # around an opening, as a model sees it; see `scene.layout`
EXPLAIN_PICTURES = 6  # of each kind, if not said: enough to tell a tenth of a cause from chance
MIN_EXPLAIN_PICTURES = 3
NO_PALETTE = "none"
_NOT_EXPLAINED = ("size", "refine", "pick", "strength", "masked_content", "compose")
PrintedAs = Literal["pdf", "tif", "png", "jpg"]


def check_enough(pictures: int) -> None:
    """Raises `InputError` for too few pictures of each kind to tell chance from cause."""
    if pictures < MIN_EXPLAIN_PICTURES:
        raise InputError(
            f"`n` {pictures}: so few pictures of each kind cannot tell a cause from chance: give "
            f"at least {MIN_EXPLAIN_PICTURES}"
        )


class FramePaintParams(GenerationParams):
    """How pictures for frames are painted. Each frame has its own prompt, and the size follows from
    the frame and the model, so neither is a parameter here."""

    hidden = frozenset({"prompt", "size"})

    prompt: str = ""
    seed: Seed | None = declared(GenerationParams, "seed", default_from=f"{DEFAULT_SEED}")
    strength: Share | None = declared(
        GenerationParams, "strength", default_from=f"1; {PALETTE_STRENGTH:g} with a `palette`"
    )


class RefineParams(Params):
    """How the picture is repainted before it is enlarged."""

    refine: PromptText | None = option(
        None,
        "Repaint the picture with this prompt, larger.",
        group="Frame",
        default_from="it is left as it is",
    )
    refine_strength: Share | None = option(
        None,
        "0 to 1: how freely `refine` paints over it.",
        group="Frame",
        default_from="0.5 where the model paints it at once, less the smaller its windows are",
    )
    refine_scale: float | None = option(
        None,
        f"1 to {MAX_REFINED:g}: the size of the repainted picture, in sizes of the model.",
        group="Frame",
        default_from=f"{REFINED:g}; 1 for models of few pixels, which cannot paint parts",
        ge=1,
        le=MAX_REFINED,
    )


class FramePrintSpec(PrintSpec):
    """The printer's file that comes with the picture; see `PrintSpec`.

    ``size`` is the paper. Nothing is printed where it is empty; ``upscaler`` also enlarges the
    picture for the photo.
    """

    size: str = option(
        "",
        "Also make a file for the printer, of this paper as cut: 21x29.7cm, 8x10in, A4.",
        group="Paper",
        default_from="none",
    )
    print_as: PrintedAs = option("pdf", "The kind of the printer's file.", group="Paper")
    upscaler: UpscalerName = upscaler_option(group="Output")

    @property
    def suffix(self) -> str:
        """Of the printer's file."""
        return f".{self.print_as}"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size:
            self.sheet(1.0, turned=True)
        return self

    def check_idle(self) -> None:
        """Raises `InputError` for a parameter of a print that is not asked for."""
        for name, info in PrintSpec.model_fields.items():
            if name not in ("size", "upscaler") and getattr(self, name) != info.default:
                raise InputError(f"`{name}` is about the print, and needs `size`, the paper")
        if self.print_as != "pdf":
            raise InputError("`print_as` is about the print, and needs `size`, the paper")

    def for_aspect(self, aspect: float) -> PrintJob | None:
        """The print of a picture of an aspect (width / height); ``None`` where there is none.

        The paper lies as the picture does, where ``size`` does not say how.
        """
        return self.job(aspect, turned=True) if self.size else None


class FrameSpec(Params):
    """What to do with the frames in a photo: find them, hang pictures, or paint some for them."""

    prompts: Prompts = option(
        [],
        "What to paint into the surest frame; several go in the order of the frames' numbers.",
    )
    params: FramePaintParams
    palette: Palettes | None = declared(
        StartParams,
        "palette",
        help="Colours to paint the frame from, instead of what is in it: those of a picture, or "
        "such as 'navy,teal,#e0c080' from top to bottom. Once for all frames, or once for each; "
        f"{NO_PALETTE} for one without.",
    )
    frame: Numbers | None = option(
        None,
        "The number of a frame, as `find` shows it; once for each prompt or picture.",
        group="Frame",
        default_from="the surest ones",
    )
    corners: Openings | None = option(
        None,
        "Corners of an opening in pixels: x,y x,y x,y x,y; once for each, which numbers them.",
        group="Frame",
        default_from="frames are found",
    )
    mask: PictureInput = option(
        None,
        "A picture of the photo's size: white where the opening is, black where something stands "
        "in front of it.",
        group="Frame",
        default_from="frames are found",
        form="picture",
    )
    mask_alpha: MaskAlpha | None = mask_alpha_option("Frame")
    snap: bool = option(False, "Take the nearest standard aspect where it fits.", group="Frame")
    room: Rooms | None = option(
        None,
        "0 to 1: width of the border of room that the model sees, as a share of the opening's "
        f"shorter side. Once for all frames, or once for each; {AUTO} for one as usual.",
        group="Frame",
        default_from=f"{ROOM:g}; 0 for models of few pixels",
    )
    compose: ComposeName = option(
        "auto",
        "How a frame gets one thing that the model would repeat in so wide or tall a picture: "
        "extend: painted on a square, and its ground carried on; crop: cut from the square; "
        "stretch: painted in the frame's own aspect; auto: whatever loses less.",
        group="Frame",
    )
    n: Counts | None = option(
        None,
        "Candidates of a frame, on a contact sheet: once for all frames, or once for each. With "
        "`explain`, pictures of each kind.",
        group="Frame",
        default_from=f"1; {EXPLAIN_PICTURES} with `explain`",
    )
    pick: Numbers | None = option(
        None,
        "Finish this candidate; once for all frames, or once for each.",
        group="Frame",
        default_from="with several candidates, a contact sheet is shown",
    )
    refining: RefineParams
    find: bool = option(False, "Draw the frames that are found, and write a JSON.", group="Frame")
    insert: Pictures | None = option(
        None,
        "Hang this picture instead; once for each frame.",
        group="Frame",
        default_from="one is painted",
        form="picture",
    )
    explain: bool = option(
        False,
        "Find out what pulls the colours: many paintings, a chart, words.",
        group="Frame",
    )
    paper: FramePrintSpec
    keep: KeepParams = KeepParams()

    @property
    def seed(self) -> int:
        """Of the first candidate of the first frame."""
        return DEFAULT_SEED if self.params.seed is None else self.params.seed

    @property
    def explain_pictures(self) -> int:
        """Pictures of each kind, by which `explain` tells what pulls the colours."""
        return self.n[0] if self.n else EXPLAIN_PICTURES

    def check(self) -> None:
        """Refuses parameters that contradict each other or would do nothing.

        Raises:
            InputError: The first of them.
        """
        if not (self.find or self.insert or self.prompts):
            raise InputError(
                "say what to do: a prompt paints into the surest frame, `find` draws the frames, "
                "`insert` hangs a picture"
            )
        check_quoted(self.prompts)
        for name in ("palette", "room", "n") if self.explain else ():
            if len(getattr(self, name) or []) > 1:
                raise InputError(f"`explain` is about one frame, and takes one `{name}`")
        for text in self.prompts:
            check_typed(text, "prompts", instead="insert")  # lists are in it by now
        if self.explain and len(self.prompts) != 1:
            raise InputError("`explain` needs one prompt: what to paint into the frame")
        if self.explain:
            check_enough(self.explain_pictures)
        if self.insert and self.prompts:
            raise InputError("a prompt and `insert` both say what to hang: give one of them")
        if self.corners is not None and self.mask is not None:
            raise InputError("`corners` and `mask` both say where the opening is: give one of them")
        if self.mask_alpha is not None and self.mask is None:
            raise InputError("`mask_alpha` is about a `mask`, and needs one")
        if self.palette is not None and self.params.masked_content == "noise":
            raise InputError("`masked_content` noise would forget the `palette`: give one of them")
        self._check_idle()
        if not self.paper.size:
            self.paper.check_idle()

    def _check_idle(self) -> None:
        """Refuses what would do nothing."""
        painting = (self.params, self.refining, self.paper)
        given = [
            name
            for group in painting
            for name, info in type(group).flat_fields().items()
            if getattr(group, name) != info.default
        ]
        others = ("palette", "room", "n", "pick", "explain")
        given += [name for name in others if getattr(self, name) not in (None, False)]
        given += ["compose"] if self.compose != "auto" else []
        for name in self.keep.wanted if not (self.prompts or self.insert) else ():
            raise InputError(f"`{name}` is about the room with pictures in it: hang or paint one")
        for name in self.keep.wanted if self.explain else ():
            raise InputError(f"`{name}` does nothing with `explain`: give one of them")
        printed = FramePrintSpec.flat_fields() if self.insert else {}
        for name in given:
            if not self.prompts and name in printed:
                if self.paper.size:
                    continue
                raise InputError(f"`{name}` is about the print, and needs `size`, the paper")
            if not self.prompts:
                raise InputError(f"`{name}` is about painted pictures, and needs a prompt")
            if self.explain and name in _NOT_EXPLAINED:
                raise InputError(f"`{name}` does nothing with `explain`: give one of them")
        if self.refining.refine is None and self.refining != RefineParams():
            raise InputError(
                "`refine_strength` and `refine_scale` are about `refine`, and need its prompt"
            )

    def source_files(self) -> list[Path]:
        """The user's files that pictures are made of, besides the photo."""
        given = [self.mask, *(self.palette or []), *(self.insert or [])]
        return [Path(each) for each in given if isinstance(each, (str, Path))]
