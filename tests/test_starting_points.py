"""Starting points of the studio: settings of a tab that work, each with a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .studios import Opened, StudioPage, made_from, open_studio, until

import digressions.studio.blocks as blocks  # isort: skip
from digressions.generate.model_params import ModelParams  # isort: skip
from digressions.studio.forms import Form  # isort: skip
from digressions.studio.sending import TabParts  # isort: skip
from digressions.studio.starting_points import POINTS, STARTS, StartingPoint  # isort: skip
from digressions.studio.studio import Studio  # isort: skip
from digressions.studio.studio_spec import StudioSpec  # isort: skip
from digressions.studio.tabs.ensemble_rows import spec_of_rows  # isort: skip

HEAVIEST = 12_000  # bytes of a picture that the page shows
IDS = [f"{point.tab}-{point.name}" for point in POINTS]


# --- what is declared ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TabParts]:
    """The tabs of a page."""
    found: list[TabParts] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "wire", lambda tabs, parts: found.extend(parts))
        blocks.page(Studio(StudioSpec(out=tmp_path_factory.mktemp("out")), ModelParams()))
    return {part.tab: part for part in found}


def test_there_are_a_dozen_and_every_tab_that_makes_something_has_some() -> None:
    count = Counter(point.tab for point in POINTS)
    assert len(POINTS) >= 12
    assert {"mosaic", "ensemble", "frame", "print", "paint"} == count.keys()
    assert min(count.values()) >= 2
    assert len({(point.tab, point.name) for point in POINTS}) == len(POINTS)


@pytest.mark.parametrize("point", POINTS, ids=IDS)
def test_a_form_takes_all_of_it_and_the_spec_is_content(
    point: StartingPoint, parts: dict[str, TabParts]
) -> None:
    form = parts[point.tab].form
    assert form is not None
    updates = form.filled(point.given())
    values = [each["value"] if isinstance(each, dict) else each for each in updates]
    given = form.given(values)
    beside = {name: str(STARTS / file) for name, file in point.pictures.items()}
    assert point.given().items() <= (given | beside).items()
    assert all(Path(path).is_file() for path in beside.values())
    if point.tab == "ensemble":
        assert spec_of_rows(given) == spec_of_rows(point.settings)
    else:
        alone = {name: each for name, each in point.given().items() if name in form.fields}
        assert form.spec.of(**given) == form.spec.of(**alone)


def test_every_picture_is_small_and_none_is_left_over() -> None:
    faces = {point.face for point in POINTS}
    for face in faces:
        assert face.stat().st_size <= HEAVIEST, face.name
        with Image.open(face) as picture:
            assert (picture.format, picture.size) == ("WEBP", (192, 192))
    used = {STARTS / file for point in POINTS for file in point.pictures.values()}
    assert set(STARTS.iterdir()) == faces | used


# --- what comes of them ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Iterator[Opened]:
    with open_studio(tmp_path_factory.mktemp("studio") / "out", bundled) as found:
        yield found


def check_made(opened: Opened, point: StartingPoint) -> None:
    job = made_from(opened, point)
    assert job.state == "finished"
    assert job.saved
    assert all(saved.path.is_file() for saved in job.saved)


@pytest.mark.parametrize("name", ["ensemble-beside", "paint-over"])
def test_two_of_them_are_made(name: str, opened: Opened) -> None:
    check_made(opened, POINTS[IDS.index(name)])


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS, ids=IDS)
def test_each_of_them_is_made(point: StartingPoint, opened: Opened) -> None:
    check_made(opened, point)


# --- in the page -----------------------------------------------------------------------------


def value(page: StudioPage, name: str) -> str:
    """What a field shows."""
    script = "const f = document.querySelector(`#${arguments[0]} textarea, #${arguments[0]} input`)"
    return str(page.js(f"{script}; return f?.value ?? ''", name))


def press(page: StudioPage, point: str) -> Any:
    tab, name = point.split("-", 1)
    button = page.driver.find_element("css selector", f"#{tab}-starts [data-start='{name}']")
    page.js("arguments[0].scrollIntoView({inline: 'center'})", button)
    return button


@pytest.mark.browser
def test_one_fills_the_form_and_empties_the_rest_by_keyboard_too(page: StudioPage) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open("tab=mosaic&steps=9&prompt=a+bee")
    page.until_filled("mosaic-prompt", "a bee")
    until(lambda: page.js("return [...document.images].every((each) => each.complete)"))
    loaded = (
        "return [...document.querySelectorAll('#mosaic-starts img')].map((e) => e.naturalWidth)"
    )
    assert page.js(loaded) == [192] * 3
    press(page, "mosaic-sunflowers").send_keys(Keys.ENTER)
    page.until_filled("mosaic-prompt", "a drawing of an owl")
    page.until_filled("mosaic-cell_prompt", "photo of a sunflower")
    assert value(page, "mosaic-steps") == ""
    until(lambda: page.driver.current_url.endswith("?tab=mosaic&start=sunflowers"))
    assert press(page, "mosaic-sunflowers").get_attribute("aria-pressed") == "true"
    page.type("mosaic-seed", "5")
    until(lambda: "cell_prompt=photo+of+a+sunflower" in page.driver.current_url)
    assert press(page, "mosaic-sunflowers").get_attribute("aria-pressed") == "false"
    press(page, "mosaic-turtle").click()
    page.until_filled("mosaic-prompt", "photo of a turtle")
    until(lambda: value(page, "mosaic-cell_prompt") == "")


@pytest.mark.browser
def test_an_address_names_one_and_its_room_comes_with_it(page: StudioPage) -> None:
    page.open("tab=frame&start=pair&seed=9", width=390)
    prompts = "#frame-openings .openings input[type=text]"
    rows = f"return [...document.querySelectorAll('{prompts}')].map((e) => e.value)"
    until(lambda: page.js(rows) == ["photo of a fox", "photo of a parrot"])
    until(lambda: value(page, "frame-seed") == "9")
    assert page.js("return document.documentElement.scrollWidth") <= 390
    assert page.nameless() == []


@pytest.mark.browser
def test_print_keeps_the_picture_that_is_there(page: StudioPage, tmp_path: Path) -> None:
    Image.linear_gradient("L").save(tmp_path / "mine.png")
    page.open("tab=print")
    page.upload("print-picture", tmp_path / "mine.png")
    press(page, "print-shop").click()
    page.until_filled("print-size", "A4")
    source = "return document.querySelector('#print-picture img').src"
    assert page.js(source).endswith("mine.png")


@pytest.mark.browser
def test_what_is_typed_while_the_address_is_read_stays(
    page: StudioPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    read, typed = Form.read_url, threading.Event()

    def late(form: Form, query: Any) -> Any:
        typed.wait(60)
        return read(form, query)

    monkeypatch.setattr(Form, "read_url", late)
    page.open("tab=paint&prompt=a+bee&negative=a+wasp", again=True)
    page.driver.find_element("xpath", "//button[@role='tab'][contains(., 'Paint')]").click()
    page.type("paint-prompt", "a cat")
    typed.set()
    page.until_filled("paint-negative", "a wasp")
    assert value(page, "paint-prompt") == "a cat"
