"""Pictures larger, wider or taller than the model paints at once: small first, then made large."""

from __future__ import annotations

import contextlib
import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import digressions as dg
from digressions.ensembles.ensemble import paint_ensemble
from digressions.ensembles.ensemble_spec import EnsembleSpec
from digressions.events import Note
from digressions.generate import hires, windows
from digressions.generate.notes import notes_on_cells
from digressions.generate.params import PaintSpec
from digressions.generate.pictures import Picture, paint_pictures, paint_to_files
from digressions.generate.record_reading import record_of
from digressions.geometry import Size
from digressions.images.image_files import read_image, read_text
from digressions.models import base
from digressions.models.base import Model
from digressions.models.loading import load

from .checkpoints import build
from .conftest import Ran

LANCZOS = {"upscaler": "lanczos"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Of 64 px, untrained."""
    return load(str(build(tmp_path_factory.mktemp("sd"), "sd")), "cpu", "float32")


@pytest.fixture
def many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of 64 px counts as one of many, whose windows can show a part of a thing."""
    for module in (base, windows):
        monkeypatch.setattr(module, "FEW_PIXELS", 64)


def painted(model: Model, **asked: object) -> tuple[Picture, str]:
    """A picture, and all that was noted."""
    spec = PaintSpec.of(**{"prompt": "a fox", "seed": 3, "steps": 2} | LANCZOS | asked)
    found = list(paint_pictures(model, spec))
    (picture,) = [each for each in found if isinstance(each, Picture)]
    return picture, "\n".join(each.text for each in found if isinstance(each, Note))


@pytest.mark.parametrize("size", ["256x256", "512x192", "100x300"])
def test_a_large_or_wide_picture_is_painted_at_the_size_of_the_model(
    bundled: Model, size: str
) -> None:
    picture, notes = painted(bundled, size=size)
    assert picture.image.size == tuple(map(int, size.split("x")))
    kept = picture.record.hires
    assert kept is not None
    assert kept.painted == Size(128, 128)
    assert kept.strength is None  # it has no pixels to spare for windows
    assert f"cannot paint {size} at once: it paints 128x128" in notes


def test_it_is_the_small_picture_enlarged(bundled: Model) -> None:
    small, notes = painted(bundled, enlarge=1, upscaler="realesrgan", size=128)
    assert "at once" not in notes
    assert small.record.hires is None
    large, _ = painted(bundled, size=256)
    assert np.abs(large.array[::2, ::2].astype(int) - small.array).mean() < 4


def test_a_start_picture_keeps_its_composition(bundled: Model, photo: np.ndarray) -> None:
    wide, notes = painted(bundled, image=photo, size="128x64")
    assert wide.record.hires is None
    assert "at once" not in notes
    large, notes = painted(bundled, image=photo, size="512x256", strength=0.3)
    assert large.record.hires is not None
    assert large.record.hires.compose == "stretch"
    assert large.record.hires.painted == Size(184, 88)
    assert large.image.size == (512, 256)


def test_large_models_repaint_in_windows_without_naming_the_thing(
    tiny: Model, many_pixels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    repainted = hires.repainted

    def noted(model, picture, params, upscaler):
        asked.append((params.prompt, params.strength, params.size))
        return repainted(model, picture, params, upscaler)

    monkeypatch.setattr(hires, "repainted", noted)
    large, notes = painted(tiny, size=128)
    assert large.image.size == (128, 128)
    assert "repainted in 9 windows at strength 0.3" in notes
    nearly, _ = painted(tiny, size="88x64")
    assert nearly.record.hires is None  # of an aspect that it knows
    painted(tiny, size="84x84")
    assert asked == [("", 0.3, Size(128, 128)), ("a fox", 0.41, Size(84, 84))]


@pytest.mark.parametrize("several", [False, True])
def test_ctrl_c_does_not_wait_for_repainting(
    tiny: Model, many_pixels: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, several: bool
) -> None:
    begun = []

    def stopped(*_: object) -> np.ndarray:
        begun.append(1)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it goes on")

    monkeypatch.setattr(hires, "repainted", stopped)
    asked = {"n": 2, "size": 128, "seed": 3, "steps": 1, **LANCZOS}
    if several:
        mixed = EnsembleSpec.of(prompts=["fox", "frog"], **asked)
        events = paint_ensemble(tiny, mixed, tmp_path / "a.png")
    else:
        spec = PaintSpec.of(prompt="fox", **asked)
        events = paint_to_files(tiny, spec, tmp_path / "a.png")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(events)
    finally:
        signal.signal(signal.SIGINT, before)
    assert begun == [1]


def test_a_stop_loses_few_paintings_that_are_still_to_be_repainted(
    tiny: Model, many_pixels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "digressions.generate.pictures.paint_jobs",
        lambda *_, batch_size, **__: asked.append(batch_size) or [],
    )
    for size in (128, 512, 1024):
        assert not list(dg.paint(tiny, "fox", n=20, size=size, **LANCZOS))
    assert asked == [16, 4, 1]


def test_a_masked_area_is_painted_at_the_size_that_is_asked_for(
    bundled: Model, photo: np.ndarray
) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:30, 10:30] = 255
    picture, notes = painted(bundled, image=photo, mask=mask, size="192x128")
    assert picture.record.hires is None
    assert picture.array.shape == photo.shape
    assert "may paint its thing twice" in notes


def test_files_remember_and_replay(digress: Callable[..., Ran], tmp_path: Path) -> None:
    command = ("--seed", 2, "--steps", 2, "--size", "192x64", "--upscaler", "lanczos", "-o")
    for name, words in (("paint", ["a fox"]), ("ensemble", ["a fox", "a frog"])):
        target = tmp_path / f"{name}.png"
        ran = digress(name, *words, *command, target)
        assert ran.code == 0, ran.err
        assert "cannot paint 192x64 at once" in ran.out + ran.err
        record = record_of(read_text(target))
        assert record.hires is not None
        assert record.params.size == Size(192, 64)
        dg.finish(dg.replay(target, output=tmp_path / "again.png", overwrite=True))
        assert (read_image(target) == read_image(tmp_path / "again.png")).all()
        assert digress(name, *words, *command, target).code == 0  # the same settings made it
        assert "painted at once: 128x128" in digress("replay", "--show", target).out


def test_cells_that_are_too_large_are_noted(bundled: Model, tmp_path: Path) -> None:
    """Mosaics paint each cell at once, over a start that says what is where."""
    assert notes_on_cells(bundled, Size(128, 128)) == []
    (note,) = notes_on_cells(bundled, Size(256, 256))
    assert "several times, where `size` 128 shows it once" in note.text
    work = dg.mosaic(bundled, "a fox", grid=2, size=256, steps=1, output=tmp_path / "x")
    with contextlib.closing(work):
        assert note in list(itertools.takewhile(lambda event: isinstance(event, Note), work))
