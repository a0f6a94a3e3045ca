"""What is wrong is said at the field that it is about, in plain words, on every tab."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from digressions.errors import DigressionsError
from digressions.generate.model_params import ModelParams

from . import studios as studios  # skips without Gradio
from .albums import album, picture
from .profiles import cmyk, lab, saved
from .test_library import LORA, put
from .walls import framed

from digressions.studio.blocks import page  # isort: skip
from digressions.studio.studio import Studio  # isort: skip
from digressions.studio.studio_spec import StudioSpec  # isort: skip

Press = Callable[..., dict[str, str]]
FILES = Path("files")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What people give to a page, and what they give by mistake."""
    folder = tmp_path_factory.mktemp("given")
    Image.fromarray(framed()).save(folder / "room.png")
    picture(folder / "me.png")
    album(folder / "photos", 3)
    (folder / "notes.txt").write_text("milk, bread")
    (folder / "notes.png").write_text("milk, bread")
    (folder / "empty.png").write_bytes(b"")
    Image.new("L", (9, 9), 255).save(folder / "small mask.png")
    Image.new("L", (640, 480)).save(folder / "black mask.png")
    saved(folder, cmyk(), "printer.icc")
    saved(folder, lab(), "lab.icc")
    put(folder / "ink.safetensors", LORA)
    return folder


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    """Presses a button of a page, fields filled in by their ids, and gives what the page says by
    the id of the field that it says it at; jobs end where they would use the model."""
    studio = Studio(StudioSpec(out=tmp_path_factory.mktemp("out")), ModelParams(device="cpu"))

    usual, loads = studio.chosen(), studio.model

    def stops(params: Any) -> Iterator[Any]:
        if params == usual:
            raise DigressionsError("nothing is wrong")
        yield from loads(params)

    studio.model = stops  # type: ignore[method-assign]
    studio.jobs.start()
    blocks = page(studio)
    named = {block.elem_id: block for block in blocks.blocks.values() if block.elem_id}

    def pressed(button: str, **given: Any) -> dict[str, str]:
        own = (named[button]._id, "click")
        (event,) = [fn for fn in blocks.fns.values() if own in fn.targets and fn.inputs]
        ids = {block._id: name for name, block in named.items()}
        values: dict[int, Any] = {named["page"]._id: "a page"}
        for block in event.inputs:
            name = ids.get(block._id, "").replace("-", "__")
            if name in given:
                values[block._id] = given.pop(name)
        assert not given, f"no such fields: {given}"
        found: dict[str, str] = {}
        asyncio.run(_run(blocks, event, values, ids, found))
        return found

    yield pressed
    studio.jobs.close()


async def _updates(function: Any, values: list[Any]) -> AsyncIterator[Any]:
    """What each step of a handler, of whatever kind, says of its outputs."""
    if inspect.isasyncgenfunction(function):
        async for updates in function(*values):
            yield updates
        return
    updates = function(*values)
    if inspect.isawaitable(updates):
        updates = await updates
    yield updates if isinstance(updates, (list, tuple)) else [updates]


async def _run(
    blocks: Any, event: Any, values: dict[int, Any], ids: dict[int, str], found: dict[str, str]
) -> None:
    """Runs a handler, then what listens to values that it has changed, then what comes after it;
    notes what is said, by field."""
    usual = [getattr(block, "value", None) for block in event.inputs]
    given = [values.get(block._id, value) for block, value in zip(event.inputs, usual, strict=True)]
    changed = set[int]()
    async for updates in _updates(event.fn, given):
        for block, update in zip(event.outputs, updates, strict=True):
            name = ids.get(block._id, "")
            if isinstance(update, dict) and update.get("elem_classes") == ["wrong"]:
                found[name] = str(update.get("info") or update.get("label"))
            elif isinstance(update, str):
                if 'role="alert"' in update:
                    found[name] = update
                if update != values.get(block._id, ""):
                    changed.add(block._id)
                values[block._id] = update
    for fn in blocks.fns.values():
        heard = any((one, "change") in fn.targets for one in changed)
        if fn.fn is not None and (heard or fn.trigger_after == event._id):  # else the browser's
            await _run(blocks, fn, values, ids, found)


def said(press: Press, files: Path, button: str, given: dict[str, Any]) -> dict[str, str]:
    def full(value: Any) -> Any:
        return str(files / value.name) if isinstance(value, Path) else value

    filled = {name.replace("-", "__"): full(value) for name, value in given.items()}
    return press(button, **filled)


PAINT = {"paint-prompt": "a fox"}
MOSAIC = {"mosaic-prompt": "a fox"}
PHOTOS = {"mosaic-image": FILES / "me.png", "mosaic-tiles": "", "mosaic-grid": "2"}
ENSEMBLE = {"ensemble-prompt_1": "a fox", "ensemble-prompt_2": "a cat"}
FRAME = {"frame-photo": FILES / "room.png", "frame-prompts": "a fox"}
REFINE = FRAME | {"frame-refine": "a red fox"}
PRINT = {"print-picture": FILES / "me.png", "print-size": "5x5cm"}


@pytest.mark.parametrize(
    ("button", "given", "field", "words"),
    [
        ("paint-go", {}, "paint-prompt", "Prompt is missing"),
        ("paint-go", {"paint-prompt": "a (fox"}, "paint-prompt", "character"),
        ("paint-go", PAINT | {"paint-seed": "-1"}, "paint-seed", "out of range"),
        ("paint-go", PAINT | {"paint-seed": "--5"}, "paint-seed", "whole number"),
        ("paint-go", PAINT | {"paint-seed": "9" * 5000}, "paint-seed", "Seed"),
        ("paint-go", PAINT | {"paint-n": 0}, "paint-n", "out of range"),
        ("paint-go", PAINT | {"paint-n": "many"}, "paint-n", "whole number"),
        ("paint-go", PAINT | {"paint-steps": "1e9"}, "paint-steps", "whole number"),
        ("paint-go", PAINT | {"paint-guidance": "nan"}, "paint-guidance", "finite"),
        ("paint-go", PAINT | {"paint-size": "huge"}, "paint-size", "huge"),
        ("paint-go", PAINT | {"paint-size": "99999x9"}, "paint-size", "out of range"),
        ("paint-go", PAINT | {"paint-size": "99999999"}, "paint-size", "at most 16,384 pixels"),
        ("paint-go", PAINT | {"paint-image": FILES / "notes.txt"}, "paint-image", "notes.txt"),
        ("paint-go", PAINT | {"paint-image": FILES / "empty.png"}, "paint-image", "empty.png"),
        ("paint-go", PAINT | {"paint-upscaler": "magic"}, "paint-upscaler", "not known"),
        ("mosaic-go", {}, "mosaic-prompt", "missing"),
        ("mosaic-go", MOSAIC | {"mosaic-grid": "wide"}, "mosaic-grid", "wide"),
        ("mosaic-go", MOSAIC | {"mosaic-grid": "-3"}, "mosaic-grid", "-3"),
        ("mosaic-go", MOSAIC | {"mosaic-grid": "9" * 5000}, "mosaic-grid", "at most 9,999,999"),
        ("mosaic-go", MOSAIC | {"mosaic-image": FILES / "notes.png"}, "mosaic-image", "notes.png"),
        ("mosaic-go", MOSAIC | {"mosaic-repeat": "2"}, "mosaic-repeat", "about photos"),
        ("mosaic-go", PHOTOS | {"mosaic-tiles": "/nowhere"}, "mosaic-tiles", "no such file"),
        ("ensemble-go", {}, "ensemble-prompt_1", "say what to paint"),
        ("ensemble-go", ENSEMBLE | {"ensemble-weight_2": "x"}, "ensemble-weight_2", "number"),
        ("ensemble-go", ENSEMBLE | {"ensemble-n": -1}, "ensemble-n", "out of range"),
        ("ensemble-suggest", {}, "ensemble-prompt_1", "say what shall be matched"),
        ("frame-go", {}, "frame-photo", "no photo yet"),
        ("frame-go", FRAME | {"frame-photo": FILES / "notes.txt"}, "frame-photo", "notes.txt"),
        ("frame-go", FRAME | {"frame-prompts": ""}, "frame-prompts", "write into an opening"),
        ("frame-go", FRAME | {"frame-n": "0"}, "frame-n", "out of range: 1 to 999"),
        ("frame-go", FRAME | {"frame-n": "2\nfew"}, "frame-n", "whole number"),
        ("frame-go", FRAME | {"frame-n": "1\n2\n3"}, "frame-n", "3 times"),
        ("frame-go", FRAME | {"frame-room": "much"}, "frame-room", "0 to 1"),
        ("frame-go", FRAME | {"frame-palette": "muddy"}, "frame-palette", "muddy"),
        ("frame-go", FRAME | {"frame-mask": FILES / "small mask.png"}, "frame-mask", "9"),
        ("frame-go", FRAME | {"frame-mask": FILES / "black mask.png"}, "frame-mask", "white"),
        ("frame-go", FRAME | {"frame-mask": FILES / "notes.txt"}, "frame-mask", "notes.txt"),
        ("frame-go", REFINE | {"frame-refine_scale": "9"}, "frame-refine_scale", "1 to 4"),
        ("frame-go", FRAME | {"frame-refine_strength": "0.4"}, "frame-refine_strength", "need its"),
        ("frame-hang", {}, "frame-stage", "no candidates yet"),
        ("frame-take", {"frame-photo": FILES / "room.png"}, "frame-mask", "paint over the opening"),
        ("gallery-delete", {}, "gallery-stage", "choose a picture first"),
        ("frame-why", {}, "frame-photo", "no photo yet"),
        ("print-go", {}, "print-picture", "no picture yet"),
        ("print-go", PRINT | {"print-size": ""}, "print-size", "missing"),
        ("print-go", PRINT | {"print-size": "A99"}, "print-size", "A99"),
        ("print-go", PRINT | {"print-dpi": 0}, "print-dpi", "out of range"),
        ("print-go", PRINT | {"print-bleed": "3"}, "print-bleed", "unit"),
        ("print-go", PRINT | {"print-mat": "9cm"}, "print-mat", "9"),
        ("print-go", PRINT | {"print-icc": FILES / "notes.txt"}, "print-icc", "not an ICC profile"),
        ("print-go", PRINT | {"print-icc": FILES / "lab.icc"}, "print-icc", "is printed by"),
        ("print-go", PRINT | {"print-picture": FILES / "notes.txt"}, "print-picture", "notes.txt"),
        ("gallery-go", {}, "gallery-stage", "choose a picture first"),
        ("models-go", {"models-model": "nothing-here"}, "models-model", "nothing-here"),
        ("models-go", {"models-model": FILES / "notes.txt"}, "models-model", "notes.txt"),
        ("models-go", {"models-model": FILES / "ink.safetensors"}, "models-model", "LoRA"),
        ("models-go", {"models-device": "toaster"}, "models-device", "toaster"),
        ("models-go", {"models-models": "/nowhere"}, "models-models", "/nowhere"),
        ("fall-go", {"mosaic-chosen": ""}, "mosaic-stage", "make one first"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_at_its_field(
    press: Press, files: Path, button: str, given: dict[str, Any], field: str, words: str
) -> None:
    found = said(press, files, button, given)
    at_all = {name for name in found if "Failed after" not in found[name]}  # a job says it again
    assert at_all == {field}, found
    assert words in found[field]
    assert "Traceback" not in found[field]
    assert "`" not in found[field]


@pytest.mark.parametrize(
    ("button", "given", "stage"),
    [
        ("paint-go", PAINT, "paint-stage"),
        ("frame-go", FRAME | {"frame-n": "2", "frame-room": "auto"}, "frame-stage"),
        ("ensemble-go", ENSEMBLE, "ensemble-stage"),
    ],
)
def test_nothing_is_said_at_fields_that_are_right(
    press: Press, files: Path, button: str, given: dict[str, Any], stage: str
) -> None:
    found = said(press, files, button, given)
    assert list(found) == [stage]
    assert "nothing is wrong" in found[stage]
