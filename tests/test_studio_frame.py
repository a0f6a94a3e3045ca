"""The tab Frame: from a photo of a room to pictures in it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digressions.frames.frame_records import picture_details
from digressions.generate.file_texts import text_of
from digressions.generate.record_reading import record_of

from .studios import Opened, StudioPage, open_studio, until
from .walls import OPENING, POSTER, framed, painted

from digressions.studio.brushing import mask_over  # isort: skip
from digressions.studio.tabs.frame_views import room  # isort: skip

PROMPTS = ".openings input[type=text]"
QUICK = "tab=frame&steps=2&n=2&upscaler=lanczos"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Iterator[Opened]:
    with open_studio(tmp_path_factory.mktemp("studio") / "out", bundled) as found:
        yield found


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walls") / "living room.png"
    Image.fromarray(framed()).save(path)
    return path


def details_of(path: Path) -> Any:
    return picture_details(record_of(text_of(path)))


# --- for programs ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(opened: Opened) -> Any:
    from gradio_client import Client

    return Client(opened.address, verbose=False)


def test_a_program_finds_openings_and_fills_one(client: Any, wall: Path) -> None:
    from gradio_client import handle_file

    (found,) = client.predict(photo=handle_file(wall), api_name="/find_openings")
    assert found["number"] == 1
    assert np.allclose(found["opening"], OPENING, atol=1.5)
    files = client.predict(
        photo=handle_file(wall),
        prompts="photo of a fox",
        n=1,
        steps=2,
        upscaler="lanczos",
        api_name="/frame",
    )
    names = [re.sub(r"-\w+(?=\.\w+$)", "", Path(each).name) for each in files]
    assert {"picture.png", "room.png"} <= set(names)


def test_a_program_learns_why_the_colours_are_so(client: Any, wall: Path) -> None:
    from gradio_client import handle_file

    photo = handle_file(wall)
    files = client.predict(photo=photo, prompts="a fox", n=3, steps=1, api_name="/explain")
    (said,) = (Path(each) for each in files if Path(each).suffix == ".txt")
    assert "In sum: " in said.read_text("utf-8")


def test_a_program_is_told_what_is_wrong(client: Any, wall: Path) -> None:
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    photo = handle_file(wall)
    with pytest.raises(AppError, match="write into an opening"):
        client.predict(photo=photo, api_name="/frame")
    with pytest.raises(AppError, match="convex"):
        client.predict(photo=photo, prompts="a fox", corners="0,0 9,0 2,1 0,9", api_name="/frame")


def test_what_is_painted_over_a_photo_is_an_opening(opened: Opened, wall: Path) -> None:
    layer = np.zeros((240, 320, 4), np.uint8)
    layer[60:170, 110:210] = (31, 182, 166, 255)
    mask = mask_over(opened.studio, str(wall), [layer])
    shown, error = room(str(wall), mask)
    assert error is None
    (found,) = json.loads(html.unescape(re.findall('data-openings="(.*?)"', shown)[0]))
    assert np.allclose(found, [(219, 119), (420, 119), (420, 340), (219, 340)], atol=1.5)


def test_openings_have_rooms_and_candidates_of_their_own(
    client: Any, opened: Opened, tmp_path: Path
) -> None:
    from gradio_client import handle_file

    Image.fromarray(framed()).save(tmp_path / "two.png")
    quads = [" ".join(f"{x},{y}" for x, y in quad) for quad in (POSTER, OPENING)]
    client.predict(
        photo=handle_file(tmp_path / "two.png"),
        prompts="a fox\na bee",
        corners="\n".join(quads),
        n="1\n2",
        room="auto\n0.1",
        steps=1,
        api_name="/frame",
    )
    made = sorted((opened.studio.out / "two-frame" / "candidates").iterdir())
    assert [path.stem.rpartition("-")[0] for path in made] == ["1-a-fox", "2-a-bee", "2-a-bee"]
    assert [details_of(path).opening.room for path in made] == [0, 0.1, 0.1]


# --- in a browser ----------------------------------------------------------------------------


def give(page: StudioPage, photo: Path) -> list[Any]:
    """Gives a photo to the page; the fields for prompts that are there then."""
    page.upload("frame-photo", photo)
    until(lambda: page.js("return !!document.querySelector('#frame-openings .room.ready')"))
    return list(page.driver.find_elements("css selector", PROMPTS))


def corner(page: StudioPage, name: str) -> Any:
    found = page.driver.find_element("css selector", f"[aria-label='Opening 1, {name} corner']")
    page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
    return found


def corners(page: StudioPage) -> np.ndarray:
    text = page.js("return document.querySelector('#frame-corners textarea').value")
    return np.array([point.split(",") for point in text.split()], float)


def value_of(page: StudioPage, name: str) -> str:
    fields = f"#frame-{name} textarea, #frame-{name} input"
    return str(page.js("return document.querySelector(arguments[0]).value", fields))


def by_finger(page: StudioPage, element: Any, across: int, down: int) -> None:
    """Drags an element by touch."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.interaction import POINTER_TOUCH
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    finger = ActionBuilder(page.driver, mouse=PointerInput(POINTER_TOUCH, "finger"))
    touch = finger.pointer_action
    touch.move_to(element).pointer_down().move_by(across, down).release()
    finger.perform()


@pytest.mark.browser
def test_from_a_photo_to_a_picture_on_the_wall(
    page: StudioPage, opened: Opened, tmp_path: Path
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    page.open(QUICK)
    page.click("frame-go")
    until(lambda: "no photo yet" in page.text("frame-photo"))
    Image.fromarray(framed()).save(tmp_path / "hall.png")
    (prompt,) = give(page, tmp_path / "hall.png")
    page.click("frame-go")
    until(lambda: "write into an opening" in page.text("frame-prompts"))
    prompt.send_keys("photo of a turtle")
    until(lambda: len(corners(page)) == 4)
    assert np.allclose(corners(page), OPENING, atol=1.5)

    scale = 640 / page.js("return document.querySelector('.photo img').clientWidth")
    before = corners(page)
    handle = corner(page, "bottom right")
    ActionChains(page.driver).click_and_hold(handle).move_by_offset(-20, -10).release().perform()
    moved = corners(page) - before
    assert np.allclose(moved[2], [-20 * scale, -10 * scale], atol=0.2)
    handle = corner(page, "top left")
    handle.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.SHIFT, Keys.ARROW_DOWN)
    moved = corners(page) - before
    assert np.allclose(moved[0], [1, 11], atol=0.2)
    assert not moved[[1, 3]].any()

    page.driver.find_element("css selector", ".own [name=room]").send_keys("0.1")
    until(lambda: value_of(page, "room") == "0.1")
    assert value_of(page, "n") == "2"
    page.click("frame-go")
    until(lambda: len(page.driver.find_elements("css selector", ".card")) == 2)
    page.driver.find_elements("css selector", ".card")[1].click()
    page.fold("Refine what is hung")
    page.type("frame-refine", "photo of a red turtle")
    page.driver.find_element("css selector", ".candidates .hang").click()
    until(lambda: page.driver.find_elements("css selector", ".compare"))
    folder = opened.studio.out / "hall-frame"
    details = details_of(folder / "picture.png")
    assert np.allclose(details.opening.corners, corners(page))
    assert details.opening.room == 0.1
    assert details.refine.prompt == "photo of a red turtle"
    assert record_of(text_of(folder / "picture.png")).params.seed == 1
    hung = np.asarray(Image.open(folder / "room.png")).astype(int)
    assert (np.abs(hung - framed()) > 8).any(-1).mean() > 0.05

    slider = page.driver.find_element("css selector", ".compare input")
    slider.send_keys(Keys.END)
    at = "return document.querySelector('.compare').style.getPropertyValue('--at')"
    assert page.js(at) == "100%"


@pytest.mark.browser
def test_a_mask_says_where_the_opening_is(page: StudioPage, wall: Path, tmp_path: Path) -> None:
    mask = np.zeros((480, 640), np.uint8)
    mask[120:340, 220:420] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    page.open(f"{QUICK}&prompts=a+bee")
    page.until_filled("frame-prompts", "a bee")
    give(page, wall)
    until(lambda: len(corners(page)) == 4)
    page.fold("An opening by a mask")
    page.upload("frame-mask", tmp_path / "mask.png")
    until(lambda: page.js("return !!document.querySelector('.room.by-mask.ready')"))
    assert page.driver.find_elements("css selector", ".corner") == []
    assert value_of(page, "corners") == ""
    assert value_of(page, "prompts") == "a bee"


@pytest.mark.browser
def test_an_opening_is_added_where_none_is_found_and_removed(
    page: StudioPage, tmp_path: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    Image.fromarray(painted([])).save(tmp_path / "bare.png")
    page.open(QUICK)
    assert give(page, tmp_path / "bare.png") == []
    assert "add an opening" in page.text("frame-openings")
    page.driver.find_element("css selector", ".room .add").click()
    page.driver.find_element("css selector", PROMPTS).send_keys("photo of an owl")
    until(lambda: len(corners(page)) == 4)
    page.driver.find_element("css selector", ".room .add").click()
    page.driver.switch_to.active_element.send_keys(Keys.DELETE)  # which the new one has
    first = page.driver.find_element("css selector", PROMPTS)
    assert page.driver.switch_to.active_element == first
    corner(page, "top left").send_keys(Keys.DELETE)
    until(lambda: len(corners(page)) == 0)
    assert page.driver.find_elements("css selector", ".corner") == []


@pytest.mark.browser
def test_a_phone_shows_all_and_a_finger_drags_and_picks_colours(
    page: StudioPage, wall: Path
) -> None:
    page.open(QUICK, width=390)
    give(page, wall)
    assert page.js("return document.documentElement.scrollWidth") <= 390
    assert page.nameless() == []
    page.driver.find_element("css selector", PROMPTS).send_keys("a bee")
    until(lambda: len(corners(page)) == 4)
    before = corners(page)
    by_finger(page, corner(page, "bottom left"), 12, -8)
    scale = 640 / page.js("return document.querySelector('.photo img').clientWidth")
    assert np.allclose((corners(page) - before)[3], [12 * scale, -8 * scale], atol=0.2)
    drop = page.driver.find_element("css selector", ".openings .drop")
    drop.click()
    assert drop.get_attribute("aria-pressed") == "true"
    page.driver.find_element("css selector", ".photo img").click()  # in the middle of the opening
    field = "return document.querySelector('#frame-palette input, #frame-palette textarea').value"
    found = until(lambda: page.js(field))
    colour = np.array([int(found[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(colour - (225, 224, 218)).max() < 8
    page.driver.find_element("css selector", ".swatches button").click()
    until(lambda: page.js(field) == "")
