"""The tab Paint in a real browser: paint, cancel, come back, two pages, the brush."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digressions.generate.file_texts import text_of
from digressions.generate.record_reading import record_of

from .studios import Opened, StudioPage, open_studio, until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Iterator[Opened]:
    with open_studio(tmp_path_factory.mktemp("studio") / "out", bundled) as found:
        yield found


def test_from_an_empty_page_to_a_finished_file(page: StudioPage, opened: Opened) -> None:
    page.open("tab=paint&steps=3&enlarge=1")
    page.type("paint-prompt", "photo of a turtle")
    page.type("paint-seed", "11")
    page.click("paint-go")
    until(lambda: page.state("paint") == "finished")
    (made,) = opened.studio.out.glob("photo-of-a-turtle*.png")
    params = record_of(text_of(made)).params
    assert (params.prompt, params.seed, params.steps) == ("photo of a turtle", 11, 3)
    assert made.name in page.text("paint-stage")
    assert page.js("return document.querySelector('#paint-stage img').naturalWidth") == 128
    until(lambda: "seed=11" in page.driver.current_url)
    assert "prompt=photo+of+a+turtle" in page.driver.current_url


def test_an_error_stands_at_its_field(page: StudioPage) -> None:
    page.open("tab=paint&prompt=a+fox")
    page.type("paint-seed", "seven")
    page.click("paint-go")
    until(lambda: "whole number" in page.text("paint-seed"))
    assert "wrong" in page.element("paint-seed").get_attribute("class")


def test_a_job_is_shown_step_by_step_survives_a_reload_and_is_cancelled(page: StudioPage) -> None:
    page.open("tab=paint&prompt=photo+of+a+fox&steps=300&enlarge=1")
    page.click("paint-go")
    until(lambda: page.js("return !!document.querySelector('#paint-stage .sofar img')"))
    page.open("tab=paint", again=True)
    until(lambda: page.state("paint") == "working")
    until(lambda: page.js("return !!document.querySelector('#paint-stage .sofar img')"))
    page.click("paint-cancel")
    until(lambda: page.state("paint") == "cancelled")


def test_two_pages_take_turns(page: StudioPage, opened: Opened) -> None:
    page.open("tab=paint&prompt=photo+of+a+fox&steps=300&enlarge=1")  # for seconds
    first = page.driver.current_window_handle
    page.click("paint-go")
    until(lambda: page.state("paint") == "working")
    page.click("paint-go")
    page.driver.switch_to.new_window("tab")
    try:
        page.open("tab=paint&prompt=photo+of+a+cat&steps=2&enlarge=1")
        page.click("paint-go")
        until(lambda: "Waiting" in page.text("paint-stage"))
        until(lambda: page.state("paint") == "finished")
        assert "photo-of-a-cat" in page.text("paint-stage")
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    until(lambda: not opened.studio.jobs.queue())
    ended = sorted(opened.studio.jobs._jobs.values(), key=lambda job: job.ended or 0)[-3:]
    assert [job.title for job in ended] == ["photo of a fox", "photo of a cat", "photo of a fox"]


def test_only_what_the_brush_painted_over_changes(
    page: StudioPage, opened: Opened, tmp_path: Path
) -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    page.open("tab=paint&prompt=photo+of+a+bee&steps=2&seed=5")
    page.fold("Start from a picture")
    page.fold("Paint only a part of it")
    page.upload("paint-image", tmp_path / "grey.png")
    page.stroke("paint-brush")
    page.click("paint-go")
    until(lambda: page.state("paint") == "finished")
    (made,) = opened.studio.out.glob("photo-of-a-bee*.png")
    changed = (np.asarray(Image.open(made)) != grey).any(-1)
    assert 0 < changed.mean() < 0.8
    assert not changed[:4].any()
    assert record_of(text_of(made)).mask is not None
