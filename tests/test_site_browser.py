"""An exported site in a real browser: a plain web server, and nothing of ours behind it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from digressions.geometry import Grid, Size
from digressions.mosaics.cells import DARKEST, band_of, correct_band, to_bytes
from digressions.mosaics.mosaic_spec import CELL_SIDE
from digressions.worlds.site import Site

from .painters import grow_bank
from .test_serve_browser import (
    STILL,
    TITLE,
    N,
    a_world,
    address,
    address_now,
    asynchronous,
    fly_in,
    middle,
    opened,
    settled,
)
from .test_world import cells_with

pytestmark = pytest.mark.browser

DEEP = "/".join(str((37 * depth) % (N * N)) for depth in range(1, 13))
PIXELS = """
const [data, b] = [arguments[0], arguments[1]];
const { bend } = await import("./page/bend.js");
const bytes = Uint8ClampedArray.from(data.bytes);
const powers = new Float64Array(3 * b * b);
const bent = bend(bytes, data.side, data.side, Float64Array.from(data.band), b, powers);
return [...bend(bytes, data.side, data.side, Float64Array.from(data.band), b, powers), ...bent];
"""
CANVASES = """
const { Bank } = await import("./page/bank.js");
const facts = await (await fetch("world.json")).json();
const bank = new Bank(facts);
const never = new AbortController().signal;
const read = async (form, path, cells) => {
  const [image] = await bank.get(form, path, cells, never);
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  return [...context.getImageData(0, 0, image.width, image.height).data];
};
const cells = arguments[0].split("/").map(Number);
const above = cells.slice(0, -1).join("/");
return [
  await read("canvas", above, null),
  await read("picture", above, cells.slice(-1)),
  await read("canvas", above, cells.slice(-1)),
];
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("work")
    folder = tmp_path_factory.mktemp("a site & 100%") / "site"
    with a_world(work) as world:
        site = Site(folder, TITLE, world.manifest, 24, 20_000_000)
        site.write(grow_bank(world, 24))
    shutil.rmtree(work)
    return folder


@pytest.fixture(scope="module")
def home(folder: Path) -> Iterator[str]:
    with served(folder) as home:
        yield home


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """`python -m http.server`, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    assert time.monotonic() < end
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def test_in_by_wheel_to_depth_six_and_back_by_link(chromium: Any, home: str) -> None:
    with opened(chromium, f"{home}#0.37/0.41/1.2") as page:
        page.until(lambda: settled(page))
        assert page.driver.title == TITLE
        assert page.js("return document.images.length") == 0
        fly_in(page, 6)
        place = address(page)
        page.until(lambda: settled(page))
        there = middle(page)
    assert there.std((0, 1)).max() > 3

    with opened(chromium, f"{home}#{place}") as page:
        page.until(lambda: settled(page))
        assert address(page) == place
        assert page.facts()["depth"] == "6"
        assert np.abs(middle(page) - there).mean() < 2


def test_a_link_to_depth_twelve(chromium: Any, home: str) -> None:
    with opened(chromium, f"{home}#{DEEP}/0.5/0.5/3") as page:
        page.until(lambda: settled(page))
        assert page.facts()["depth"] == "12"
        assert int(page.facts()["pictures"]) > 3
        assert middle(page).std((0, 1)).max() > 3


@pytest.mark.parametrize("depth", [1, 12, 60])
def test_every_picture_is_exact_in_its_place(chromium: Any, home: str, depth: int) -> None:
    canvas = check_exact(chromium, home, depth, Size(32, 32))
    assert canvas.std() > 3


@pytest.mark.parametrize("shape", [Size(24, 40), Size(48, 16)], ids=str)
def test_pictures_of_any_shape_are_exact_and_shown_in_it(
    chromium: Any, tmp_path: Path, shape: Size
) -> None:
    with a_world(tmp_path, cells_with(size=shape).but(grid=Grid(N, N))) as world:
        site = Site(tmp_path / "site", TITLE, world.manifest, 24, 20_000_000)
        site.write(grow_bank(world, 24))
    with served(tmp_path / "site") as home:
        check_exact(chromium, home, 12, shape)
        with opened(chromium, f"{home}#0.5/0.5/0.8") as page:
            page.until(lambda: settled(page) and page.js(STILL))
            seen = page.screen().astype(int)
    lit = seen[:, :, 0] > 50  # the root; the room around it is nearly black
    wide, high = (lit.mean(0) > 0.2).sum(), (lit.mean(1) > 0.2).sum()
    assert wide / high == pytest.approx(shape.width / shape.height, rel=0.1)


def check_exact(chromium: Any, home: str, depth: int, shape: Size) -> torch.Tensor:
    """Checks that a picture, and its canvas, are their cell in the browser; gives the canvas."""
    cells = [(37 * at + 90) % (N * N) for at in range(depth)]
    with opened(chromium, home):
        found = asynchronous(chromium, CANVASES, "/".join(map(str, cells)))
    whole = Size(N * CELL_SIDE, N * CELL_SIDE)
    above, picture, canvas = (
        torch.tensor(values).reshape(high, wide, 4)[..., :3].permute(2, 0, 1)[None].float()
        for values, (wide, high) in zip(found, (whole, shape, whole), strict=True)
    )
    row, column = divmod(cells[-1], N)
    rows = slice(CELL_SIDE * row, CELL_SIDE * (row + 1))
    columns = slice(CELL_SIDE * column, CELL_SIDE * (column + 1))
    wanted = band_of(above[:, :, rows, columns], 2)
    assert (band_of(picture, 2) - wanted).abs().max() <= 1
    assert (band_of(canvas, 2) - wanted).abs().max() <= 1
    return canvas


@pytest.mark.parametrize(
    ("b", "kind"),
    [(1, "soft"), (2, "soft"), (4, "soft"), (8, "soft"), (2, "black"), (2, "far")],
)
def test_the_browser_bends_as_python_does(chromium: Any, home: str, b: int, kind: str) -> None:
    chance = np.random.default_rng(b)
    images = torch.from_numpy(chance.integers(0, 256, (1, 3, 24, 24))).float()
    band = torch.from_numpy(chance.uniform(0.35, 0.65, (1, 3, b, b))).float()
    if kind == "black":  # no tone curve makes this bright
        images[:, :, :12] = 0
        band[:, :, :, 0] = 1 - DARKEST
    elif kind == "far":
        band = torch.from_numpy(chance.uniform(0.02, 0.98, (1, 3, b, b))).float()
    opaque = torch.cat([images, torch.full_like(images[:, :1], 255)], 1)
    data = {
        "bytes": opaque[0].permute(1, 2, 0).int().reshape(-1).tolist(),
        "band": band.reshape(-1).tolist(),
        "side": 24,
    }
    with opened(chromium, home):
        found = asynchronous(chromium, PIXELS, data, b)
    again, bent = torch.tensor(found).reshape(2, 24, 24, 4)[..., :3].permute(0, 3, 1, 2)
    wanted = to_bytes(correct_band(images / 255, band).images)[0]
    assert (bent - wanted.int()).abs().max() <= 2
    assert (again - bent).abs().max() <= 2  # wherever it begins, it ends in the same place
    assert (band_of(bent[None].float(), b) / 255 - band).abs().max() <= 1 / 255


def test_the_screensaver_moves_and_leaves_on_a_key(chromium: Any, home: str) -> None:
    with opened(chromium, f"{home}screensaver.html") as page:
        page.until(lambda: page.facts().get("flying") == "true")
        first = address_now(page)
        page.until(lambda: address_now(page) != first)
        assert page.js("return getComputedStyle(document.getElementById('stage')).cursor") == "none"
        page.until(lambda: int(page.facts()["depth"]) >= 2, 60)
        page.press("x")
        page.until(lambda: page.js("return location.pathname") == "/")
        page.until(lambda: page.facts().get("flying") == "false")


def test_nothing_comes_from_elsewhere(chromium: Any, home: str, folder: Path) -> None:
    with opened(chromium, f"{home}#{DEEP}/0.5/0.5/3") as page:
        page.until(lambda: settled(page))
        urls = page.js("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert urls
    assert all(url.startswith(home) for url in urls)
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".js", ".css"):
            text = path.read_text("utf-8").replace("http://localhost:8000/", "")
            assert "http://" not in text.replace("http://www.w3.org", ""), path
            assert "https://" not in text, path


def test_opened_from_a_disk_it_says_what_it_wants(chromium: Any, folder: Path) -> None:
    chromium.get((folder / "index.html").as_uri())
    notice = chromium.find_element("id", "notice")
    assert "web server" in notice.text
    chromium.get("about:blank")
    chromium.get_log("browser")
