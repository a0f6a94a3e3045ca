"""Photos that are painted over in a mosaic: exact as ever, resumable, marked as what they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import digressions as dg
from benchmarks.measure import errors
from digressions.errors import InputError, OutputError
from digressions.events import Estimate, Event, Progress
from digressions.geometry import Grid
from digressions.images.image_files import read_image, read_text
from digressions.images.xmp import SourceType, source_type
from digressions.models.base import Model
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.cells import band_of
from digressions.mosaics.photos.photo_build import build_photos
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec
from digressions.mosaics.photos.placing import Filler, PhotoStore
from digressions.mosaics.photos.repainting import towards

from .albums import album, picture
from .conftest import Ran
from .test_photo_mosaic import chosen, whole

Digress = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path("me.png"))
    album(Path("photos"), 20)


def making(model: Model, output: str = "m", **parameters: Any) -> Generator[Event, None, None]:
    usual: dict[str, Any] = {"image": "me.png", "tiles": ["photos"], "grid": "4", "size": 32}
    usual |= {"paint": 0.5, "prompt": "photo of a cat", "steps": 2}
    spec = PhotoMosaicSpec.of(**usual | parameters)
    painter = None if spec.photos.paint is None else model
    yield from build_photos(spec, output, model=painter)


def made(model: Model, output: str = "m", **parameters: Any) -> list[Event]:
    return list(making(model, output, **parameters))


@pytest.mark.parametrize("band", [1, 2, 8])
def test_averaged_back_it_is_the_picture(bundled: Model, band: int) -> None:
    made(bundled, band=band)
    found = errors(whole("m"), read_image("m/base.png"), Grid(4, 3), band)
    assert found.largest <= 0.75


def test_photos_and_painting_meet(bundled: Model) -> None:
    """The same photos are chosen; the more is painted, the farther is what is shown from them."""
    made(bundled, "plain", paint=None, prompt=None, steps=None)
    plain, changes = whole("plain").astype(float), []
    for paint in (0.3, 1.0):
        made(bundled, f"m{paint}", paint=paint, steps=4)
        assert chosen(f"m{paint}") == chosen("plain")
        changes.append(np.abs(whole(f"m{paint}") - plain).mean())
    assert 1 < changes[0] < changes[1]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_what_is_painted_over_goes_towards_the_cell(share: float) -> None:
    chance = torch.Generator().manual_seed(0)
    photos = 0.2 + 0.6 * torch.rand(3, 3, 32, 40, generator=chance)
    cells = 0.2 + 0.6 * torch.rand(3, 3, 8, 8, generator=chance)
    own, found = (band_of(each, 8) for each in (photos, towards(photos, cells, share)))
    assert (found - (own + share * (cells - own))).abs().max() < 1 / 255


def test_what_is_painted_depends_on_the_prompt_and_the_seed(bundled: Model) -> None:
    pictures = []
    for number, more in enumerate([{}, {"prompt": ""}, {"seed": 5}, {"anchor": 1.0}]):
        made(bundled, f"m{number}", paint=0.8, **more)
        pictures.append(whole(f"m{number}"))
    first, *others = pictures
    assert all((each != first).any() for each in others)


def test_a_stopped_run_goes_on_and_makes_the_same(bundled: Model) -> None:
    made(bundled, "untouched")
    begun = making(bundled)
    for event in begun:
        if isinstance(event, Progress) and event.task == "painting over photos" and event.done:
            break
    begun.close()
    assert not Path("m/preview.jpg").exists()
    db = sqlite3.connect("m/pictures.sqlite")
    (kept,) = db.execute("select count(*) from pictures").fetchone()
    db.close()
    assert 0 < kept < 12
    events = made(bundled)
    again = next(e for e in events if isinstance(e, Progress) and e.task.startswith("painting"))
    assert again.done == kept
    assert np.array_equal(whole("m"), whole("untouched"))


def test_few_batches_are_in_memory_at_once(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cells there are, photos are cut no more than a few batches ahead."""
    cut, stored, ahead = Filler.cut, PhotoStore.put_filled, [0, 0]

    def counting(self: Filler, batch: Any) -> Any:
        ahead[0] += len(batch.cells)
        ahead[1] = max(ahead)
        return cut(self, batch)

    def storing(self: PhotoStore, pictures: Any, bent: Any) -> None:
        ahead[0] -= len(pictures)
        stored(self, pictures, bent)

    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr(Filler, "cut", counting)
    monkeypatch.setattr(PhotoStore, "put_filled", storing)
    spec = {"image": "me.png", "tiles": "photos", "grid": 8, "size": 32, "paint": 0.5, "steps": 2}
    options = BuildParams(batch_size=2)
    list(build_photos(PhotoMosaicSpec.of(**spec), "m", options, model=bundled))
    assert ahead[0] == 0
    assert 0 < ahead[1] <= 12  # of 48, with one core: two cut, one painted, two finished, at most


def test_its_files_say_that_photos_were_painted_over(bundled: Model) -> None:
    made(bundled)
    text = read_text("m/preview.jpg")
    assert source_type(text) == SourceType.COMPOSITE
    assert json.loads(text["photos"])["photos"]["paint"] == 0.5
    assert json.loads(text["photos"])["painting"]["prompt"] == "photo of a cat"
    assert json.loads(text["digressions"])["model_hash"] == bundled.hash
    made(bundled, "plain", paint=None, prompt=None, steps=None)
    plain = read_text("plain/preview.jpg")
    assert source_type(plain) == ""
    assert "paint" not in json.loads(plain["photos"])["photos"]


def test_paths_can_be_left_out(bundled: Model, tmp_path: Path) -> None:
    made(bundled, "secret", forget_paths=True)
    files = [path for path in Path("secret").rglob("*") if path.is_file()]
    contents = b"".join(path.read_bytes() for path in files if "viewer" not in path.parts)
    for name in (b"me.png", b"0001.jpg", b'"photos"]', str(tmp_path).encode()):
        assert name not in contents


def test_replaying_paints_it_again(bundled: Model, digress: Digress) -> None:
    made(bundled, cell_aspect="2:1")
    assert Image.open("m/preview.jpg").size == (192, 128)
    ran = digress("replay", "m/preview.jpg", "-o", "again")
    assert ran.code == 0, ran.err
    assert np.array_equal(whole("m"), whole("again"))


def test_another_model_or_strength_is_another_mosaic(bundled: Model) -> None:
    made(bundled)
    plain = {"paint": None, "prompt": None, "steps": None}
    for other in ({"paint": 0.6}, {"prompt": "photo of a dog"}, plain):
        with pytest.raises(OutputError, match="another job"):
            made(bundled, **other)


def test_command_and_python_make_the_same(bundled: Model, digress: Digress) -> None:
    line = ("mosaic", "photo of a cat", "--image", "me.png", "--tiles", "photos", "--grid", "2")
    ran = digress(*line, "--paint", "0.5", "--steps", "2")
    assert ran.code == 0, ran.err
    assert "2x2 cells of 128x128 px" in ran.out  # the model's size, if nobody says
    assert "each repainted by 0.5" in ran.out
    assert "photos were repainted and bent by" in ran.out
    events = dg.photo_mosaic(
        *("me.png", "photos"),
        model=bundled,
        prompt="photo of a cat",
        grid=2,
        paint=0.5,
        steps=2,
        output="b",
    )
    (cost,) = (event for event in list(events) if isinstance(event, Estimate))
    assert cost.pictures == 4
    assert np.array_equal(whole("out/me"), whole("b"))


def test_a_model_and_a_strength_need_each_other(bundled: Model) -> None:
    with pytest.raises(InputError, match=r"^paint needs a model to paint with"):
        list(dg.photo_mosaic("me.png", "photos", paint=0.5))
    with pytest.raises(InputError, match=r"^model does nothing with tiles unless"):
        list(dg.photo_mosaic("me.png", "photos", model=bundled))
    with pytest.raises(InputError, match="is given in the place of a model"):
        list(dg.photo_mosaic("me.png", "photos", model="bundled", paint=0.5))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^steps is about painting"):
        list(dg.photo_mosaic("me.png", "photos", steps=3))


PHOTOS = ("--image", "me.png", "--tiles", "photos")
REFUSED = [
    (("mosaic", "a frog", "--paint", "0.4"), "--paint is about photos"),
    (("mosaic", *PHOTOS, "--paint", "0"), "--paint 0.0 is out of range: more than 0, at most 1"),
    (("mosaic", *PHOTOS, "--paint", "1.5"), "--paint 1.5 is out of range"),
    (("mosaic", *PHOTOS, "--paint", "0.4", "--strength", "0.4"), "--paint says how far"),
    (("mosaic", *PHOTOS, "--paint", "0.4", "--jitter", "0.1"), "--jitter does nothing for photos"),
    (("mosaic", *PHOTOS, "--paint", "0.4", "--executor", "ray"), "--executor does nothing for"),
    (("mosaic", *PHOTOS, "--paint", "0.4", "--profile"), "--profile is about painting"),
    (("mosaic", *PHOTOS, "--paint", "0.4", "--size", "100"), "--size 100 is not a multiple of 8"),
    (("mosaic", *PHOTOS, "--steps", "4"), "--steps is about painting, and nothing is painted"),
    (
        ("zoom", "--tiles", "photos", "--paint", "0.4"),
        "only mosaics repaint photos: digress mosaic",
    ),
    (("serve", "--tiles", "photos", "--paint=0.4"), "only mosaics repaint photos"),
]


@pytest.mark.parametrize(("arguments", "why"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line(
    refused: Callable[..., str], arguments: tuple[str, ...], why: str
) -> None:
    assert why in refused(*arguments)
