"""The tab Print: from a picture to a printer's file and its proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

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
    with pytest.raises(AppError, match="size"):
        client.predict(**asked)


@pytest.mark.browser
def test_from_a_picture_to_a_pdf(chromium: Any, opened: Opened, picture: Path) -> None:
    page = StudioPage(chromium, opened.address)
    page.open("tab=print&bleed=3mm&mat=5mm&dpi=60&upscaler=lanczos")
    page.upload("print-picture", picture)
    page.type("print-size", "5 cm")
    page.click("print-go")
    until(lambda: "wrong" in str(page.element("print-size").get_attribute("class")))
    page.type("print-size", "5x6cm")
    page.click("print-go")
    until(lambda: page.state("print") == "finished")
    (made,) = opened.studio.out.glob("dusk*.pdf")
    assert made.read_bytes().startswith(b"%PDF")
    link = page.driver.find_element("css selector", ".files a")
    assert link.get_attribute("download") == made.name
    width = "return document.querySelector('.proof img').naturalWidth"
    assert until(lambda: page.js(width)) == round(56 / 25.4 * 60)
    page.check_quiet()
