"""What the pyramid promises: exact levels, constant memory, nothing half-written, safe text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Generator, Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from digressions.errors import ImageError, OutputError
from digressions.events import completed
from digressions.mosaics import deep_zoom as pyramid
from digressions.mosaics.viewer_page import write_viewer

SIZES = [(1, 1), (1, 9), (37, 53), (512, 512), (513, 511), (700, 1025)]
HOSTILE = "</script><script>alert(1)</script><!-- \"quotes\" 'n' & $data ${title} \u2028 \\u003c"


def write_deep_zoom(*arguments: Any, **options: Any) -> Path:
    return completed(pyramid.write_deep_zoom(*arguments, **options))


def write_single(*arguments: Any, **options: Any) -> Path:
    return completed(pyramid.write_single(*arguments, **options))


def smooth(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / 61 + k) + np.cos(y / 47 - k) for k in range(3)]
    return np.uint8(np.stack(waves, -1) * 60 + 128)


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def strips(picture: np.ndarray, heights: tuple[int, ...] = (1, 70, 200)) -> Iterator[np.ndarray]:
    top = turn = 0
    while top < len(picture):
        height = heights[turn % len(heights)]
        yield picture[top : top + height]
        top, turn = top + height, turn + 1


def level(folder: Path, number: int, tile_size: int, name: str = "mosaic") -> np.ndarray:
    """One level, put together from its tiles."""
    tiles = {
        tuple(map(int, file.stem.split("_"))): np.asarray(Image.open(file).convert("RGB"))
        for file in (folder / f"{name}_files" / str(number)).iterdir()
    }
    columns, rows = (1 + max(key[i] for key in tiles) for i in range(2))
    assert len(tiles) == rows * columns
    for (column, row), tile in tiles.items():
        assert tile.shape[1] == tile_size or column == columns - 1
        assert tile.shape[0] == tile_size or row == rows - 1
    return np.vstack([np.hstack([tiles[c, r] for c in range(columns)]) for r in range(rows)])


def through_jpeg(picture: np.ndarray, tile_size: int) -> np.ndarray:
    """Each tile written as a JPEG of quality 100 and read again."""
    out = np.empty_like(picture)
    for row in range(0, len(picture), tile_size):
        for column in range(0, picture.shape[1], tile_size):
            box = np.s_[row : row + tile_size, column : column + tile_size]
            file = pyvips.Image.new_from_array(picture[box]).jpegsave_buffer(Q=100, keep="none")
            out[box] = Image.open(BytesIO(file)).convert("RGB")
    return out


def halved(picture: np.ndarray) -> np.ndarray:
    rows, columns = (side % 2 for side in picture.shape[:2])
    even = np.pad(picture, ((0, rows), (0, columns), (0, 0)), "edge").astype(np.float64)
    return even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 3).mean((1, 3))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("painter", [smooth, noise])
def test_every_level_is_the_mean_of_the_next(tmp_path: Path, painter, width: int, height: int):
    picture = painter(width, height)
    dzi = write_deep_zoom(
        strips(picture), width, height, tmp_path, name="p", tile_size=128, quality=100
    )
    deepest = (max(width, height) - 1).bit_length()
    assert left_in(tmp_path) == ["p.dzi", "p_files"]
    assert sorted(map(int, left_in(tmp_path / "p_files"))) == list(range(deepest + 1))
    exact = picture
    for number in range(deepest, -1, -1):
        here = level(tmp_path, number, 128, "p")
        assert here.shape == exact.shape
        np.testing.assert_array_equal(here, through_jpeg(exact, 128))
        np.testing.assert_allclose(here.astype(int), exact, atol=4)  # what JPEG itself takes
        exact = np.floor(halved(exact) + 0.5).astype(np.uint8)
    root = ET.parse(dzi).getroot()
    space = {"dz": "http://schemas.microsoft.com/deepzoom/2008"}
    size = root.find("dz:Size", space)
    assert size is not None
    assert (size.get("Width"), size.get("Height")) == (str(width), str(height))
    told = {key: root.get(key) for key in ("Format", "Overlap", "TileSize")}
    assert told == {"Format": "jpg", "Overlap": "0", "TileSize": "128"}


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_one_file_keeps_every_pixel(tmp_path: Path, suffix: str) -> None:
    picture = (smooth if suffix == ".jpg" else noise)(301, 187)
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>a frog</x:xmpmeta>"
    path = write_single(strips(picture), 301, 187, tmp_path / f"one{suffix}", xmp=xmp)
    read = np.asarray(Image.open(path).convert("RGB")).astype(int)
    np.testing.assert_allclose(read, picture, atol=4 if suffix == ".jpg" else 0)
    image = pyvips.Image.new_from_file(str(path))
    assert image.get("xmp-data").startswith(xmp)
    assert image.get_typeof("icc-profile-data")
    assert left_in(tmp_path) == [path.name]


def test_tiff_holds_its_smaller_sizes(tmp_path: Path) -> None:
    picture = noise(700, 600)
    path = write_single(strips(picture), 700, 600, tmp_path / "one.tiff")
    assert path.read_bytes()[:4] in (b"II+\0", b"MM\0+")  # BigTIFF
    half = pyvips.Image.new_from_file(str(path), page=1).numpy()
    np.testing.assert_allclose(half.astype(float), halved(picture), atol=0.5)


@pytest.mark.parametrize("writer", ["deep zoom", ".jpg", ".tif"])
def test_memory_does_not_grow_with_the_picture(tmp_path: Path, writer: str) -> None:
    """Four times the height, 192 MiB of pixels instead of 48, and no more memory."""
    pytest.importorskip("resource")
    script = """if True:
        import resource, sys, tracemalloc
        import numpy as np
        from digressions.events import completed
        from digressions.mosaics.deep_zoom import write_deep_zoom, write_single
        writer, folder, height = sys.argv[1], sys.argv[2], int(sys.argv[3])
        row = np.arange(16384 * 3, dtype=np.uint32).reshape(1, -1, 3)
        strips = (
            ((row + 7 * np.arange(y, y + 64)[:, None, None]) // 3 % 256).astype(np.uint8)
            for y in range(0, height, 64)
        )
        tracemalloc.start()
        if writer == "deep zoom":
            completed(write_deep_zoom(strips, 16384, height, folder))
        else:
            completed(write_single(strips, 16384, height, folder + "/one" + writer))
        print(tracemalloc.get_traced_memory()[1] >> 20)
        try:  # Linux hands ru_maxrss down from the process that started this one; VmHWM it does not
            status = open("/proc/self/status").read()
            print(int(status.split("VmHWM:")[1].split()[0]) >> 10)
        except FileNotFoundError:
            resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(resident >> (20 if sys.platform == "darwin" else 10))
    """

    def peaks(height: int) -> tuple[int, int]:
        command = [sys.executable, "-c", script, writer, str(tmp_path / str(height)), str(height)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        python, resident = map(int, done.stdout.split())
        return python, resident

    short_python, short_resident = peaks(1024)
    python, resident = peaks(4096)
    assert python < short_python + 32  # the picture itself grew by 144 MiB
    assert resident < short_resident + 100
    assert resident < 450


def wrong_type(picture: np.ndarray) -> Iterator[np.ndarray]:
    yield picture.astype(np.float32)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda p: strips(p[:-1]), "149 rows, the picture has 150"),
        (lambda p: [p, p[:1]], "at least 151 rows, the picture has 150"),
        (lambda p: [p[:, :-1]], r"uint8 \(150, 199, 3\), not uint8 \(h, 200, 3\)"),
        (lambda p: [p[:, :, 0]], r"uint8 \(150, 200\)"),
        (wrong_type, "float32"),
        (lambda _: [], "0 rows"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".tif"])
def test_strips_that_do_not_add_up(tmp_path: Path, source, message: str, suffix: str) -> None:
    picture = noise(200, 150)
    write = write_single if suffix else write_deep_zoom
    with pytest.raises(ImageError, match=message):
        write(source(picture), 200, 150, tmp_path / "new" / f"one{suffix}")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("error", [KeyError("cell 7"), OSError(5, "disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("suffix", ["", ".jpg", ".png"])
def test_the_source_fails(tmp_path: Path, error: BaseException, suffix: str) -> None:
    """Its exception comes out as it is; an older picture stays; no thread is left waiting."""
    picture = noise(2000, 600)

    def failing() -> Iterator[np.ndarray]:
        yield picture[:400]
        raise error

    def write(source: Iterator[np.ndarray]) -> None:
        if suffix:
            write_single(source, 2000, 600, tmp_path / f"one{suffix}")
        else:
            write_deep_zoom(source, 2000, 600, tmp_path)

    others = set(threading.enumerate())
    with pytest.raises(type(error)) as caught:
        write(failing())
    assert caught.value is error
    assert left_in(tmp_path) == []
    write(strips(picture))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(type(error)):
        write(failing())
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before == after
    assert not {t for t in threading.enumerate() if "ThreadPoolExecutor" in t.name} - others


@pytest.mark.parametrize("suffix", ["", ".jpg", ".tif"])
def test_closing_it_half_way_leaves_nothing_behind(tmp_path: Path, suffix: str) -> None:
    """It tells how many rows it has read, in order, and can be given up at any of them."""
    picture, others = noise(2000, 600), set(threading.enumerate())

    def work() -> Generator[int, None, Path]:
        if suffix:
            return pyramid.write_single(strips(picture), 2000, 600, tmp_path / f"one{suffix}")
        return pyramid.write_deep_zoom(strips(picture), 2000, 600, tmp_path)

    rows = list(work())
    assert rows == sorted(rows)
    assert rows[-1] == 600
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    half = work()
    while next(half) < 300:
        pass
    half.close()
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before == after
    assert not {t for t in threading.enumerate() if "ThreadPoolExecutor" in t.name} - others


def test_strips_are_read_in_the_callers_thread(tmp_path: Path) -> None:
    """A SQLite cursor insists on it."""
    seen = set()

    def watching() -> Iterator[np.ndarray]:
        for strip in strips(noise(64, 500)):
            seen.add(threading.get_ident())
            yield strip

    write_deep_zoom(watching(), 64, 500, tmp_path)
    assert seen == {threading.get_ident()}


def test_a_new_pyramid_replaces_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".mosaic.dzi.writing" / "new_files").mkdir(parents=True)  # a killed run's
    write_deep_zoom(strips(noise(900, 900)), 900, 900, tmp_path, tile_size=128)
    write_deep_zoom(strips(smooth(90, 90)), 90, 90, tmp_path, tile_size=128)
    assert left_in(tmp_path) == ["mosaic.dzi", "mosaic_files", "notes.txt"]
    assert len(list((tmp_path / "mosaic_files").rglob("*.jpg"))) == 8
    assert 'Width="90"' in (tmp_path / "mosaic.dzi").read_text()


@pytest.mark.parametrize("suffix", ["", ".jpg", ".tif", ".png"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk needs the right to mount one")
    try:
        picture = noise(1024, 1024)
        write = write_single if suffix else write_deep_zoom
        with pytest.raises(OutputError, match="cannot be written: No space left on device"):
            write(strips(picture), 1024, 1024, disk / "a" / f"one{suffix}")
        assert left_in(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # fails if a file is still open


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "one.webp", tmp_path / "one"):
        with pytest.raises(OutputError, match=r"\.jpg, \.tif or \.png"):
            write_single(strips(noise(8, 8)), 8, 8, path)
    with pytest.raises(OutputError, match=r"too large for \.jpg: use \.tif"):
        write_single(iter(()), 65_501, 8, tmp_path / "one.jpg")
    with pytest.raises(OutputError, match=r"too large for \.png"):
        write_single(iter(()), 65_536, 65_536, tmp_path / "one.png")
    with pytest.raises(OutputError, match="XMP"):
        write_single(iter(()), 8, 8, tmp_path / "one.jpg", xmp=b" " * 70_000)
    with pytest.raises(OutputError, match="file"):
        write_deep_zoom(strips(noise(8, 8)), 8, 8, tmp_path / "file")
    with pytest.raises(OutputError, match="file"):
        write_viewer(tmp_path / "file" / "below", width=8, height=8, title="")
    for name in ("", "..", "a/b"):
        with pytest.raises(OutputError, match="cannot name"):
            write_deep_zoom(strips(noise(8, 8)), 8, 8, tmp_path, name=name)
    assert left_in(tmp_path) == ["file"]


def test_odd_names_and_places(tmp_path: Path) -> None:
    """libvips reads options out of brackets in a file name; a path must not be taken for one."""
    folder = tmp_path / "a frog [Q=1] & 100%"
    write_deep_zoom(strips(noise(40, 40)), 40, 40, folder, name="v1.5 [x].zip")
    write_single(strips(noise(40, 40)), 40, 40, folder / "one[Q=1].png")
    write_viewer(folder, width=40, height=40, title="", name="v1.5 [x].zip", rows=4, columns=4)
    assert left_in(folder) == [
        "index.html",
        "one[Q=1].png",
        "v1.5 [x].zip.dzi",
        "v1.5 [x].zip_files",
        "viewer",
    ]
    assert page_data(folder)["tiles"] == "v1.5%20%5Bx%5D.zip_files/"


class Page(HTMLParser):
    """The page as a browser splits it: the elements and the text of each script and title."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.texts.setdefault(self.elements[-1][0], []).append(data)


def page_data(folder: Path) -> dict:
    page = Page((folder / "index.html").read_text("utf-8"))
    return json.loads(page.texts["script"][0])


def test_a_hostile_prompt_stays_text(tmp_path: Path) -> None:
    write_viewer(tmp_path, width=8, height=8, title=HOSTILE, facts=[HOSTILE, "</title>"])
    text = (tmp_path / "index.html").read_text("utf-8")
    plain = tmp_path / "plain"
    write_viewer(plain, width=8, height=8, title="a frog", facts=["seed 7", ""])
    page, tame = Page(text), Page((plain / "index.html").read_text("utf-8"))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in tame.elements]
    assert [set(attrs) for _, attrs in page.elements] == [set(attrs) for _, attrs in tame.elements]
    assert page.texts["title"][0] == HOSTILE
    data = page_data(tmp_path)
    assert data["title"] == HOSTILE
    assert data["facts"] == [HOSTILE, "</title>"]
    assert text.count("</script>") == 3
    assert text.count("<!--") == 0


def test_the_page_knows_its_cells(tmp_path: Path) -> None:
    picture = np.full((512, 1024, 3), 90, np.uint8)
    picture[128:160, 640:656] = (255, 0, 0)  # one cell of 8 x 16 with something in it
    write_deep_zoom(strips(picture), 1024, 512, tmp_path, tile_size=512)
    seeds = [2**63 + n for n in range(128)]
    index = write_viewer(
        tmp_path, width=1024, height=512, title="x", rows=8, columns=16, seeds=seeds
    )
    assert index == tmp_path / "index.html"
    data = page_data(tmp_path)
    assert data["grid"] == {"rows": 8, "columns": 16}
    assert data["seeds"] == [str(seed) for seed in seeds]
    assert data["highlights"][0] == [2, 10]
    assert (tmp_path / data["overview"]).exists()
    with pytest.raises(ValueError, match="3 seeds"):
        write_viewer(tmp_path, width=8, height=8, title="", rows=2, columns=2, seeds=[1, 2, 3])


def test_the_page_is_complete_and_needs_no_network(tmp_path: Path) -> None:
    index = write_viewer(tmp_path, width=8, height=8, title="a frog")
    page = Page(index.read_text("utf-8"))
    wanted = [
        a.get("src") or a.get("href") for tag, a in page.elements if tag in ("script", "link")
    ]
    files = [path for path in wanted if path and "_files/" not in path]
    assert len(files) == 3
    assert all((tmp_path / path).is_file() for path in files)
    assert (tmp_path / "viewer" / "openseadragon" / "LICENSE.txt").is_file()
    own = [index, *(tmp_path / "viewer").glob("viewer.*")]
    for file in own:
        addresses = set(re.findall(r"https?://[^\s\"'<>]+", file.read_text("utf-8")))
        assert addresses <= {"http://schemas.microsoft.com/deepzoom/2008"}, file
        assert "fetch(" not in file.read_text("utf-8")
    write_viewer(tmp_path, width=8, height=8, title="again")  # over an older page
    assert left_in(tmp_path) == ["index.html", "viewer"]


@pytest.mark.skipif(os.name != "posix", reason="counts descriptors in /proc")
def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    write_deep_zoom(strips(noise(300, 300)), 300, 300, tmp_path)
    write_single(strips(noise(300, 300)), 300, 300, tmp_path / "one.tif")
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
