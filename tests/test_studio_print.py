"""The tab Print: from a picture to a printer's file and its proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from digressions.generate.file_texts import text_of

from .studios import Opened, StudioPage, open_studio, until


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Iterator[Opened]:
    with open_studio(tmp_path_factory.mktemp("studio") / "out", bundled) as found:
        yield found


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "dusk.png")
    return tmp_path / "dusk.png"


def test_a_program_gets_the_file_and_its_proof(opened: Opened, picture: Path) -> None:
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(opened.address, verbose=False)
    asked: dict[str, Any] = {"picture": handle_file(picture), "api_name": "/print"}
    files = client.predict(size="5x5cm", dpi=60, print_as="tif", upscaler="lanczos", **asked)
    assert [Path(each).suffix for each in files] == [".tif", ".png"]
    with Image.open(files[0]) as made:
        assert made.size == (118, 118)
    also = client.predict(size="5x5cm", dpi=80, print_as="pdf", upscaler="lanczos", **asked)
    assert [Path(each).suffix for each in also] == [".pdf", ".png"]
    assert not set(also) & set(files)  # each has a proof of its own
    with pytest.raises(AppError, match="size"):
        client.predict(**asked)


def test_a_mosaic_is_printed_with_all_its_pixels_from_its_folder(opened: Opened) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(opened.address, verbose=False)
    asked = {"prompt": "photo of an elk", "grid": "6", "size": "32", "steps": 1, "reuse": 2}
    client.predict(**asked, api_name="/mosaic")
    poster: dict[str, Any] = {"size": "3x3cm", "api_name": "/poster"}
    file, proof = client.predict(name="photo-of-an-elk", **poster)
    assert file.endswith(".pdf")
    told = json.loads(text_of(Path(file))["print"])
    assert told["image"]["path"] == str(opened.studio.out / "photo-of-an-elk")
    assert "a proof" in text_of(Path(proof))["sheet"]
    job = opened.studio.jobs.of("program", ["poster"])[-1]
    said = [note.text for note in job.notes]
    assert any("each of its 36 pictures comes out 5.0 x 5.0 mm large" in text for text in said)
    for name in ("../dusk.png", "nothing"):
        with pytest.raises(AppError, match="not among what was made"):
            client.predict(name=name, **poster)


@pytest.mark.browser
def test_a_mosaic_of_the_gallery_says_how_large_its_pictures_come_out(
    chromium: Any, opened: Opened
) -> None:
    from gradio_client import Client

    asked = {"prompt": "photo of an ant", "grid": "4", "size": "32", "steps": 1, "reuse": 2}
    Client(opened.address, verbose=False).predict(**asked, api_name="/mosaic")
    page = StudioPage(chromium, opened.address)
    page.open("tab=gallery&filter=ant")
    until(lambda: page.driver.find_elements("css selector", "#gallery-wall .thumbnail-item"))
    until(lambda: len(page.driver.find_elements("css selector", "#gallery-wall img")) == 1)
    page.driver.find_element("css selector", "#gallery-wall .thumbnail-item").click()
    until(lambda: "photo of an ant" in page.text("gallery-stage"))
    page.choose("gallery-send", "Print: picture")
    until(lambda: "photo-of-an-ant" in page.text("print-says"))
    page.type("print-size", "2x2cm")
    until(lambda: "comes out 5.0 x 5.0 mm large, with 163 DPI" in page.text("print-says"))
    page.type("print-size", "4x4cm")
    until(lambda: "comes out 10.0 x 10.0 mm large, with 81 DPI" in page.text("print-says"))
    page.click("print-go")
    until(lambda: page.state("print") == "finished")
    (made,) = opened.studio.out.glob("photo-of-an-ant*.pdf")
    told = json.loads(text_of(made)["print"])
    assert told["image"]["path"] == str(opened.studio.out / "photo-of-an-ant")
    page.driver.find_element(
        "css selector", "#print-picture button[aria-label='Remove Image']"
    ).click()
    until(lambda: page.text("print-says") == "")
    page.check_quiet()


@pytest.mark.browser
def test_from_a_picture_to_a_pdf(chromium: Any, opened: Opened, picture: Path) -> None:
    page, before = StudioPage(chromium, opened.address), {*opened.studio.out.iterdir()}
    page.open("tab=print&bleed=3mm&mat=5mm&dpi=60&upscaler=lanczos")
    page.upload("print-picture", picture)
    page.type("print-size", "5 cm")
    page.click("print-go")
    until(lambda: "wrong" in str(page.element("print-size").get_attribute("class")))
    page.type("print-size", "5x6cm")
    page.click("print-go")
    until(lambda: page.state("print") == "finished")
    (made,) = {*opened.studio.out.glob("dusk*.pdf")} - before
    assert made.read_bytes().startswith(b"%PDF")
    link = page.driver.find_element("css selector", ".files a")
    assert link.get_attribute("download") == made.name
    width = "return document.querySelector('.proof img').naturalWidth"
    assert until(lambda: page.js(width)) == round(56 / 25.4 * 60)
    said = page.driver.find_element("css selector", ".proof figcaption").text
    assert said == "Red: the cut. Orange: what the mat covers."  # there is no safe margin
    page.check_quiet()
