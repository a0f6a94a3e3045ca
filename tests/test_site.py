"""A finite world as a folder: whole or not at all, within its size, and in nobody's place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.errors import InputError, OutputError
from digressions.models import Defaults, Model
from digressions.paint import paint_noise
from digressions.upscale import Lanczos
from digressions.worlds.bank import Bank, grow_bank
from digressions.worlds.cache import Cache
from digressions.worlds.page import page_files
from digressions.worlds.site import QUALITIES, Site
from digressions.worlds.world import World

from .conftest import Ran, heed_interrupts, tree
from .test_bank import SMALL
from .test_world import smooth

EXPORT = [
    *("export-site", "frog", "--grid", "8", "--picture-size", "16", "--steps", "1"),
    *("--guidance", "1", "--strength", "0.75", "--sampler", "ddim", "--seed", "3"),
    *("--upscaler", "lanczos", "--device", "cpu", "--dtype", "float32", "--image", "start.png"),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Cache(tmp_path / "c.sqlite") as cache:
        yield World(SMALL, smooth(64), paint_noise, Lanczos(), cache)


@pytest.fixture
def bank(world: World) -> Bank:
    return grow_bank(world, 70)


def site(folder: Path, count: int = 70, most: int = 20_000_000) -> Site:
    return Site(folder, "a frog", SMALL, count, most)


def test_a_folder_holds_the_bank_and_the_whole_page(
    world: World, bank: Bank, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "site"
    counted: list[int] = []
    written = site(folder).write(world, bank, counted.append)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pages = {"index.html", "screensaver.html"}
    pages |= {f"page/{name}" for name in page_files() if name != "index.html"}
    pictures = {f"bank/{index}.webp" for index in range(70)} | {"bank/sheet-0.webp"}
    pictures |= {"bank/sheet-1.webp"}
    maps = {f"bank/{index}.map" for index in range(70)}
    assert names == pages | pictures | maps | {"world.json", "manifest.json"}
    assert len(counted) == len(pictures)
    assert written.quality == QUALITIES[0]
    assert written.size / 3 < site(tmp_path / "other").expected(world) < written.size * 3
    assert written.size == sum(len(content or b"") for content in tree(folder).values())
    for index in (0, 40, 69):
        leads = np.frombuffer((folder / f"bank/{index}.map").read_bytes(), np.uint8)
        assert np.array_equal(leads, bank.next[index])
        canvas = np.asarray(Image.open(folder / f"bank/{index}.webp")).astype(float)
        assert np.abs(canvas - world.canvas(bank.paths[index])).mean() < 12
        sheet = np.asarray(Image.open(folder / f"bank/sheet-{index // 64}.webp")).astype(float)
        top, left = (8 + 32 * at for at in divmod(index % 64, 8))
        picture = sheet[top : top + 16, left : left + 16]
        assert np.abs(picture - bank.pictures[index]).mean() < 25  # noise, in a lossy kind of file
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["site"]


def test_maps_of_large_banks_have_two_bytes_a_cell(world: World, tmp_path: Path) -> None:
    bank = grow_bank(world, 300)
    site(tmp_path / "site", 300).write(world, bank)
    leads = np.frombuffer((tmp_path / "site/bank/7.map").read_bytes(), "<u2")
    assert np.array_equal(leads, bank.next[7])
    assert json.loads((tmp_path / "site/world.json").read_text("utf-8"))["bank"]["wide"] is True


def test_the_quality_goes_by_the_room(world: World, bank: Bank, tmp_path: Path) -> None:
    best = site(tmp_path / "best").write(world, bank)
    most = best.size - 20_000
    smaller = site(tmp_path / "smaller", most=most).write(world, bank)
    assert smaller.quality < best.quality
    assert smaller.size <= most
    assert smaller.size == sum(len(x or b"") for x in tree(tmp_path / "smaller").values())


def test_what_cannot_fit_is_refused_and_leaves_nothing(
    world: World, bank: Bank, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"--reuse 4000: .* do not fit 0.2 MB"):
        site(tmp_path / "site", 4000, 200_000)  # before anything is painted
    small = site(tmp_path / "site", most=75_000)
    assert small.expected(world) == 75_000
    with pytest.raises(InputError, match=r"--reuse 70: .* do not fit 0.075 MB"):
        small.write(world, bank)
    assert not (tmp_path / "site").exists()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_it_goes_into_no_other_folder(world: World, bank: Bank, tmp_path: Path) -> None:
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").touch()
    with pytest.raises(OutputError, match="photos holds other files and no finite world"):
        site(foreign)
    (tmp_path / "letter").touch()
    with pytest.raises(OutputError, match="letter is no folder"):
        site(tmp_path / "letter")
    (foreign / "manifest.json").write_text('{"kind": "digressions mosaic", "job": {}}')
    with pytest.raises(OutputError, match="is not the manifest of a finite world"):
        site(foreign)
    target = tmp_path / "site"
    target.mkdir()  # an empty one is nobody's
    site(target).write(world, bank)
    with pytest.raises(OutputError, match=r"another job \(its world reuse is 70, not 9\)"):
        site(target, 9)
    with pytest.raises(OutputError, match="its title"):
        Site(target, "a fox", SMALL, 70, 20_000_000)
    (target / "index.html").unlink()
    site(target).write(world, bank)  # its own is made again
    assert (target / "index.html").exists()


def test_a_write_that_fails_leaves_what_was_there(
    world: World, bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "site"
    site(target).write(world, bank)
    before = tree(target)

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("digressions.worlds.site.to_webp", full)
    with pytest.raises(OutputError, match="No space left"):
        site(target).write(world, bank)
    assert tree(target) == before


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def _quick(
    bundled: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo: np.ndarray
) -> None:
    monkeypatch.setattr(bundled, "defaults", Defaults(steps=2, guidance=1.0))
    Image.fromarray(photo).save(tmp_path / "start.png")


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--reuse", "1"], "--reuse 1 is out of range"),
        (["--max-mb", "0"], "--max-mb 0"),
        (["--max-mb", "nan"], "--max-mb nan"),
        (["--max-mb", "0.1", "--reuse", "900"], "do not fit 0.1 MB"),
        (["--grid", "4x3"], "a world's grid is square"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--cache-size", "-1"], "--cache-size -1"),
        (["-o", "start.png"], "start.png is no folder"),
        (["-o", "."], "holds other files"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    refused: Callable[..., str], arguments: list[str], words: str
) -> None:
    assert words in refused(*EXPORT, *arguments)


@pytest.mark.usefixtures("_quick")
def test_the_command_says_the_size_first_and_at_the_end(
    digress: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = digress(*EXPORT, "--reuse", "6")
    assert ran.code == 0, ran.err
    first, coverage, last = ran.out.splitlines()
    assert first.startswith("6 pictures to paint and to enlarge")
    assert first.endswith("at most 20 MB")
    assert coverage.startswith("6 pictures cover")
    assert last.startswith("out/frog-site: ")
    manifest = json.loads((tmp_path / "out/frog-site/manifest.json").read_text("utf-8"))
    assert manifest["job"]["world"]["cells"]["prompt"] == "frog"


@pytest.mark.skipif(os.name == "nt", reason="kills")
def test_a_killed_export_leaves_nothing_half_and_goes_on(tmp_path: Path, photo: np.ndarray) -> None:
    Image.fromarray(photo).save(tmp_path / "start.png")
    program = "from digressions.cli import main; main()"
    command = [sys.executable, "-c", program, *EXPORT, "--reuse", "40", "-o", "site"]

    def run() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=tmp_path, preexec_fn=heed_interrupts)

    begun = run()
    try:
        end = time.monotonic() + 400
        while not list(tmp_path.glob(".site.writing/new/bank/*.webp")):
            assert begun.poll() is None
            assert time.monotonic() < end
            time.sleep(0.005)
    finally:
        begun.send_signal(signal.SIGKILL)
        begun.wait()
    assert not (tmp_path / "site").exists()
    assert run().wait(180) == 0
    assert (tmp_path / "site" / "index.html").exists()
    assert not list(tmp_path.glob(".site*"))
