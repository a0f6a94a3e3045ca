"""A mosaic on paper, from its store: the pixels that it has, and what becomes of its pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from PIL import Image

from digressions.errors import ImageError, OutputError
from digressions.generate.results import finish
from digressions.geometry import Box, Size
from digressions.images.image_files import read_image, resample
from digressions.images.rows import Rows, resampled
from digressions.images.source_image import source_image
from digressions.images.upscale import Lanczos
from digressions.mosaics.photos.photo_build import build_photos
from digressions.mosaics.photos.photo_spec import PhotoMosaicSpec
from digressions.mosaics.stored import StoredMosaic
from digressions.prints.print_spec import PrintSpec
from digressions.prints.printing import print_picture

from .albums import album, picture
from .conftest import Ran
from .profiles import cmyk, saved

Digress = Callable[..., Ran]
PLAIN = ("--upscaler", "lanczos")


@pytest.fixture(autouse=True)
def _mosaic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mosaic of 8 x 6 photos of 32 px."""
    monkeypatch.chdir(tmp_path)
    spec = PhotoMosaicSpec.of(
        image=str(picture(Path("me.png"))), tiles=[str(album(Path("p"), 30))], grid="8", size=32
    )
    finish(build_photos(spec, "m"))


def pixels_of(pdf: str) -> np.ndarray:
    """The picture of a page, by pikepdf's own decoder."""
    with pikepdf.open(pdf) as opened:
        found = opened.pages[0].Resources.XObject.Picture
        channels = int(found.DecodeParms.Colors)
        shape = int(found.Height), int(found.Width), channels
        return np.frombuffer(found.read_bytes(), np.uint8).reshape(shape)


# --- rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [Size(300, 211), Size(61, 50), Size(120, 96)])
def test_in_bands_a_picture_is_resampled_as_in_one_piece(size: Size) -> None:
    image = np.random.default_rng(1).integers(0, 256, (110, 140, 3), np.uint8)
    part = Box(10, 7, 130, 103)
    wanted = resample(image[part.top : part.bottom, part.left : part.right], *size)
    found = resampled(Rows.of(image), part, size, None)
    bands = np.concatenate(list(found.bands(17)))
    assert np.abs(bands.astype(int) - wanted).max() <= 1


def test_in_bands_a_picture_is_enlarged_as_in_one_piece() -> None:
    image = np.random.default_rng(1).integers(0, 256, (96, 64, 3), np.uint8)
    found = resampled(Rows.of(image), Box(0, 0, 64, 96), Size(150, 225), Lanczos())
    bands = np.concatenate(list(found.bands(31)))
    wanted = resample(Lanczos()(image), 150, 225)
    assert np.abs(bands.astype(int) - wanted).max() <= 1


def test_a_mosaic_is_read_from_its_store_row_by_row() -> None:
    with StoredMosaic(Path("m")) as mosaic:
        assert (mosaic.grid, mosaic.cell, mosaic.rows.size) == ((8, 6), (32, 32), (256, 192))
        whole = mosaic.rows.whole()
        for top, bottom in ((0, 1), (31, 33), (5, 190), (64, 96), (191, 192)):
            assert np.array_equal(mosaic.rows.get(top, bottom), whole[top:bottom])
    assert np.abs(whole.astype(int) - source_image("m").pixels).mean() < 4  # which is a JPEG


def test_a_store_that_cannot_be_written_is_read() -> None:
    before = Path("m/pictures.sqlite").read_bytes()
    os.chmod("m/pictures.sqlite", 0o444)  # noqa: PTH101
    os.chmod("m", 0o555)  # noqa: PTH101
    try:
        with StoredMosaic(Path("m")) as mosaic:
            assert mosaic.rows.whole().shape == (192, 256, 3)
    finally:
        os.chmod("m", 0o755)  # noqa: PTH101
    assert Path("m/pictures.sqlite").read_bytes() == before
    assert {path.name for path in Path("m").iterdir()} >= {"pictures.sqlite"}
    assert not Path("m/pictures.sqlite-wal").exists()


def test_a_damaged_mosaic_is_one_line(digress: Digress) -> None:
    manifest = Path("m/manifest.json")
    manifest.write_text(
        manifest.read_text("utf-8").replace('"width": 256', '"width": 255'), "utf-8"
    )
    with pytest.raises(ImageError, match="damaged mosaic"):
        StoredMosaic(Path("m"))
    Path("m/pictures.sqlite").write_bytes(b"no store" * 100)
    ran = digress("print", "m", "--size", "A6")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1


# --- posters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["cover", "contain"])
def test_a_poster_has_the_pixels_of_the_store(digress: Digress, fit: str) -> None:
    options = ("--size", "60x50mm", "--dpi", "200", "--bleed", "3mm", "--fit", fit, *PLAIN)
    ran = digress("print", "m", *options, "-o", "a.pdf")
    assert ran.code == 0, ran.err
    with StoredMosaic(Path("m")) as mosaic:
        Image.fromarray(mosaic.rows.whole()).save("whole.png")
    assert digress("print", "whole.png", *options, "-o", "b.pdf").code == 0
    assert np.abs(pixels_of("a.pdf").astype(int) - pixels_of("b.pdf")).max() <= 1
    ran = digress("print", "m", *options, "--marks", "-o", "a.tif")
    assert ran.code == 0, ran.err
    assert digress("print", "whole.png", *options, "--marks", "-o", "b.tif").code == 0
    assert np.abs(read_image("a.tif").astype(int) - read_image("b.tif")).max() <= 1


def test_a_poster_in_a_printers_colours_with_a_proof(digress: Digress, tmp_path: Path) -> None:
    profile = saved(tmp_path, cmyk())
    options = ("--size", "6x5cm", "--icc", str(profile), "--bleed", "2mm", "--proof", *PLAIN)
    ran = digress("print", "m", *options, "-o", "a.pdf")
    assert ran.code == 0, ran.err
    assert "of the picture has colours that" in ran.out + ran.err
    assert pixels_of("a.pdf").shape[2] == 4
    with StoredMosaic(Path("m")) as mosaic:
        Image.fromarray(mosaic.rows.whole()).save("whole.png")
    assert digress("print", "whole.png", *options, "-o", "b.pdf").code == 0
    assert np.abs(pixels_of("a.pdf").astype(int) - pixels_of("b.pdf")).mean() < 1
    one, two = read_image("a-proof.png"), read_image("b-proof.png")
    assert one.shape == two.shape
    assert np.abs(one.astype(int) - two).mean() < 12


def test_what_becomes_of_each_picture_is_told(digress: Digress) -> None:
    ran = digress("print", "m", "--size", "80x60mm", "--dpi", "300", *PLAIN)
    said = " ".join(ran.out.split())
    assert "each of its 48 pictures comes out 10.0 x 10.0 mm large, with 81 DPI of its own" in said
    assert "for 300 DPI let its cells have 120 px, or let --grid be 30x22" in said
    assert "has its aspect" not in said  # it has that already
    ran = digress("print", "m", "--size", "60x60mm", "--dpi", "60", *PLAIN)
    said = " ".join(ran.out.split())
    assert "--grid 7x7 has its aspect, with nothing cut off" in said
    assert "DPI let" not in said


def test_the_grid_that_suits_the_paper_has_its_aspect_and_cells_theirs(digress: Digress) -> None:
    wide: dict[str, Any] = {"image": "me.png", "tiles": ["p"], "size": 32, "cell_aspect": "3:2"}
    finish(build_photos(PhotoMosaicSpec.of(**wide, grid="8x12"), "wide"))
    ran = digress("print", "wide", "--size", "21x29.7cm", "--dpi", "100", *PLAIN)
    said = " ".join(ran.out.split())
    assert "of paper: --grid 8x17 has its aspect, with nothing cut off; for 100 DPI" in said
    assert "let its cells have 72 px on their shorter side" in said  # 17 x 72 >= 1,169
    ran = digress("print", "wide", "--size", "30x30cm", "--dpi", "20", *PLAIN)
    assert "what would suit" not in ran.out  # it is a square
    finish(build_photos(PhotoMosaicSpec.of(**wide, grid="2x1"), "few"))
    ran = digress("print", "few", "--size", "10x13cm", "--dpi", "20", *PLAIN)
    assert "--grid 1x2 has nearly its aspect, with 3 % cut off" in " ".join(ran.out.split())


def test_a_poster_is_printed_again(digress: Digress) -> None:
    options = ("--size", "8x6cm", "--bleed", "3mm", "--marks", *PLAIN)
    assert digress("print", "m", *options, "-o", "a.pdf").code == 0
    assert digress("replay", "a.pdf", "-o", "b.pdf").code == 0
    assert Path("a.pdf").read_bytes() == Path("b.pdf").read_bytes()
    assert digress("print", "m", *options, "-o", "a.pdf").code == 0  # the same may be there
    spec = PhotoMosaicSpec.of(image="me.png", tiles=["p"], grid="8", size=32, band=0)
    finish(build_photos(spec, "other"))
    Path("m").rename("old")
    Path("other").rename("m")
    ran = digress("replay", "a.pdf", "-o", "c.pdf")
    assert ran.code == 2
    assert "m is not the picture it was" in ran.err


def test_a_poster_is_a_sound_pdf(digress: Digress, tool: Callable[..., str]) -> None:
    assert digress("print", "m", "--size", "8x6cm", "--marks", *PLAIN, "-o", "a.pdf").code == 0
    assert "No syntax or stream encoding errors" in tool("qpdf", "--check", "a.pdf")


def test_without_its_store_a_mosaic_is_printed_from_its_pyramid(digress: Digress) -> None:
    Path("m/pictures.sqlite").unlink()
    ran = digress("print", "m", "--size", "8x6cm", *PLAIN, "-o", "a.pdf")
    assert ran.code == 0, ran.err
    assert "each of its" not in ran.out


@pytest.mark.parametrize("suffix", [".pdf", ".tif"])
def test_memory_does_not_grow_with_the_poster(suffix: str) -> None:
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from digressions.generate.results import finish\n"
        "from digressions.prints.print_spec import PrintSpec\n"
        "from digressions.prints.printing import print_picture\n"
        "spec = PrintSpec.of(size=sys.argv[1], dpi=int(sys.argv[2]), upscaler='lanczos')\n"
        "finish(print_picture('m', spec, Path(sys.argv[3])))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )

    def peak(size: str, dpi: int, name: str) -> int:
        command = [sys.executable, "-c", program, size, str(dpi), name]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    small, large = Path(f"small{suffix}"), Path(f"large{suffix}")
    peaks = peak("4x3cm", 200, small.name), peak("12x100cm", 200, large.name)
    assert large.stat().st_size > 3 * small.stat().st_size
    assert peaks[1] - peaks[0] < 24  # MB; its pixels alone are 22


def test_a_full_disk_leaves_nothing(digress: Digress, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("digressions.prints.print_file.zlib.compressobj", full)
    work = print_picture("m", PrintSpec.of(size="A6", upscaler="lanczos"), Path("a.pdf"))
    with pytest.raises(OutputError, match="No space"):
        list(work)
    assert not [path for path in Path().iterdir() if "a.pdf" in path.name]
