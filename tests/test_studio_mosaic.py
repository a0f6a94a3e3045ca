"""The tab Mosaic: from an empty page to a mosaic to zoom into; pause and go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from digressions.mosaics.production import CellPainter
from digressions.mosaics.sharing import CellTask

from .albums import album, picture
from .studios import Opened, StudioPage, open_studio, status, until

QUICK = "size=32&steps=2&guidance=1&tab=mosaic"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Iterator[Opened]:
    with open_studio(tmp_path_factory.mktemp("studio") / "out", bundled) as found:
        yield found


@pytest.mark.browser
def test_from_an_empty_page_to_a_mosaic_to_zoom_into(page: StudioPage, opened: Opened) -> None:
    page.open(f"{QUICK}&grid=4")
    page.type("mosaic-prompt", "photo of a turtle")
    until(lambda: "16 pictures of 32 px" in page.text("mosaic-cost"))
    until(lambda: "on disk, about" in page.text("mosaic-cost"))  # the time is measured
    page.click("mosaic-go")
    until(lambda: page.js("return !!document.querySelector('#mosaic-stage .sofar img')"))
    until(lambda: page.state("mosaic") == "finished")
    frame = page.driver.find_element("css selector", "#mosaic-stage iframe")
    page.driver.switch_to.frame(frame)
    until(lambda: page.js("return Number(document.documentElement.dataset.tilesLoaded) > 0"))
    assert page.js("return document.documentElement.dataset.tilesFailed") == "0"
    page.driver.switch_to.default_content()
    assert (opened.studio.out / "photo-of-a-turtle" / "mosaic.dzi").is_file()
    assert "fidelity" in page.text("mosaic-stage")
    page.fold("Fall in")
    until(
        lambda: page.js("return (document.querySelector('#fall-way img')?.naturalWidth ?? 0) > 0")
    )
    look = page.driver.find_element("css selector", "#fall-way img")
    page.js("arguments[0].scrollIntoView({block: 'center'})", look)
    look.click()  # its middle
    value = "return document.querySelector('#fall-into textarea').value"
    until(lambda: page.js(value) in ("5", "6", "9", "10"))
    empty = "return document.querySelector('#fall-reuse textarea, #fall-reuse input').value"
    assert page.js(empty) == ""  # the job has left what is not filled in as it was
    page.type("fall-frame_size", "32")
    page.type("fall-levels", "1")
    page.type("fall-seconds", "0.4")
    page.type("fall-fps", "5")
    page.click("fall-go")
    video = "return !!document.querySelector('#mosaic-stage video')"
    until(lambda: page.js(video) or page.state("mosaic") == "failed", 120)
    assert page.js(video), page.text("mosaic-stage")
    assert (opened.studio.out / "photo-of-a-turtle.mp4").is_file()


@pytest.mark.browser
def test_its_poster_goes_to_print_with_all_its_pixels(page: StudioPage) -> None:
    page.open(f"{QUICK}&grid=3&prompt=photo+of+a+crab&reuse=1")
    page.until_filled("mosaic-prompt", "photo of a crab")
    page.click("mosaic-go")
    until(lambda: page.state("mosaic") == "finished")
    page.click("mosaic-poster")
    until(lambda: "photo-of-a-crab" in page.text("print-says"))
    page.type("print-size", "3x3cm")
    until(lambda: "each of its 9 pictures comes out 10.0 x 10.0 mm" in page.text("print-says"))


@pytest.mark.browser
def test_pause_a_reload_and_go_on(
    page: StudioPage, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint = CellPainter.paint

    def slowly(painter: CellPainter, tasks: Sequence[CellTask]) -> Tensor:
        time.sleep(1.5)
        return paint(painter, tasks)

    page.open(f"{QUICK}&prompt=photo+of+a+bee&grid=9")
    monkeypatch.setattr(CellPainter, "paint", slowly)
    page.click("mosaic-go")
    until(lambda: "of 81" in page.text("mosaic-stage"))
    page.click("mosaic-pause")
    until(lambda: page.state("mosaic") == "paused")
    monkeypatch.undo()
    page.open("tab=mosaic", again=True)
    until(lambda: page.state("mosaic") == "paused")
    assert page.text("mosaic-pause") == "Go on"
    page.click("mosaic-pause")
    until(lambda: page.state("mosaic") == "finished")
    assert "already done; continuing with the rest" in page.text("mosaic-stage")
    assert [path.name for path in opened.studio.out.glob("photo-of-a-bee*")] == ["photo-of-a-bee"]


@pytest.mark.browser
def test_an_error_stands_at_its_field(page: StudioPage) -> None:
    page.open("tab=mosaic&prompt=a+fox")
    page.type("mosaic-grid", "many")
    page.click("mosaic-go")
    until(lambda: "wrong" in (page.element("mosaic-grid").get_attribute("class") or ""))
    field = page.element("mosaic-grid").find_element("css selector", "textarea, input")
    until(lambda: field.get_attribute("aria-invalid") == "true")
    read_out = "return document.querySelector('.unseen[role=alert]')?.textContent ?? ''"
    until(lambda: "many" in page.js(read_out))
    until(lambda: page.driver.switch_to.active_element == field)
    page.click("mosaic-go")  # which still says so
    until(lambda: page.driver.switch_to.active_element == field)
    page.open("tab=mosaic&prompt=a+fox&repeat=2")
    page.until_filled("mosaic-prompt", "a fox")
    assert not page.js("return !!document.querySelector('#mosaic-repeat')?.offsetParent")
    page.click("mosaic-go")
    until(lambda: page.js("return !!document.querySelector('#mosaic-repeat.wrong')?.offsetParent"))


def test_programs_ask_what_it_costs_and_make_it(opened: Opened, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    client = Client(opened.address, verbose=False)
    asked = {"prompt": "photo of an elk", "grid": "3", "size": "32", "steps": 2, "guidance": 1}
    (cost,) = client.predict(**asked, api_name="/mosaic_cost")
    assert cost.startswith("9 pictures of 32 px, together 96 x 96 px")
    (made,) = client.predict(**asked, api_name="/mosaic")
    assert Path(made) == opened.studio.out / "photo-of-an-elk" / "index.html"
    photos = {"image": handle_file(picture(tmp_path / "me.png")), "grid": "2"}
    tiles = str(album(tmp_path / "photos", 3))
    (cost,) = client.predict(**photos, tiles=tiles, api_name="/mosaic_cost")
    assert cost.startswith("2x2 cells of 64x64 px, together 128 x 128 px")
    assert "to read and place them" in cost


def test_programs_fly_into_what_was_made_and_into_nothing_else(opened: Opened) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(opened.address, verbose=False)
    asked = {"prompt": "photo of an ant", "grid": "3", "size": "32", "steps": 2, "guidance": 1}
    client.predict(**asked, api_name="/mosaic")
    (site,) = client.predict(name="photo-of-an-ant", pictures=3, api_name="/fly")
    assert (Path(site) / "world.json").is_file()
    with pytest.raises(AppError, match="not among what was made"):
        client.predict(name="../ant", pictures=3, api_name="/fly")


def test_programs_make_mosaics_of_photos(opened: Opened, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    picture(tmp_path / "me.png")
    album(tmp_path / "photos", 30)
    client = Client(opened.address, verbose=False)
    photos = {"prompt": "", "tiles": str(tmp_path / "photos"), "grid": "5", "size": "32"}
    (made,) = client.predict(**photos, image=handle_file(tmp_path / "me.png"), api_name="/mosaic")
    assert Path(made).with_name("mosaic.dzi").is_file()


def test_what_is_about_photos_alone_is_refused_without_them(opened: Opened) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(opened.address, verbose=False)
    with pytest.raises(AppError, match="rotated"):
        client.predict(prompt="a fox", rotated=True, api_name="/mosaic")


def test_pages_among_what_was_made_are_served_and_nothing_else(
    opened: Opened, tmp_path: Path
) -> None:
    page = opened.studio.out / "a page" / "index.html"
    page.parent.mkdir()
    page.write_text("<p>hello")
    (page.parent / "link.html").symlink_to(tmp_path)
    (tmp_path / "secret.html").write_text("secret")
    (page.parent / "secret.html").symlink_to(tmp_path / "secret.html")
    made = f"{opened.address}made"
    assert status(opened.address.rstrip("/") + opened.studio.address(page)) == 200
    assert status(f"{made}/a%20page/secret.html") == 404
    assert status(f"{made}/a%20page/link.html/secret.html") == 404
    assert status(f"{made}/.studio/jobs/") == 404
    assert status(f"{made}/%2e%2e/secret.html") == 404
    assert status(f"{made}//etc/passwd") == 404
    assert status(f"{made}/a%20page/index.html", Host="evil.example") == 421
    assert status(f"{made}/a%20page/index.html", Sec_Fetch_Site="cross-site") == 403
