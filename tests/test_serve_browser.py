"""The page in a real browser: in by wheel, back by link, and coarse colours that sharpen."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from torch import Tensor

from digressions.generate.job import Job
from digressions.geometry import Grid, Size
from digressions.images.upscale import Lanczos
from digressions.mosaics.mosaic_spec import CELL_SIDE, Mosaic
from digressions.worlds.cache import Cache
from digressions.worlds.local_server import listening
from digressions.worlds.page import WorldInfo
from digressions.worlds.picture_service import PictureService
from digressions.worlds.server import world_app
from digressions.worlds.ways import best_cells, inner_cells, scores
from digressions.worlds.world import World

from .painters import paint_noise
from .test_viewer_browser import Page
from .test_world import MANIFEST, cells_with

pytestmark = pytest.mark.browser

N, WIDTH, HEIGHT = 16, 480, 320
CELLS = cells_with(size=Size(32, 32)).but(grid=Grid(N, N))
STILL = "return document.getAnimations().every((a) => a.playState === 'finished')"
TITLE = "</script><img src=x onerror=alert(1)> a frog"


class Gate:
    """A painter of noise that can be held up."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()

    def __call__(self, jobs: Sequence[Job]) -> Tensor:
        self.open.wait(30)
        return paint_noise(jobs)


GATE = Gate()


@contextmanager
def a_world(folder: Path, cells: Mosaic = CELLS) -> Iterator[World]:
    """Every cell of the root has a colour of its own."""
    y, x = np.mgrid[0:N, 0:N] / N
    colours = np.stack([60 + 150 * x, 60 + 150 * y, 130 + 60 * np.sin(9 * x + 7 * y)], -1)
    root = colours.astype(np.uint8).repeat(CELL_SIDE, 0).repeat(CELL_SIDE, 1)
    with Cache(folder / "worlds.sqlite") as cache:
        yield World(MANIFEST.but(root="colours", cells=cells), root, GATE, Lanczos(), cache)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def home(folder: Path) -> Iterator[str]:
    with served(folder, CELLS) as home:
        yield home


@contextmanager
def served(folder: Path, cells: Mosaic) -> Iterator[str]:
    info = WorldInfo(TITLE, N, *cells.cell, N * CELL_SIDE)
    app = world_app(PictureService(lambda: a_world(folder, cells)), info)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join(20)


@contextmanager
def opened(driver: Any, url: str) -> Iterator[Page]:
    driver.get("about:blank")
    metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get_log("browser")
    driver.get(url)
    page = Page(driver)
    page.until(lambda: page.js("return document.body.matches('.ready')"))
    yield page
    assert driver.get_log("browser") == []


def wheel(page: Page, x: int, y: int, amount: int) -> None:
    event = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": amount}
    page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def settled(page: Page) -> bool:
    return page.facts().get("settled") == "true"


def address(page: Page) -> str:
    """What the address bar holds when it no longer changes."""
    before, now = None, ""
    while before != now:
        before = now
        time.sleep(0.4)
        now = page.js("return location.hash.slice(1)")
    return now


def asynchronous(driver: Any, script: str, *arguments: object) -> Any:
    """What a script that awaits returns."""
    driver.set_script_timeout(60)
    whole = (
        "const done = arguments[arguments.length - 1];"
        f"(async function () {{ {script} }}).apply(null, arguments).then("
        "(found) => done({ found }), (error) => done({ error: String(error.stack || error) }));"
    )
    answer = driver.execute_async_script(whole, *arguments)
    assert "error" not in answer, answer["error"]
    return answer["found"]


def middle(page: Page) -> np.ndarray:
    return page.screen()[120:200, 200:280].astype(float)


def expected(folder: Path, place: str, kind: Mosaic = CELLS) -> np.ndarray:
    """Mean colour that the world has in the middle, whatever pictures it is made of there."""
    *cells, x, y, zoom = place.split("/")
    with a_world(folder, kind) as world:
        canvas = world.canvas(tuple(map(int, cells)))
    aspect = kind.cell.width / kind.cell.height
    across = 40 / (float(zoom) * min(WIDTH, HEIGHT * aspect))
    half = (across, across * aspect)
    box = [
        (float(at) + sign * most) * canvas.shape[0]
        for sign in (-1, 1)
        for at, most in zip((x, y), half, strict=True)
    ]
    seen = Image.fromarray(canvas).resize((1, 1), Image.Resampling.BOX, tuple(box))
    return np.asarray(seen)[0, 0].astype(float)


def fly_in(page: Page, depth: int) -> None:
    while int(page.facts()["depth"]) < depth:
        wheel(page, WIDTH // 2, HEIGHT // 2, -300)
        time.sleep(0.1)


def test_in_by_wheel_and_back_by_link(chromium: Any, home: str, folder: Path) -> None:
    # In sixteenths all digits of 0.4 and of 0.6 are the same: so far inside at every depth.
    with opened(chromium, f"{home}#0.4/0.6/1.2") as page:
        page.until(lambda: settled(page))
        assert page.driver.title == TITLE
        assert page.js("return document.images.length") == 0
        fly_in(page, 6)
        place = address(page)
        assert re.fullmatch(r"(\d+/){6}0\.\d+/0\.\d+/[\d.]+", place)
        page.until(lambda: settled(page))
        there = middle(page)
        assert int(page.facts()["pictures"]) > 3

    assert np.abs(there.mean((0, 1)) - expected(folder, place)).max() < 8

    with opened(chromium, f"{home}#{place}") as page:
        page.until(lambda: settled(page))
        assert address(page) == place
        assert page.facts()["depth"] == "6"
        assert np.abs(middle(page) - there).mean() < 2
        page.press("h")
        page.until(lambda: not page.js("return document.body.matches('.away')"))
        assert address(page) == ""


def test_a_link_to_depth_twelve(chromium: Any, home: str, folder: Path) -> None:
    place = "/".join(str((37 * depth) % (N * N)) for depth in range(1, 13)) + "/0.5/0.5/3"
    with opened(chromium, f"{home}#{place}") as page:
        page.until(lambda: settled(page), 60)
        assert page.facts()["depth"] == "12"
        there = middle(page)
    assert np.abs(there.mean((0, 1)) - expected(folder, place)).max() < 8


def test_two_fingers_zoom_about_the_point_between_them(chromium: Any, home: str) -> None:
    with opened(chromium, f"{home}#0.5/0.5/2") as page:
        page.until(lambda: settled(page))
        before = address(page)
        touched(page, "touchStart", 20)
        for spread in range(20, 90, 10):
            touched(page, "touchMove", spread)
        touched(page, "touchEnd")
        after = address(page)
        *_, x_before, y_before, zoom_before = map(float, before.split("/"))
        *_, x, y, zoom = map(float, after.split("/"))
        assert zoom / zoom_before == pytest.approx(4, rel=0.1)
        # What lay between the fingers, 40 px to the left of the middle, still lies there.
        side = HEIGHT * zoom_before
        assert x_before - 40 / side == pytest.approx(x - 40 / (HEIGHT * zoom), abs=2 / side)
        assert y == pytest.approx(y_before, abs=2 / side)


def touched(page: Page, kind: str, spread: int | None = None) -> None:
    """Two fingers so many pixels to both sides of (200, 160), or none."""
    points = (
        [] if spread is None else [{"x": 200 + x, "y": 160, "id": x > 0} for x in (-spread, spread)]
    )
    event = {"type": kind, "touchPoints": [point | {"id": int(point["id"])} for point in points]}
    page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", event)


def test_coarse_colours_at_once_that_sharpen(chromium: Any, home: str, folder: Path) -> None:
    place = f"{3 * N + 11}/0.5/0.5/1.2"
    GATE.open.clear()
    try:
        with opened(chromium, f"{home}#{place}") as page:
            page.until(lambda: page.js(STILL))
            coarse = middle(page)
            with a_world(folder) as world:
                colour = world.canvas(())[3 * CELL_SIDE + 4, 11 * CELL_SIDE + 4].astype(float)
            assert np.abs(coarse - colour).max() < 10
            assert page.facts()["settled"] == "false"
            GATE.open.set()
            page.until(lambda: settled(page))
            sharp = middle(page)
            assert sharp.std((0, 1)).min() > 3 * coarse.std((0, 1)).max()
            assert np.abs(sharp.mean((0, 1)) - expected(folder, place)).max() < 8
    finally:
        GATE.open.set()


def test_drag_keys_click_and_bad_links(chromium: Any, home: str) -> None:
    with opened(chromium, f"{home}#nowhere/at/all") as page:
        page.until(lambda: settled(page))
        assert page.facts()["depth"] == "0"
        for key in "+++++":
            page.press(key)
        page.until(lambda: page.js("return document.body.matches('.away')"))
        before = address(page)
        page.press(chr(0xE014))  # the right arrow
        page.until(lambda: address(page) != before)
        x, x_before = (float(text.split("/")[-3]) for text in (address(page), before))
        assert x > x_before
        for kind, left in [("mousePressed", 260), ("mouseMoved", 200), ("mouseReleased", 200)]:
            event = {"type": kind, "x": left, "y": 160, "button": "left", "clickCount": 1}
            page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event | {"buttons": 1})
        assert float(address(page).split("/")[-3]) > x
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": 240, "y": 160, "button": "left", "clickCount": 1}
            page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
        page.until(lambda: int(page.facts()["depth"]) >= 1)


SCORES = """
const { scores } = await import("./page/choosing.js");
const found = scores(Uint8ClampedArray.from(arguments[0]), arguments[1]);
return found.map(({ cell, score }) => [cell, score]);
"""
CHOSEN = """
const { chooseCell } = await import("./page/choosing.js");
const n = arguments[1];
const image = await createImageBitmap(new ImageData(Uint8ClampedArray.from(arguments[0]), n, n));
return Array.from({ length: 40 }, () => chooseCell(image, n));
"""


def test_a_flight_chooses_as_a_film_does(chromium: Any, home: str) -> None:
    colours = np.random.default_rng(3).integers(0, 256, (N, N, 3)).astype(np.uint8)
    colours[:, : N // 2] //= 3  # murk
    pixels = np.concatenate([colours, np.full((N, N, 1), 255, np.uint8)], -1).ravel().tolist()
    canvas, grid = colours.repeat(CELL_SIDE, 0).repeat(CELL_SIDE, 1), Grid(N, N)
    with opened(chromium, home) as page:
        found = asynchronous(page.driver, SCORES, pixels, N)
        chosen = asynchronous(page.driver, CHOSEN, pixels, N)
    wanted = scores(canvas, grid)
    assert [cell for cell, _ in found] == inner_cells(grid)
    assert np.allclose([score for _, score in found], wanted[inner_cells(grid)], rtol=1e-4)
    assert set(chosen) <= set(best_cells(canvas, grid))


def test_the_screensaver_moves_and_leaves_on_a_key(chromium: Any, home: str) -> None:
    with opened(chromium, f"{home}screensaver") as page:
        page.until(lambda: page.facts().get("flying") == "true")
        first = address_now(page)
        page.until(lambda: address_now(page) != first)
        assert page.js("return getComputedStyle(document.getElementById('stage')).cursor") == "none"
        page.press("x")
        page.until(lambda: page.js("return location.pathname") == "/")
        page.until(lambda: page.facts().get("flying") == "false")


def test_a_page_whose_files_are_elsewhere_says_so(chromium: Any, home: str) -> None:
    """As behind a proxy under a path, opened without the last slash."""
    seen = "return getComputedStyle(document.getElementById('lost')).display"
    with opened(chromium, home) as page:
        assert page.js(seen) == "none"
    chromium.get(f"{home}page/index.html")  # which looks for its files in page/page/
    page = Page(chromium)
    assert page.js(seen) == "block"
    assert "If its address does not end with" in page.js("return document.body.innerText")
    chromium.get_log("browser")


def address_now(page: Page) -> str:
    return page.js("return location.hash")


@pytest.mark.parametrize("shape", [Size(24, 40), Size(48, 16)], ids=str)
def test_pictures_of_any_shape_have_the_worlds_colours(
    chromium: Any, tmp_path: Path, shape: Size
) -> None:
    cells = cells_with(size=shape).but(grid=Grid(N, N))
    with served(tmp_path, cells) as home:
        for place in ("0.4/0.6/1.5", "37/0.5/0.3/1.2"):
            with opened(chromium, f"{home}#{place}") as page:
                page.until(lambda page=page: settled(page) and page.js(STILL))
                seen = middle(page)
            assert np.abs(seen.mean((0, 1)) - expected(tmp_path, place, cells)).max() < 6
