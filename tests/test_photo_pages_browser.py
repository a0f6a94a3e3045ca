"""Pages and sites of photos in a real browser: photos are named and open, unless unwanted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from digressions.events import completed
from digressions.generate.results import finish
from digressions.mosaics.photos.photo_build import build_photos
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec
from digressions.worlds.photo_site import export_photo_site
from digressions.worlds.photo_world_spec import PhotoSiteSpec

from .albums import album, picture
from .test_serve_browser import opened as opened_world
from .test_serve_browser import settled
from .test_site_browser import served
from .test_viewer_browser import Page, opened

pytestmark = pytest.mark.browser
GRID = 6


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path("me.png"), 96, 96)
    album(Path("the wedding [of Ann]"), 40)


def mosaic_page(folder: str, **parameters: Any) -> str:
    spec = PhotoMosaicSpec.of(
        image="me.png", tiles=["the wedding [of Ann]"], grid=GRID, **parameters
    )
    finish(build_photos(spec, folder))
    return Path(folder, "index.html").absolute().as_uri()


def click_twice(page: Page, row: float, column: float) -> None:
    """On a cell: it comes near; on the near cell: its photo may open."""
    from selenium.webdriver.common.action_chains import ActionChains

    stage = page.driver.find_element("id", "stage")
    for _ in range(2):
        x, y = page.js(
            f"const point = new OpenSeadragon.Point({(column + 0.5) / GRID}, {(row + 0.5) / GRID});"
            "const p = __viewer.viewport.pixelFromPoint(point, true); return [p.x, p.y]"
        )
        mouse = ActionChains(page.driver)
        mouse.move_to_element_with_offset(stage, int(x) - 600, int(y) - 400).click().perform()
        page.until(lambda: page.facts()["cell"] == f"{row},{column}" and page.settled())
        time.sleep(1.5)  # it flies there; then two clicks, not a double click


def test_a_click_names_a_photo_and_another_one_shows_it_large(chromium: Any) -> None:
    with opened(chromium, mosaic_page("m")) as page:
        click_twice(page, 2, 3)
        name = page.driver.find_element("id", "where-seed").text
        assert name in {each.name for each in Path("the wedding [of Ann]").iterdir()}
        first, second = page.driver.window_handles
        page.driver.switch_to.window(second)
        page.until(lambda: page.driver.current_url.endswith(f"%5Bof%20Ann%5D/{name}"))
        shown = page.js(
            "const { naturalWidth: w, naturalHeight: h } = document.images[0]; return [w, h]"
        )
        assert tuple(shown) == Image.open(Path("the wedding [of Ann]", name)).size == (96, 72)
        page.driver.close()
        page.driver.switch_to.window(first)


def test_a_page_that_forgets_names_none_and_opens_none(chromium: Any) -> None:
    with opened(chromium, mosaic_page("m", forget_paths=True)) as page:
        click_twice(page, 2, 3)
        assert page.driver.find_element("id", "where-seed").text == ""
        assert page.driver.find_element("id", "where").text.startswith("Row ")
        assert len(page.driver.window_handles) == 1
        assert "wedding" not in page.driver.page_source


def test_a_site_that_forgets_shows_photos_and_names_nothing(chromium: Any) -> None:
    spec = PhotoSiteSpec.of(
        tiles=["the wedding [of Ann]"], grid="8", size=32, reuse=10, forget_paths=True
    )
    completed(export_photo_site(spec))
    folder = Path("out/photos-site")
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        content = path.read_bytes()
        assert not any(word in content for word in (b"wedding", b"0001.jpg", b"Ann"))
        assert "wedding" not in path.name
    with served(folder) as home, opened_world(chromium, home) as page:
        page.until(lambda: settled(page))
        assert page.driver.title == "photos"
        seen = page.screen()
        assert seen[:, seen.shape[1] // 2].std() > 10  # something is drawn
