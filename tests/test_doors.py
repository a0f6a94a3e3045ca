"""Every door leads to the same rooms: the command line, Python and replaying give one picture."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import digressions as dg
from digressions.cli.console import option_name
from digressions.ensembles.ensemble_spec import EnsembleSpec
from digressions.frames.frame_spec import FrameSpec
from digressions.generate.declare import Params
from digressions.generate.params import PaintSpec, UpscaleSpec
from digressions.generate.record_reading import record_of
from digressions.images.image_files import read_image, read_text, write_image
from digressions.models.base import Model
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.prints.print_spec import PrintSpec
from digressions.worlds.photo_world_spec import PhotoFilmSpec
from digressions.worlds.world_spec import FilmSpec

from .conftest import Ran, tree
from .walls import framed, stripes

Digress = Callable[..., Ran]
PROMPT = "photo of a frog"
QUICK: dict[str, Any] = {"size": 32, "steps": 2, "guidance": 2.0, "seed": 5}
PHOTO, MASK = "photo.png", "mask.png"
PICTURES: dict[str, dict[str, Any]] = {
    "text to image": {"negative": "a fox", "guidance_rescale": 0.5},
    "image to image": {"image": PHOTO, "strength": 0.6, "timestep_spacing": "leading"},
    "inpainting": {"image": PHOTO, "mask": MASK},
    "inpainting the original": {"image": PHOTO, "mask": MASK, "masked_content": "original"},
    "inpainting with a palette": {"image": PHOTO, "mask": MASK, "palette": "navy,#e0c080"},
    "prompts in regions": {"prompt": "a frog AND a fox", "region": ["left", "right"]},
    "enlarged": {"enlarge": 2, "upscaler": "lanczos"},
}


@pytest.fixture(autouse=True)
def _files(digress: Digress, photo: np.ndarray) -> None:
    """A photo and a mask of its middle, in the folder where commands run."""
    mask = np.zeros(photo.shape, np.uint8)
    mask[8:40, 12:52] = 255
    write_image(PHOTO, photo)
    write_image(MASK, mask)


def typed(parameters: dict[str, Any]) -> list[str]:
    """Parameters of Python as somebody types them."""
    found = []
    for name, value in parameters.items():
        for each in value if isinstance(value, list) else [value]:
            found += [option_name(name), *([] if each is True else [str(each)])]
    return found


@pytest.mark.parametrize("case", PICTURES)
def test_a_picture(digress: Digress, bundled: Model, photo: np.ndarray, case: str) -> None:
    parameters = QUICK | PICTURES[case]
    prompt = parameters.pop("prompt", PROMPT)
    ran = digress("paint", prompt, *typed(parameters), "-o", "a.png")
    assert ran.code == 0, ran.err
    assert digress("replay", "a.png", "-o", "b.png").code == 0
    picture = dg.paint(bundled, prompt, **parameters)
    assert record_of(read_text("a.png")) == record_of(read_text("b.png")) == picture.record
    assert np.array_equal(read_image("a.png"), picture.array)
    assert np.array_equal(read_image("b.png"), picture.array)
    if "image" in parameters:
        for same in (photo, Image.fromarray(photo), Path(PHOTO)):
            again = dg.paint(bundled, prompt, **parameters | {"image": same})
            assert np.array_equal(again.array, picture.array)


def test_several_pictures(digress: Digress, bundled: Model) -> None:
    assert digress("paint", PROMPT, *typed(QUICK), "-n", "2", "-o", "a.png").code == 0
    for picture in dg.paint(bundled, PROMPT, n=2, **QUICK):
        assert np.array_equal(read_image(f"a-{picture.params.seed}.png"), picture.array)


@pytest.mark.parametrize(
    ("function", "spec", "instead"),
    [
        (dg.paint, PaintSpec, set()),
        (dg.ensemble, EnsembleSpec, {"prompt"}),
        (dg.mosaic, MosaicSpec, set()),
        (dg.film, FilmSpec, set()),
        (dg.photo_film, PhotoFilmSpec, set()),
        (dg.fill_frames, FrameSpec, set()),
        (dg.print_file, PrintSpec, set()),
        (dg.upscale, UpscaleSpec, set()),
    ],
)
def test_a_signature_shows_what_is_declared(
    function: Callable[..., Any], spec: type[Params], instead: set[str]
) -> None:
    shown = inspect.signature(function).parameters
    declared = spec.flat_fields()
    assert declared.keys() - shown.keys() == instead
    for name in declared.keys() & shown.keys() - {"prompt", "prompts", "n", "tiles"}:
        field, parameter = declared[name], shown[name]
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert (parameter.default is parameter.empty) == field.is_required()
        assert field.is_required() or parameter.default == field.default
        assert "Annotated" not in str(parameter)


def test_one_text_is_not_several_prompts(bundled: Model) -> None:
    with pytest.raises(dg.InputError, match="prompts are several texts"):
        dg.ensemble(bundled, "frog")


def test_a_name_in_the_place_of_a_model_says_how_to_load_it() -> None:
    calls: list[Callable[[Any], object]] = [
        lambda model: dg.paint(model, PROMPT),
        lambda model: dg.ensemble(model, ["a frog", "a fox"]),
        lambda model: dg.mosaic(model, PROMPT),
        lambda model: dg.film(model, PROMPT),
        lambda model: dg.fill_frames(model, PHOTO, PROMPT),
        lambda model: dg.World.open(model, PROMPT),
    ]
    for call in calls:
        with pytest.raises(dg.InputError, match=r"digressions\.load\('bundled'\)"):
            call("bundled")


def test_numbers_of_numpy_and_any_sequence_are_taken(bundled: Model) -> None:
    usual = dg.paint(bundled, PROMPT, **QUICK)
    numbers = {"seed": np.int64(5), "steps": np.int32(2), "guidance": np.float32(2)}
    found = dg.paint(bundled, PROMPT, size=(np.int64(32), np.int64(32)), **numbers)
    assert found.record == usual.record
    assert np.array_equal(found.array, usual.array)
    spec = EnsembleSpec.of(
        prompts=("a frog", "a fox"), weights=np.array([1, 0.5]), region=("left", "right"), judge="a"
    )
    assert (spec.weights, spec.start.region, spec.judge) == ([1.0, 0.5], ["left", "right"], ["a"])
    assert FilmSpec.of(prompt=PROMPT, cell_prompt="a bee").world.cell_prompt == ["a bee"]
    assert FrameSpec.of(prompts="a frog", frame=np.int64(1)).frame == [1]
    for wrong in (np.array([1, 2]), np.float64(1.5), True, np.bool_(True)):
        with pytest.raises(dg.InputError, match="steps"):
            dg.paint(bundled, PROMPT, steps=wrong)


def test_how_a_mosaic_is_made_may_be_said_by_names(bundled: Model, tmp_path: Path) -> None:
    for making in ({}, {"batch_size": 4}, None):
        dg.mosaic(bundled, PROMPT, grid=2, making=making, output=tmp_path / "m")
    with pytest.raises(dg.InputError, match="batch_size 0 is out of range"):
        dg.mosaic(bundled, PROMPT, grid=2, making={"batch_size": 0})


def test_a_path_of_cells_is_a_sequence_of_numbers(bundled: Model, tmp_path: Path) -> None:
    with dg.World.open(
        bundled, PROMPT, grid=2, size=16, steps=1, upscaler="lanczos", cache=tmp_path / "w.sqlite"
    ) as world:
        wanted = world.picture((3,))
        for same in ([3], np.array([3]), (np.int64(3),), iter([3])):
            assert np.array_equal(world.picture(same), wanted)  # type: ignore[arg-type]
        for wrong in ("3", 3, (1.5,), None, ("3",)):
            with pytest.raises(dg.InputError, match="is no path of cells"):
                world.picture(wrong)  # type: ignore[arg-type]
            with pytest.raises(dg.InputError, match="is no path of cells"):
                world.canvas(wrong)  # type: ignore[arg-type]


def test_an_ensemble(digress: Digress, bundled: Model) -> None:
    prompts, ways = ["a frog", "a fox"], {"combine": "sum", "map": True}
    line = ("ensemble", *prompts, *typed(QUICK | ways), "--weights", "1,0.7")
    assert digress(*line, "-o", "a.png").code == 0
    events = dg.ensemble(bundled, prompts, weights=[1.0, 0.7], output="b.png", **QUICK | ways)
    assert dg.finish(events) == [Path("b.png"), Path("b-map.png")]
    assert digress("replay", "a.png", "-o", "c.png").code == 0
    for one, other in (("a.png", "b.png"), ("a.png", "c.png"), ("a-map.png", "b-map.png")):
        assert np.array_equal(read_image(one), read_image(other))


@pytest.mark.parametrize("start", [{}, {"image": PHOTO, "reuse": 3}], ids=["painted", "own"])
def test_a_mosaic(digress: Digress, bundled: Model, start: dict[str, Any]) -> None:
    parameters = QUICK | {"grid": "3x2", "upscaler": "lanczos", "cell_prompt": "a fox"} | start
    line = ("mosaic", PROMPT, *typed(parameters), "--batch-size", "6")
    assert digress(*line, "-o", "a").code == 0
    events = dg.mosaic(bundled, PROMPT, output="b", making=BuildParams(batch_size=6), **parameters)
    assert dg.finish(events) == [Path("b/index.html")]
    tiles = tree(Path("a/mosaic_files")).values()
    assert list(tiles) == list(tree(Path("b/mosaic_files")).values())
    for name in ("base.png", "preview.jpg"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_a_film(digress: Digress, bundled: Model) -> None:
    small = {"grid": 2, "levels": 1, "fps": 2, "seconds": 1.0, "frame_size": 32, "into": "3"}
    parameters = QUICK | small | {"image": PHOTO, "upscaler": "lanczos", "size": 16}
    assert digress("zoom", PROMPT, *typed(parameters), "-o", "a", "--cache", "a.db").code == 0
    assert dg.finish(dg.film(bundled, PROMPT, output="b", cache="b.db", **parameters))
    first, other = (sorted(Path(folder).glob("*.png")) for folder in "ab")
    assert len(first) == len(other) == 2
    for one, two in zip(first, other, strict=True):
        assert np.array_equal(read_image(one), read_image(two))


def test_a_picture_in_a_frame(digress: Digress) -> None:
    write_image("wall.png", framed())
    write_image("stripes.png", stripes())
    assert digress("frame", "wall.png", "--insert", "stripes.png", "-o", "a").code == 0
    (frame,) = dg.find_frames("wall.png")
    hung = dg.hang("wall.png", frame, "stripes.png")
    assert np.array_equal(read_image("a/room.png"), hung.array)


def test_a_picture_painted_for_a_frame(digress: Digress, bundled: Model) -> None:
    write_image("wall.png", framed())
    parameters = {"steps": 2, "guidance": 2.0, "seed": 5, "upscaler": "lanczos"}
    assert digress("frame", "wall.png", "a frog", *typed(parameters), "-o", "a").code == 0
    with pytest.warns(UserWarning, match="the photo does not show clearly how wide frame 1 is"):
        dg.finish(dg.fill_frames(bundled, "wall.png", "a frog", output="b", **parameters))
    for name in ("picture", "room"):
        assert digress("replay", f"a/{name}.png", "-o", "c.png", "--overwrite").code == 0
        for other in (f"b/{name}.png", "c.png"):
            assert np.array_equal(read_image(f"a/{name}.png"), read_image(other))


def test_a_print_and_an_enlargement(digress: Digress) -> None:
    paper = {"size": "A6", "bleed": "3mm", "marks": True, "upscaler": "lanczos"}
    larger = {"times": 2.0, "upscaler": "lanczos"}
    assert digress("print", PHOTO, *typed(paper), "-o", "a.pdf").code == 0
    assert digress("upscale", PHOTO, *typed(larger), "-o", "a.png").code == 0
    with pytest.warns(UserWarning, match="11 DPI is less than 200"):
        dg.print_file(PHOTO, "b.pdf", **paper)
    dg.upscale(PHOTO, "b.png", **larger)
    for suffix in (".pdf", ".png"):
        assert Path(f"a{suffix}").read_bytes() == Path(f"b{suffix}").read_bytes()
