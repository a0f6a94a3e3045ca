"""Room for cells in black and white parts of a base image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digressions.events import Event, Note, completed
from digressions.generate.record_reading import record_of
from digressions.generate.replay import replay_file
from digressions.images.image_files import read_image, read_text, write_image
from digressions.models.base import Model
from digressions.mosaics.build import build
from digressions.mosaics.folder import MosaicFolder
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.mosaics.planning import plan_of, read_start
from digressions.mosaics.tone import BENT, DARKEST, LIGHTEST, Crowded, crowded, lifted, with_room
from digressions.worlds.film import make_film
from digressions.worlds.world import World
from digressions.worlds.world_spec import FilmSpec

QUICK = {"grid": 4, "steps": 1, "seed": 3, "upscaler": "lanczos"}


def picture(*colours: int) -> np.ndarray:
    """Bars of greys, each two cells wide and eight high."""
    return np.repeat(np.array(colours, np.uint8), 16)[None, :, None].repeat(64, 0).repeat(3, 2)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of which half is black and a quarter white."""
    wide = np.concatenate([picture(0, 0, 120, 255)], axis=1)
    return write_image(tmp_path / "photo.png", wide[:, :64])


@pytest.mark.parametrize("lowest", [DARKEST, 1 - LIGHTEST])
def test_the_curve_is_smooth_rises_everywhere_and_leaves_the_middle(lowest: float) -> None:
    x = np.linspace(0, 1, 10_001)
    y = lifted(x, lowest)
    assert (y[0], y[-1]) == (pytest.approx(lowest), 1)
    assert np.array_equal(y[x >= BENT], x[x >= BENT])
    slope = np.diff(y) / np.diff(x)
    assert slope.min() > 0.3
    assert np.abs(np.diff(slope)).max() < 0.001  # no corner
    assert (y >= x - 1e-12).all()


@pytest.mark.parametrize(
    ("colours", "found", "ends"),
    [
        ((0, 0, 120, 255), (0.5, 0.25), (20, 240)),
        ((0, 128, 128, 200), (0.25, 0.0), (20, 200)),
        ((30, 128, 128, 255), (0.0, 0.25), (30, 240)),
        ((30, 128, 128, 225), (0.0, 0.0), (30, 225)),
    ],
)
def test_only_ends_without_room_are_moved(
    colours: tuple[int, ...], found: tuple[float, float], ends: tuple[int, int]
) -> None:
    image = picture(*colours)
    seen = crowded(image)
    assert seen == found
    room = with_room(image, seen)
    assert (int(room.min()), int(room.max())) == ends
    assert np.array_equal(room[image == 128], image[image == 128])
    assert (room is image) == (max(found) == 0)


def test_a_few_black_cells_are_no_reason() -> None:
    image = np.full((80, 80, 3), 120, np.uint8)
    image[:8, :8] = 0
    assert with_room(image, crowded(image)) is image
    assert crowded(image) == Crowded(0.01, 0.0)


def said(events: list[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Note) and "`tone`" in each.text]


@pytest.mark.parametrize("tone", ["auto", "off"])
def test_a_mosaic_is_exact_against_the_base_image_that_it_keeps(
    bundled: Model, tmp_path: Path, photo: Path, tone: str
) -> None:
    spec = MosaicSpec.of(prompt="frog", image=str(photo), tone=tone, **QUICK)
    found = list(build(bundled, spec, tmp_path / "m"))
    (note,) = said(found) if tone == "auto" else [""]
    assert ("50% of the cells were as good as black" in note) == (tone == "auto")
    base = read_image(tmp_path / "m" / "base.png")
    assert (int(base.min()), int(base.max())) == ((20, 240) if tone == "auto" else (0, 255))
    folder = MosaicFolder(bundled, plan_of(bundled, spec, read_start(spec)), tmp_path / "m")
    assert completed(folder.assemble()).largest <= 1
    for name in ("base.png", "preview.jpg"):
        assert record_of(read_text(tmp_path / "m" / name)).details["tone"] == tone
    list(replay_file(tmp_path / "m" / "base.png", lambda *_: bundled, output=tmp_path / "b.png"))
    assert np.array_equal(read_image(tmp_path / "b.png"), base)


def test_a_world_has_room_at_its_root_and_says_so_each_time(
    bundled: Model, tmp_path: Path, photo: Path
) -> None:
    given = {"image": str(photo), "cache": tmp_path / "w.sqlite", **QUICK}
    roots = {}
    for tone in ("auto", "auto", "off"):
        if tone == "auto":
            with pytest.warns(UserWarning, match="tone off keeps it"):
                world = World.open(bundled, "frog", tone=tone, **given)
        else:
            world = World.open(bundled, "frog", tone=tone, **given)
        with world:
            roots[tone] = world.canvas(())
            ids = {world.manifest.id}
    assert (roots["auto"].min(), roots["auto"].max()) == (20, 240)
    assert (roots["off"].min(), roots["off"].max()) == (0, 255)
    assert len(ids) == 1


def test_a_film_remembers_its_tone(bundled: Model, tmp_path: Path, photo: Path) -> None:
    spec = FilmSpec.of(
        prompt="frog", image=str(photo), levels=1, seconds=0.1, frame_size=32,
        cache=tmp_path / "w.sqlite", **QUICK,
    )  # fmt: skip
    found = list(make_film(bundled, spec, tmp_path / "film.gif"))
    assert len(said(found)) == 1
    assert record_of(read_text(tmp_path / "film.gif")).details["tone"] == "auto"
