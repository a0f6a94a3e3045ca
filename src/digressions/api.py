"""The front door for Python: what ``import digressions as dg`` offers.

>>> import digressions as dg
>>> model = dg.load()
>>> picture = dg.paint(model, "photo of a frog", seed=1)
>>> picture.save("frog.png")

Wherever a picture is taken, it may be a path, a PIL image, a `Picture`, or an array ``(H, W, 3)``,
uint8 or floats in 0..1. Keyword parameters are those of the specs, by the same names as the options
of the command line. What a command line would note becomes a warning; what is wrong raises a
`DigressionsError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .ensembles.ensemble_spec import EnsembleSpec
from .errors import InputError
from .events import Event
from .files import output_path
from .frames.frame_spec import FrameSpec
from .generate.kinds import check_model
from .generate.params import KeepParams, PaintSpec, UpscaleSpec
from .generate.results import finish, pictures_among, warn
from .generate.signatures import takes
from .mosaics.build_params import BuildParams
from .mosaics.mosaic_spec import MosaicSpec
from .prints.print_spec import PrintSpec
from .worlds.world_spec import FilmSpec

if TYPE_CHECKING:
    from .distributed.executor import Executor
    from .frames.find import Frame
    from .generate.pictures import MadePicture, Picture
    from .images.source_image import PictureLike
    from .models.base import Model


@overload
def paint(model: Model, prompt: str, *, n: None = None, **parameters: Any) -> Picture: ...
@overload
def paint(model: Model, prompt: str, *, n: int, **parameters: Any) -> Iterator[Picture]: ...
@takes(PaintSpec)
def paint(
    model: Model, prompt: str, *, n: int | None = None, **parameters: Any
) -> Picture | Iterator[Picture]:
    """Paints a picture, or several.

    Args:
        model: What `load` gave.
        prompt: What to paint, in the prompt language.
        n: How many, with seeds one after the other, as an iterator; one picture if not given.
        parameters: Those of `PaintSpec`: ``negative``, ``seed``, ``size``, ``steps``, ``sampler``,
            ``guidance``, ``image``, ``mask``, ``strength``, ``palette``, ``enlarge``, ...

    Raises:
        InputError, PromptError, ImageError: Something cannot be painted, before anything is.
    """
    from .generate.pictures import paint_pictures

    check_model(model)
    spec = PaintSpec.of(prompt=prompt, n=1 if n is None else n, **parameters)
    found = pictures_among(paint_pictures(model, spec))
    return found if n is not None else next(found)


@takes(EnsembleSpec, instead="prompt")
def ensemble(
    model: Model,
    prompts: Iterable[str],
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    **parameters: Any,
) -> Iterator[Event]:
    """Paints several prompts as one picture, or compares ways of combining them.

    Args:
        prompts: Two or more, or concepts for ``both_ways``.
        output: The file; a free name after ``out/PROMPTS.png`` if not given.
        overwrite: Whether what is at ``output`` may go, whatever made it.
        parameters: Those of `EnsembleSpec`: ``combine``, ``weights``, ``compare``, ``sweep``, ...
    """
    from .ensembles.ensemble import paint_ensemble

    check_model(model)
    if isinstance(prompts, str):
        raise InputError("`prompts` are several texts: a list of them, not one text")
    texts = list(prompts)
    spec = EnsembleSpec.of(prompts=texts, **parameters)
    return paint_ensemble(model, spec, _output(output), overwrite=overwrite)


@takes(MosaicSpec)
def mosaic(
    model: Model,
    prompt: str,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    making: BuildParams | Mapping[str, Any] | None = None,
    executor: Executor[Model] | None = None,
    **parameters: Any,
) -> Iterator[Event]:
    """Paints a picture made of pictures into a folder, or continues one that was begun.

    Args:
        prompt: Of the base image and, where ``cell_prompt`` does not say otherwise, of its cells.
        output: The folder; ``out/PROMPT`` if not given, with a number where that is another's.
        overwrite: Whether what is in ``output`` may go, whatever made it.
        making: Batch size and extra files, which change nothing in the pictures: a `BuildParams`,
            or its parameters by name.
        executor: Whose workers paint; this process if not given. See `distributed`.
        parameters: Those of `MosaicSpec`: ``image``, ``grid``, ``strength``, ``band``, ...
    """
    from .mosaics.build import build

    check_model(model)
    spec = MosaicSpec.of(prompt=prompt, **parameters)
    how = BuildParams.of(**making) if isinstance(making, Mapping) else making
    return build(model, spec, _output(output), how, overwrite=overwrite, executor=executor)


@takes(FilmSpec)
def film(
    model: Model,
    prompt: str,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    executor: Executor[Model] | None = None,
    **parameters: Any,
) -> Iterator[Event]:
    """Makes a film that falls into a picture made of pictures and comes out where it began.

    Args:
        output: ``.mp4``, ``.webm``, ``.gif``, ``.webp``, or a folder for PNGs; a free name after
            ``out/PROMPT.mp4`` if not given.
        overwrite: Whether what is at ``output`` may go, whatever made it.
        executor: Whose workers paint; this process if not given.
        parameters: Those of `FilmSpec`: ``levels``, ``seconds``, ``frame_size``, ``grid``, ...
    """
    from .worlds.film import make_film

    check_model(model)
    spec = FilmSpec.of(prompt=prompt, **parameters)
    return make_film(model, spec, _output(output), overwrite=overwrite, executor=executor)


def find_frames(photo: PictureLike, *, focal_35mm: float | None = None) -> list[Frame]:
    """The picture frames in a photo, the surest first.

    `fill_frames` numbers them in another order: by place, see `frames.choosing.numbered`.

    Args:
        photo: A photo of a wall.
        focal_35mm: Focal length in millimetres of 35 mm film; of a photo file, what that says, if
            not given.

    Returns:
        Frames, each with ``opening`` and ``outer`` quads in pixels, ``aspect`` and ``score``.
    """
    from .frames.find import find_frames as found
    from .images.image_files import focal_length
    from .images.source_image import as_array

    if focal_35mm is None and isinstance(photo, (str, Path)):
        focal_35mm = focal_length(photo)
    return found(as_array(photo), focal_35mm)


@takes(FrameSpec)
def fill_frames(
    model: Model,
    photo: PictureLike,
    *prompts: str,
    output: str | Path | None = None,
    overwrite: bool = False,
    **parameters: Any,
) -> Iterator[Event]:
    """Paints pictures into the frames of a photo: candidates, the finished room, a print; or finds
    the frames (``find``), hangs pictures of your own (``insert``), explains colours (``explain``).

    Args:
        photo: A photo of a wall.
        prompts: What to paint, one for each frame; the surest frames if ``frame`` names none.
        output: The folder; ``out/PHOTO-frame`` if not given, with a number where its pictures are
            others.
        overwrite: Whether what is in ``output`` may go, whatever made it.
        parameters: Those of `FrameSpec`: ``n``, ``pick``, ``refine``, ``size`` of the paper, ...
    """
    from .frames.framing import use_frames

    check_model(model)
    spec = FrameSpec.of(prompts=list(prompts), **parameters)
    return use_frames(model, photo, spec, _output(output), overwrite=overwrite)


@takes(KeepParams)
def hang(photo: PictureLike, frame: Frame, picture: PictureLike, **parameters: Any) -> MadePicture:
    """Hangs a picture in a frame of a photo, in the room's light and behind the glass's
    reflections.

    Args:
        photo: The photo that the frame was found in.
        frame: One of `find_frames`.
        picture: Any picture; it is cut to the frame's aspect.
        parameters: Those of `KeepParams`: ``keep_exif``, ``keep_icc``.

    Raises:
        InputError: It is no such frame, or lies outside the photo.
    """
    from .frames.choosing import notes_on_hanging
    from .frames.inserting import check_frame, hang_picture
    from .generate.keeping import kept_of, notes_on_keeping
    from .generate.metadata import KEY
    from .generate.pictures import MadePicture
    from .images.source_image import source_image

    check_frame(frame)
    wall, own = source_image(photo, "photo"), source_image(picture)
    keep = KeepParams.of(**parameters)
    hanging = notes_on_hanging(own, frame, "the frame")
    for note in [*wall.notes(), *notes_on_keeping(wall, keep), *hanging]:
        warn(note, 1)
    painted = getattr(picture, "text", {})  # how one of our pictures was painted
    pixels, text = hang_picture(wall, frame, own, keep=keep, text=painted)
    text |= {key: painted[key] for key in (KEY,) if key in painted}
    return MadePicture(pixels, text, kept_of(wall, keep))


@takes(PrintSpec)
def print_file(
    picture: PictureLike, output: str | Path, *, overwrite: bool = False, **parameters: Any
) -> Path:
    """Makes a file for a printer, of an exact size.

    Args:
        output: ``.pdf``, ``.tif``, ``.png`` or ``.jpg``.
        overwrite: Whether what is there may go, whatever made it.
        parameters: Those of `PrintSpec`: ``size``, which is needed, ``dpi``, ``bleed``, ``mat``,
            ``icc``, ``proof``, ...

    Returns:
        Where it is.
    """
    from .prints.printing import print_picture

    path = output_path(output)
    text = getattr(picture, "text", None)  # what one of our pictures remembers
    spec = PrintSpec.of(**parameters)
    finish(print_picture(picture, spec, path, text=text, overwrite=overwrite))
    return path


@takes(UpscaleSpec)
def upscale(
    picture: PictureLike, output: str | Path, *, overwrite: bool = False, **parameters: Any
) -> Path:
    """Enlarges a picture.

    Args:
        output: ``.png``, ``.jpg``, ``.webp`` or ``.tif``.
        overwrite: Whether what is there may go, whatever made it.
        parameters: Those of `UpscaleSpec`: ``times`` or ``size``, and ``upscaler``.

    Returns:
        Where it is.
    """
    from .generate.upscaling import upscale_picture

    path = output_path(output)
    text = getattr(picture, "text", None)
    spec = UpscaleSpec.of(**parameters)
    finish(upscale_picture(picture, spec, path, text=text, overwrite=overwrite))
    return path


def _output(given: str | Path | None) -> Path | None:
    return None if given is None else output_path(given)
