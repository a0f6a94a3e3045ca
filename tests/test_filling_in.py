"""A mosaic while it is made, and what it costs before it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import digressions as dg
from digressions.errors import InputError
from digressions.events import Estimate, Event, Preview, Saved
from digressions.generate.preview_pace import PreviewPace
from digressions.generate.previews import LatentColours, PaintPreviews
from digressions.geometry import Grid, Size
from digressions.images.image_files import read_image, resample
from digressions.mosaics.build import build
from digressions.mosaics.build_params import BuildParams
from digressions.mosaics.filling_in import FillingIn, small_cell
from digressions.mosaics.mosaic_spec import MosaicSpec
from digressions.mosaics.photos.photo_build import build_photos
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec
from digressions.worlds.film import make_film
from digressions.worlds.site_export import export_site
from digressions.worlds.world_spec import FilmSpec, SiteSpec

from .albums import album, picture

GREY = np.full((16, 24, 3), 100, np.uint8)


def always(model: Any) -> PaintPreviews:
    """Previews whenever there is something new."""
    return PaintPreviews(LatentColours.of(model), every=0.0)


def filled(events: Iterator[Event]) -> list[np.ndarray]:
    return [e.image for e in events if isinstance(e, Preview) and e.label == "as it fills in"]


def a_spec(**values: Any) -> MosaicSpec:
    usual: dict[str, Any] = {"prompt": "a fox", "grid": 3, "size": 32, "steps": 2, "guidance": 1.0}
    return MosaicSpec.of(**usual | values)


def test_a_large_mosaic_is_shown_small_and_a_small_one_as_it_is() -> None:
    assert small_cell(Grid(64, 64), Size(128, 128)) == (12, 12)
    assert small_cell(Grid(64, 32), Size(96, 64)) == (12, 8)
    assert small_cell(Grid(3, 2), Size(32, 32)) == (32, 32)
    assert small_cell(Grid(2000, 1), Size(64, 64)) == (1, 1)


def test_pictures_come_into_their_cells_and_the_rest_is_dark() -> None:
    filling = FillingIn(GREY, Grid(3, 2), Size(8, 8), PreviewPace(0.0))
    filling.put({4: np.full((8, 8, 3), 200, np.uint8)})
    shown = filling.due()
    assert shown is not None
    assert shown.image.shape == (16, 24, 3)
    assert (shown.image[8:, 8:16] == 200).all()
    assert (shown.image[:8] == 30).all()


def test_it_is_shown_when_there_is_something_new_and_no_more_often_than_asked() -> None:
    now = [0.0]
    filling = FillingIn(GREY, Grid(3, 2), Size(8, 8), PreviewPace(0.5, clock=lambda: now[0]))
    assert filling.due() is not None
    now[0] = 9.0
    assert filling.due() is None  # nothing new
    filling.put({0: GREY[:8, :8]})
    assert filling.due() is not None
    filling.put({1: GREY[:8, :8]})
    now[0] += 0.4
    assert filling.due() is None  # too young
    now[0] += 0.2
    assert filling.due() is not None


def test_a_mosaic_is_seen_to_fill_in_and_comes_out_the_same(bundled: Any, tmp_path: Path) -> None:
    options = BuildParams(batch_size=3)
    work = build(
        bundled, a_spec(), None, options, folder=tmp_path / "seen", previews=always(bundled)
    )
    events = list(work)
    labels = [event.label for event in events if isinstance(event, Preview)]
    assert "so far" in labels[: labels.index("base image")]  # the base image, step by step
    *_, last = filled(iter(events))
    (page,) = (event.path for event in events if isinstance(event, Saved))
    assert page == tmp_path / "seen" / "a-fox" / "index.html"
    whole = read_image(page.with_name("preview.jpg")).astype(int)
    assert last.shape == whole.shape
    assert np.abs(last.astype(int) - whole).mean() < 4  # a JPEG
    unseen = list(build(bundled, a_spec(), None, options, folder=tmp_path / "unseen"))
    assert not filled(iter(unseen))
    other = read_image(tmp_path / "unseen" / "a-fox" / "preview.jpg")
    assert np.array_equal(other, whole)


def test_what_an_earlier_run_has_painted_is_seen_at_once(bundled: Any, tmp_path: Path) -> None:
    options = BuildParams(batch_size=3)
    work = build(bundled, a_spec(), tmp_path / "m", options, previews=always(bundled))
    seen = 0
    for event in work:
        seen += isinstance(event, Preview) and event.label == "as it fills in"
        if seen == 3:
            break
    work.close()  # type: ignore[attr-defined]
    rest = filled(build(bundled, a_spec(), tmp_path / "m", options, previews=always(bundled)))
    base = resample(read_image(tmp_path / "m" / "base.png"), 96, 96)
    brighter = rest[0].astype(int) > 0.6 * base.astype(int)
    assert brighter[:32].mean() > 0.5


def test_a_mosaic_of_photos_is_seen_to_fill_in(tmp_path: Path) -> None:
    picture(tmp_path / "me.png")
    album(tmp_path / "photos", 60)
    spec = PhotoMosaicSpec.of(
        image=str(tmp_path / "me.png"),
        tiles=[str(tmp_path / "photos")],
        index=tmp_path / "index.sqlite",
        grid="8",
        size=32,
    )
    events = list(build_photos(spec, folder=tmp_path / "out", previews=PreviewPace(0.0)))
    shown = filled(iter(events))
    whole = read_image(tmp_path / "out" / "me" / "preview.jpg").astype(int)
    assert np.abs(shown[-1].astype(int) - whole).mean() < 6


def test_what_a_mosaic_costs_is_said_before_anything_is_written(
    bundled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, timed = dg.mosaic_cost(bundled, "a fox", grid=20, size=32, steps=2, guidance=1.0)
    assert (first.pictures, first.seconds) == (400, None)
    assert first.text.startswith("400 pictures of 32 px, together 640 x 640 px (0.41 Mpx), about")
    assert first.disk == int(640 * 640 * 2.2)
    assert timed.seconds is not None
    assert 0 < timed.seconds < 600
    assert timed.text.startswith(f"{first.text}, about ")
    assert list(tmp_path.iterdir()) == []
    said = next(e for e in build(bundled, a_spec(), tmp_path / "m") if isinstance(e, Estimate))
    assert said == next(dg.mosaic_cost(bundled, "a fox", grid=3, size=32, steps=2, guidance=1.0))


def test_cells_that_share_pictures_cost_less(bundled: Any) -> None:
    cost = next(dg.mosaic_cost(bundled, "a fox", grid=20, size=32, reuse=50))
    assert cost.pictures == 50


def test_a_mosaic_that_cannot_be_costs_nothing(bundled: Any) -> None:
    with pytest.raises(InputError, match="sampler"):
        next(dg.mosaic_cost(bundled, "a fox", sampler="none"))


def test_films_and_sites_go_into_a_folder(bundled: Any, tmp_path: Path) -> None:
    quick: dict[str, Any] = {"prompt": "a fox", "grid": 6, "size": 16, "steps": 1, "guidance": 1.0}
    quick |= {"cache": tmp_path / "worlds.sqlite"}
    film = FilmSpec.of(**quick, levels=1, seconds=0.2, fps=5, frame_size="32")
    events = list(make_film(bundled, film, folder=tmp_path / "films"))
    assert [e.path for e in events if isinstance(e, Saved)] == [tmp_path / "films" / "a-fox.mp4"]
    site = SiteSpec.of(**quick, reuse=4)
    list(export_site(bundled, site, folder=tmp_path / "sites"))
    assert (tmp_path / "sites" / "a-fox-site" / "index.html").is_file()
