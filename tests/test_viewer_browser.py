"""The page in a real browser: from a disk and from a plain web server, without a network."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digressions.events import completed
from digressions.mosaics.deep_zoom import write_deep_zoom
from digressions.mosaics.viewer_page import PagePhotos, write_viewer

pytestmark = pytest.mark.browser

ROWS, COLUMNS, CELL = 24, 32, 64
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"a\" 'frog' & $data"


def picture() -> np.ndarray:
    """Cells of one flat colour each, all different from their neighbours, and a dark dot inside."""
    row, column = np.mgrid[0:ROWS, 0:COLUMNS]
    colours = np.stack(
        [60 + 190 * row / ROWS, 60 + 190 * column / COLUMNS, 40 + 160 * ((row + column) % 2)], -1
    )
    cells = np.broadcast_to(colours[:, None, :, None, :], (ROWS, CELL, COLUMNS, CELL, 3)).copy()
    cells[:, 28:36, :, 28:36] = 10
    return cells.reshape(ROWS * CELL, COLUMNS * CELL, 3).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a page & 100%")
    height, width = ROWS * CELL, COLUMNS * CELL
    completed(write_deep_zoom([picture()], width, height, folder, tile_size=256))
    write_viewer(
        folder,
        width=width,
        height=height,
        tile_size=256,
        title=HOSTILE,
        facts=[f"{ROWS * COLUMNS} pictures", "3.1 Mpx", "seed 7"],
        rows=ROWS,
        columns=COLUMNS,
        seeds=[2**63 + n for n in range(ROWS * COLUMNS)],
    )
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


class Page:
    """The open page, with the few things the tests ask of it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def js(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def facts(self) -> dict[str, str]:
        return self.js("return Object.assign({}, document.documentElement.dataset)")

    def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.facts()
            time.sleep(0.05)

    def press(self, key: str) -> None:
        self.driver.find_element("tag name", "body").send_keys(key)

    def at(self, row: float, column: float) -> tuple[int, int]:
        """Where a place in the grid is on the screen."""
        x, y = self.js(
            f"const point = new OpenSeadragon.Point({column / COLUMNS}, {row / COLUMNS});"
            "const p = __viewer.viewport.pixelFromPoint(point, true); return [p.x, p.y]"
        )
        return int(x), int(y)

    def screen(self) -> np.ndarray:
        return np.asarray(
            Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        )

    def settled(self) -> bool:
        """The picture is fully loaded for this view, faded in, and at rest."""
        return self.js(
            "const v = window.__viewer, item = v && v.world.getItemAt(0);"
            "return !!item && item.getFullyLoaded() && document.body.matches('.ready')"
            " && getComputedStyle(document.getElementById('stage')).opacity === '1'"
        )


@contextmanager
def opened(
    driver: Any,
    url: str,
    width: int = 1200,
    height: int = 800,
    mobile: bool = False,
    calm: bool = False,
) -> Iterator[Page]:
    """Open a page; at the end look for errors, and for requests that left the machine."""
    driver.get("about:blank")
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1 + mobile, "mobile": mobile}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": mobile})
    media = [{"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    for kind in ("browser", "performance"):
        driver.get_log(kind)
    driver.get(url)
    page = Page(driver)
    page.until(page.settled)
    yield page
    assert driver.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [
        e["params"]["request"]["url"] for e in asked if e["method"] == "Network.requestWillBeSent"
    ]
    assert urls
    home = url.rsplit("/", 1)[0]
    assert [other for other in urls if not other.startswith((home, "data:", "blob:"))] == []
    assert page.facts()["tilesFailed"] == "0"


@pytest.fixture(params=["file", "http"])
def url(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "file":
        return (folder / "index.html").as_uri()
    return request.getfixturevalue("server")


def test_the_tiles_are_drawn_and_deeper_ones_come(chromium: Any, url: str) -> None:
    with opened(chromium, url) as page:
        first = page.facts()
        assert int(first["tilesLoaded"]) > 0
        shallow = int(first["deepestLevel"])
        assert shallow < 11
        whole = page.screen()
        # The picture is where the page says it is, in its own colours.
        spots = [(2, 3), (12, 16), (21, 30)]
        for row, column in spots:
            x, y = page.at(row + 0.2, column + 0.2)
            expected = picture()[row * CELL, column * CELL].astype(int)
            assert np.abs(whole[y, x] - expected).max() < 24
        assert whole[:, :30].max() < 90  # the room around it is dark

        for _ in range(7):
            page.press("+")
        page.until(lambda: int(page.facts()["deepestLevel"]) == 11)
        page.until(page.settled)
        near = page.screen()
        assert int(page.facts()["tilesLoaded"]) > int(first["tilesLoaded"])
        assert near.std((0, 1)).min() > 8
        assert np.abs(near.astype(int) - whole).mean() > 20

        page.press("h")
        page.until(lambda: abs(page.js("return __viewer.viewport.getCenter(true).x") - 0.5) < 1e-3)
        page.until(lambda: not page.js("return document.body.matches('.away')"))


def test_a_click_goes_to_the_cell_and_back(chromium: Any, url: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    def click(x: float, y: float) -> None:
        stage = page.driver.find_element("id", "stage")
        mouse = ActionChains(page.driver)
        mouse.move_to_element_with_offset(stage, int(x) - 600, int(y) - 400).click().perform()

    def camera() -> list[float]:
        return page.js(
            "const v = __viewer.viewport, c = v.getCenter(true); return [c.x, c.y, v.getZoom(true)]"
        )

    with opened(chromium, url) as page:
        home = camera()
        click(*page.at(5.3, 20.3))
        middle = [20.5 / COLUMNS, 5.5 / COLUMNS]
        page.until(lambda: np.allclose(camera()[:2], middle, atol=1e-4) and camera()[2] > 10)
        page.until(page.settled)
        assert page.facts()["cell"] == "5,20"
        where = page.driver.find_element("id", "where")
        page.until(lambda: "Row 6, column 21" in where.text)  # it fades in
        assert f"seed {2**63 + 5 * COLUMNS + 20}" in where.text
        time.sleep(0.5)  # two clicks, not a double click
        click(600, 400)
        page.until(lambda: np.allclose(camera(), home, atol=1e-3))
        page.until(lambda: page.facts()["cell"] == "")


@pytest.mark.parametrize("calm", [False, True])
def test_flight_visits_cells_and_stops_at_a_touch(chromium: Any, folder: Path, calm: bool) -> None:
    with opened(chromium, (folder / "index.html").as_uri(), calm=calm) as page:
        still = page.js("return __viewer.viewport.getZoom(true)")
        page.press("f")
        assert page.facts()["flying"] == "true"
        page.until(lambda: page.facts()["cell"] != "", 30)
        assert page.js("return __viewer.viewport.getZoom(true)") > 5 * still
        page.press(chr(0xE012))  # an arrow key
        assert page.facts()["flying"] == "false"
        page.until(lambda: page.js("return document.body.matches('.away')"))
        page.press("f")
        page.press("f")
        page.press("f")  # quick fingers: one flight, not two
        assert page.facts()["flying"] == "true"
        page.driver.find_element("id", "home").click()
        page.until(lambda: not page.js("return document.body.matches('.away')"))
        assert page.facts()["flying"] == "false"


def test_a_hostile_prompt_is_only_text(chromium: Any, folder: Path) -> None:
    with opened(chromium, (folder / "index.html").as_uri()) as page:
        assert page.driver.title == HOSTILE
        assert page.driver.find_element("id", "title").text == HOSTILE
        assert page.js("return document.scripts.length") == 3
        assert page.js("return document.images.length") == 0
        page.press("?")
        assert page.driver.find_element("id", "help-title").text == HOSTILE
        page.press("?")
        assert not page.driver.find_element("id", "help").is_displayed()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390), (768, 1024), (1920, 1080)])
def test_nothing_covers_the_picture_at_home(
    chromium: Any, folder: Path, width: int, height: int
) -> None:
    page_url = (folder / "index.html").as_uri()
    with opened(chromium, page_url, width, height, mobile=width < 1000) as page:
        picture_box, *boxes = page.js(
            "const v = window.__viewer, r = v.viewport.viewportToViewerElementRectangle("
            "v.world.getItemAt(0).getBounds());"
            "const out = [[r.x, r.y, r.x + r.width, r.y + r.height]];"
            "for (const id of ['label', 'controls']) { const b = document.getElementById(id)"
            ".getBoundingClientRect(); out.push([b.left, b.top, b.right, b.bottom]); } return out"
        )
        left, top, right, bottom = picture_box
        for x0, y0, x1, y1 in boxes:
            assert x1 <= left + 1 or x0 >= right - 1 or y0 >= bottom - 1 or y1 <= top + 1
            assert x0 >= 0
            assert x1 <= width
            assert y1 <= height
        assert left >= -1
        assert right <= width + 1
        assert (right - left) * (bottom - top) > 0.28 * width * height


SCREENS = [(390, 844), (844, 390), (320, 568), (900, 860), (1280, 800)]


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_what_is_said_of_a_cell_does_not_cover_the_caption(
    chromium: Any, tmp_path: Path, width: int, height: int
) -> None:
    """Of a few large cells it is said while the whole picture is shown, and its caption too."""
    completed(write_deep_zoom([picture()], 2048, 1536, tmp_path))
    facts, seeds = ["12 pictures", "3.1 Mpx", "seed 7"], [2**63 + n for n in range(12)]
    index = write_viewer(
        tmp_path, width=2048, height=1536, title="frog", facts=facts, rows=3, columns=4, seeds=seeds
    )
    with opened(chromium, index.as_uri(), width, height, mobile=width < 850) as page:
        page.until(lambda: page.js("return document.getElementById('where').matches('.shown')"))
        assert not page.js("return document.body.matches('.away')")
        time.sleep(0.8)  # it slides in
        boxes = page.js(
            "return ['where', 'label', 'controls'].map((id) => { const b = document"
            ".getElementById(id).getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]"
            "})"
        )
        (left, top, right, bottom), *others = boxes
        assert left >= 0
        assert top >= 0
        assert right <= width
        for x0, y0, x1, y1 in others:
            assert right <= x0 or left >= x1 or bottom <= y0 or top >= y1


@pytest.mark.parametrize("mobile", [True, False])
def test_buttons_stay_where_nothing_hovers(chromium: Any, folder: Path, mobile: bool) -> None:
    """A mouse brings them back as soon as it moves; a finger would have to guess."""
    size = (390, 844) if mobile else (1280, 800)
    with opened(chromium, (folder / "index.html").as_uri(), *size, mobile=mobile) as page:
        page.press("+")
        page.until(lambda: page.js("return document.body.matches('.away.idle')"))
        time.sleep(0.8)  # they fade
        style = "return getComputedStyle(document.getElementById('controls')).opacity"
        assert page.js(style) == ("1" if mobile else "0")


def test_missing_tiles_are_named(chromium: Any, tmp_path: Path) -> None:
    index = write_viewer(tmp_path, width=2048, height=2048, title="a frog", rows=8, columns=8)
    chromium.get(index.as_uri())
    page = Page(chromium)
    page.until(lambda: page.js("return !document.getElementById('notice').hidden"))
    assert "mosaic_files" in chromium.find_element("id", "notice").text
    chromium.get_log("browser")


def test_a_click_on_a_near_cell_opens_its_photo_from_a_disk(chromium: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    Image.new("RGB", (300, 200), (200, 40, 40)).save(tmp_path / "a photo.png")
    folder = tmp_path / "mosaic"
    completed(write_deep_zoom([picture()], COLUMNS * CELL, ROWS * CELL, folder))
    index = write_viewer(
        folder,
        width=COLUMNS * CELL,
        height=ROWS * CELL,
        title="photos",
        rows=ROWS,
        columns=COLUMNS,
        photos=PagePhotos(["a photo.png"], ["../a%20photo.png"], [0] * (ROWS * COLUMNS)),
    )
    with opened(chromium, index.as_uri()) as page:
        stage = page.driver.find_element("id", "stage")
        for _ in range(2):
            x, y = page.at(5.5, 20.5)
            mouse = ActionChains(page.driver)
            mouse.move_to_element_with_offset(stage, x - 600, y - 400).click().perform()
            page.until(lambda: page.facts()["cell"] == "5,20" and page.settled())
            time.sleep(2)  # it flies there; then two clicks, not a double click
        where = page.driver.find_element("id", "where")
        assert "a photo.png" in where.text
        first, second = page.driver.window_handles
        page.driver.switch_to.window(second)
        page.until(lambda: page.driver.current_url.endswith("/a%20photo.png"))
        page.driver.close()
        page.driver.switch_to.window(first)
