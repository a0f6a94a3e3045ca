"""The tab Gallery: what was made, newest first; again, anew, into another tab, into the trash."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from digressions.errors import InputError
from digressions.generate.made_files import (
    MadeFile,
    made_in,
    out_of_trash,
    settings_of,
    to_trash,
)
from digressions.generate.model_params import ModelParams
from digressions.generate.params import PaintSpec
from digressions.generate.pictures import paint_to_files
from digressions.studio.studio import Studio
from digressions.studio.studio_spec import StudioSpec
from digressions.studio.thumbs import thumb

from .studios import Opened, StudioPage, open_studio, until

A1111 = (
    "a red fox, sharp\nNegative prompt: blurry\nSteps: 9, Sampler: DDIM, CFG scale: 5, Seed: 42, "
    "Size: 128x128, Model hash: 0123456789, Version: v1.10"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Path:
    """A folder with a fox, and a newer owl."""
    folder = tmp_path_factory.mktemp("made")
    for age, prompt in ((100, "photo of a fox"), (50, "photo of an owl")):
        spec = PaintSpec.of(prompt=prompt, seed=4, steps=2, enlarge=1)
        list(paint_to_files(bundled, spec, folder=folder))
        (path,) = folder.glob(f"*{prompt[-3:]}.png")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    return folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "out")
    return tmp_path / "out"


def foreign(path: Path) -> Path:
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", A1111)
    Image.new("RGB", (64, 64), "firebrick").save(path, pnginfo=told)
    return path


# --- without a browser -----------------------------------------------------------------------


def test_the_newest_comes_first_and_words_find_what_files_remember(out: Path) -> None:
    names = [each.path.name for each in made_in(out)]
    assert names == ["photo-of-an-owl.png", "photo-of-a-fox.png"]
    assert [each.path.name for each in made_in(out, "FOX ddim")] == ["photo-of-a-fox.png"]
    assert made_in(out, "fox owl") == []


def test_hidden_files_and_links_are_not_shown(out: Path, tmp_path: Path) -> None:
    (out / ".studio").mkdir()
    shutil.copy(out / "photo-of-a-fox.png", out / ".studio" / "hidden.png")
    (out / "link.png").symlink_to(out / "photo-of-a-fox.png")
    (out / "notes.txt").write_text("not a picture")
    assert len(made_in(out)) == 2


def test_settings_paint_the_same_picture_again(out: Path) -> None:
    asked, notes = settings_of(out / "photo-of-a-fox.png")
    spec = PaintSpec.of(**asked)
    assert (spec.params.prompt, spec.params.seed, spec.params.steps) == ("photo of a fox", 4, 2)
    assert (spec.larger.enlarge, notes) == (1, [])


def test_settings_of_other_programs_are_read(tmp_path: Path) -> None:
    spec = PaintSpec.of(**settings_of(foreign(tmp_path / "a.png"))[0])
    assert (spec.params.negative, spec.params.guidance, spec.params.seed) == ("blurry", 5.0, 42)


def test_what_is_in_the_trash_comes_back_under_a_free_name(out: Path) -> None:
    fox = out / "photo-of-a-fox.png"
    content = fox.read_bytes()
    gone = to_trash(fox, out)
    assert not fox.exists()
    assert [each.path.name for each in made_in(out)] == ["photo-of-an-owl.png"]
    fox.write_bytes(b"another")
    back = out_of_trash(gone, out)
    assert (back.name, back.read_bytes()) == ("photo-of-a-fox-2.png", content)


def test_nothing_outside_the_folder_goes_to_the_trash(out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(b"mine")
    (out / "link.png").symlink_to(other)
    for path in (other, out / ".." / "other.png", out / "link.png", out / "missing.png"):
        with pytest.raises(InputError, match="not among what was made"):
            to_trash(path, out)
    assert other.read_bytes() == b"mine"


def test_what_is_no_picture_shows_its_kind_in_letters(tmp_path: Path) -> None:
    studio = Studio(StudioSpec(out=tmp_path), ModelParams())
    seen = {}
    for kind in ("pdf", "mp4"):
        path = tmp_path / f"fox.{kind}"
        path.write_bytes(b"")
        small = np.asarray(Image.open(thumb(studio, MadeFile(path, 1.0))).convert("L"))
        assert small.shape[0] == small.shape[1]
        assert (small > 200).mean() > 0.01  # letters
        seen[kind] = small
    studio.jobs.close()
    assert (seen["pdf"] != seen["mp4"]).any()


# --- in the page -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, made: Path, bundled: Any) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("studio") / "out"
    shutil.copytree(made, folder)
    with open_studio(folder, bundled) as found:
        yield found


def choose(page: StudioPage, name: str) -> None:
    """Opens the gallery and a file in it."""
    page.open("tab=gallery")
    item = f"#gallery-wall .thumbnail-item[aria-label*='{name}'], #gallery-wall [title*='{name}']"
    until(lambda: page.driver.find_elements("css selector", "#gallery-wall .thumbnail-item"))
    items = page.driver.find_elements("css selector", item)
    names = [each.path.name for each in made_in(page.folder)]
    buttons = page.driver.find_elements("css selector", "#gallery-wall .thumbnail-item")
    (items or [buttons[names.index(name)]])[0].click()
    until(lambda: name in page.text("gallery-stage"))


@pytest.mark.browser
def test_a_file_is_shown_with_what_it_remembers_and_made_again(
    page: StudioPage, opened: Opened
) -> None:
    page.folder = opened.studio.out
    choose(page, "photo-of-a-fox.png")
    assert "photo of a fox" in page.text("gallery-stage")
    page.click("gallery-go")
    until(lambda: page.state("gallery") == "finished")
    (again,) = opened.studio.out.glob("photo-of-a-fox-again*.png")
    before = Image.open(opened.studio.out / "photo-of-a-fox.png")
    assert Image.open(again).tobytes() == before.tobytes()


@pytest.mark.browser
def test_a_new_seed_gives_another_picture(page: StudioPage, opened: Opened) -> None:
    page.folder = opened.studio.out
    choose(page, "photo-of-an-owl.png")
    page.click("gallery-vary")
    until(lambda: page.state("gallery") == "finished")
    other = opened.studio.out / "photo-of-an-owl-2.png"
    owl, new = settings_of(opened.studio.out / "photo-of-an-owl.png")[0], settings_of(other)[0]
    assert owl.pop("seed") != new.pop("seed")
    assert owl == new


@pytest.mark.browser
def test_delete_and_undo(page: StudioPage, opened: Opened) -> None:
    page.folder = opened.studio.out
    fox = opened.studio.out / "photo-of-a-fox.png"
    choose(page, fox.name)
    page.click("gallery-delete")
    until(lambda: not fox.exists())
    until(lambda: page.driver.find_elements("id", "gallery-undo"))
    page.click("gallery-undo")
    until(fox.exists)


@pytest.mark.browser
def test_settings_of_another_program_go_into_the_form(page: StudioPage, tmp_path: Path) -> None:
    page.open("tab=gallery")
    page.fold("Read the settings of a picture")
    page.upload("gallery-dropped", foreign(tmp_path / "a1111.png"))
    until(lambda: "red fox" in page.text("gallery-told"))
    page.choose("gallery-send", "Paint: its settings")
    value = "return document.querySelector('#paint-prompt textarea')?.value ?? ''"
    until(lambda: page.js(value) == "a red fox, sharp")
    assert page.js("return document.querySelector('#paint-seed textarea').value") == "42"
    assert page.element("paint-go").is_displayed()


def test_the_gallery_is_there_for_programs(opened: Opened, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(opened.address, verbose=False)
    rows = client.predict(filter="fox", api_name="/gallery")
    assert all("prompt: photo of a fox" in row["remembers"] for row in rows)
    picture = handle_file(foreign(tmp_path / "a.png"))
    assert client.predict(picture=picture, api_name="/settings")["seed"] == 42
    with pytest.raises(AppError, match="not among what was made"):
        client.predict(name="../made/photo-of-a-fox.png", api_name="/delete")
    files = client.predict(name=rows[0]["name"], api_name="/vary")
    assert len(files) == 1
