"""A finite world as a folder: whole or not at all, within its size, and in nobody's place."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digressions.errors import InputError, OutputError
from digressions.events import Estimate, Note, Progress, Saved
from digressions.images.upscale import Lanczos
from digressions.models.base import Defaults, Model
from digressions.worlds.bank import Bank
from digressions.worlds.cache import Cache
from digressions.worlds.page import page_files
from digressions.worlds.site import QUALITIES, Site
from digressions.worlds.site_export import export_site
from digressions.worlds.world import World
from digressions.worlds.world_spec import SiteSpec

from .conftest import Ran, heed_interrupts, tree
from .painters import grow_bank, paint_noise
from .test_bank import SMALL
from .test_world import smooth

EXPORT = {
    "--grid": "8",
    "--size": "16",
    "--steps": "1",
    "--guidance": "1",
    "--strength": "0.75",
    "--sampler": "ddim",
    "--seed": "3",
    "--upscaler": "lanczos",
    "--device": "cpu",
    "--dtype": "float32",
    "--image": "start.png",
}


def export(*others: str) -> list[str]:
    """The arguments of a small site, with others beside them or in their place."""
    pairs = [pair for pair in EXPORT.items() if pair[0] not in others]
    return ["export-site", "frog", *itertools.chain(*pairs), *others]


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
    written = site(folder).write(bank)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pages = {"index.html", "screensaver.html"}
    pages |= {f"page/{name}" for name in page_files() if name != "index.html"}
    pictures = {f"bank/{index}.webp" for index in range(70)} | {"bank/sheet-0.webp"}
    pictures |= {"bank/sheet-1.webp"}
    maps = {f"bank/{index}.map" for index in range(70)}
    assert names == pages | pictures | maps | {"world.json", "manifest.json"}
    counted = list(site(tmp_path / "counted").writing(bank))
    assert counted == list(range(1, len(pictures) + 1))
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
    site(tmp_path / "site", 300).write(bank)
    leads = np.frombuffer((tmp_path / "site/bank/7.map").read_bytes(), "<u2")
    assert np.array_equal(leads, bank.next[7])
    assert json.loads((tmp_path / "site/world.json").read_text("utf-8"))["bank"]["wide"] is True


def test_the_quality_goes_by_the_room(world: World, bank: Bank, tmp_path: Path) -> None:
    best = site(tmp_path / "best").write(bank)
    most = best.size - 20_000
    smaller = site(tmp_path / "smaller", most=most).write(bank)
    assert smaller.quality < best.quality
    assert smaller.size <= most
    assert smaller.size == sum(len(x or b"") for x in tree(tmp_path / "smaller").values())


def test_what_cannot_fit_is_refused_and_leaves_nothing(
    world: World, bank: Bank, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"reuse 4000: .* do not fit in 0.2 MB"):
        site(tmp_path / "site", 4000, 200_000)  # before anything is painted
    small = site(tmp_path / "site", most=105_000)
    assert small.expected(world) == 105_000
    with pytest.raises(InputError, match=r"reuse 70: .* do not fit in 0.105 MB"):
        small.write(bank)
    assert not (tmp_path / "site").exists()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_it_goes_into_no_other_folder(world: World, bank: Bank, tmp_path: Path) -> None:
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").touch()
    with pytest.raises(OutputError, match="photos holds other files and no finite world"):
        site(foreign)
    (tmp_path / "letter").touch()
    with pytest.raises(OutputError, match="letter is not a folder"):
        site(tmp_path / "letter")
    (foreign / "manifest.json").write_text('{"kind": "digressions mosaic", "job": {}}')
    with pytest.raises(OutputError, match="is not the manifest of a finite world"):
        site(foreign)
    target = tmp_path / "site"
    target.mkdir()  # an empty one is nobody's
    site(target).write(bank)
    with pytest.raises(OutputError, match=r"another job \(the reuse of its world is 70, not 9\)"):
        site(target, 9)
    with pytest.raises(OutputError, match="its title"):
        Site(target, "a fox", SMALL, 70, 20_000_000)
    (target / "CNAME").write_text("mine")
    (target / "index.html").unlink()
    site(target).write(bank)  # its own is made again
    assert (target / "CNAME").read_text() == "mine"
    assert (target / "index.html").exists()


def test_a_write_that_fails_leaves_what_was_there(
    world: World, bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "site"
    site(target).write(bank)
    before = tree(target)

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("digressions.worlds.site.to_webp", full)
    with pytest.raises(OutputError, match="No space left"):
        site(target).write(bank)
    assert tree(target) == before


# --- the use case ------------------------------------------------------------------------------


def a_spec(**changes: object) -> SiteSpec:
    given: dict[str, object] = {
        "prompt": "a frog",
        "grid": 8,
        "size": 16,
        "steps": 1,
        "strength": 0.75,
        "seed": 3,
        "upscaler": "lanczos",
        "image": smooth(64),
        "reuse": 6,
    }
    return SiteSpec.of(**given | changes)


def test_a_site_says_what_it_takes_how_far_it_is_and_what_came_of_it(
    bundled: Model, tmp_path: Path
) -> None:
    spec = a_spec(cache=tmp_path / "w.sqlite")
    estimate, *between, saved = export_site(bundled, spec, tmp_path / "site")
    assert isinstance(estimate, Estimate)
    assert (estimate.pictures, estimate.disk is None) == (6, False)
    assert "which fill the 64 cells of every picture, endlessly" in estimate.text
    tasks = dict.fromkeys(event.task for event in between if isinstance(event, Progress))
    assert list(tasks) == ["painting the bank", "writing"]
    (coverage,) = (event for event in between if isinstance(event, Note))
    assert coverage.text.startswith("6 pictures cover ")
    assert isinstance(saved, Saved)
    assert saved.path == tmp_path / "site"
    assert saved.details["pictures"] == 6
    assert saved.details["size"] == sum(len(x or b"") for x in tree(tmp_path / "site").values())
    info = json.loads((tmp_path / "site/world.json").read_text("utf-8"))
    assert (info["title"], info["per_request"]) == ("a frog", 64)


def test_a_site_that_is_cancelled_leaves_no_folder(bundled: Model, tmp_path: Path) -> None:
    spec = a_spec(cache=tmp_path / "w.sqlite")
    making = export_site(bundled, spec, tmp_path / "site")
    assert isinstance(making, Generator)
    for event in making:
        if isinstance(event, Progress) and event.task == "writing":
            break
    making.close()
    assert [path.name for path in tmp_path.iterdir()] == ["w.sqlite"]


def test_a_site_needs_none_of_the_servers_packages() -> None:
    program = (
        "import sys; sys.modules |= {'starlette': None, 'uvicorn': None}\n"
        "import digressions.worlds.site"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


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
        (["--max-mb", "nan"], "--max-mb is nan"),
        (["--max-mb", "0.1", "--reuse", "900"], "do not fit in 0.1 MB"),
        (["--grid", "4x3"], "--grid 4 --cell-aspect 4:3 gives all of them that aspect"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--cache-size", "-1"], "--cache-size -1"),
        (["-o", "start.png"], "start.png is not a folder"),
        (["-o", "."], "holds other files"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    refused: Callable[..., str], arguments: list[str], words: str
) -> None:
    assert words in refused(*export(*arguments))


@pytest.mark.usefixtures("_quick")
def test_the_command_says_the_size_first_and_at_the_end(
    digress: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = digress(*export("--reuse", "6"))
    assert ran.code == 0, ran.err
    first, coverage, last = ran.out.splitlines()
    assert first.startswith("6 pictures to paint and enlarge")
    assert first.endswith("at most 20 MB")
    assert coverage.startswith("6 pictures cover")
    assert last.startswith("out/frog-site: ")
    manifest = json.loads((tmp_path / "out/frog-site/manifest.json").read_text("utf-8"))
    assert manifest["job"]["world"]["cells"]["params"]["prompt"] == "frog"


@pytest.mark.skipif(os.name == "nt", reason="kills")
def test_a_killed_export_leaves_nothing_half_and_goes_on(tmp_path: Path, photo: np.ndarray) -> None:
    Image.fromarray(photo).save(tmp_path / "start.png")
    program = "from digressions.cli.app import main; main()"
    command = [sys.executable, "-c", program, *export("--reuse", "40", "-o", "site")]

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
