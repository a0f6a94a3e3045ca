"""The tab Ensemble: rows of prompts, areas, sweeps, maps and balances."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digressions.ensembles.ensemble import paint_ensemble
from digressions.ensembles.ensemble_spec import EnsembleSpec
from digressions.errors import InputError
from digressions.events import Preview, Saved
from digressions.generate.file_texts import text_of
from digressions.generate.made_files import settings_of
from digressions.generate.params import PaintSpec
from digressions.generate.previews import LatentColours, PaintPreviews
from digressions.generate.record_reading import record_of
from digressions.images.image_files import read_image, write_image

from .studios import Opened, StudioPage, open_studio, until

from digressions.studio.forms import Form  # isort: skip
from digressions.studio.jobs import Jobs  # isort: skip
from digressions.studio.studio_job import Job  # isort: skip
from digressions.studio.tabs.ensemble_results import shown_ensemble  # isort: skip
from digressions.studio.tabs.ensemble_rows import (  # isort: skip
    COLOURS,
    blank_canvas,
    fitted,
    painted_areas,
    rows_of_settings,
    spec_of_rows,
)

TWO = ["photo of a frog", "photo of a fox"]
QUICK: dict[str, Any] = {"seed": 3, "steps": 2, "enlarge": 1}
ROWS = {"prompt_1": TWO[0], "prompt_2": TWO[1]}


def rgba(colour: str) -> tuple[int, ...]:
    return (*bytes.fromhex(colour[1:]), 255)


# --- the use case ----------------------------------------------------------------------------


def test_pictures_go_into_a_folder_are_shown_and_told_with_map_and_balance(
    bundled: Any, tmp_path: Path
) -> None:
    spec = EnsembleSpec.of(prompts=TWO, map=True, balance=True, **QUICK)
    previews = PaintPreviews(LatentColours.of(bundled), every=0)
    events = list(paint_ensemble(bundled, spec, folder=tmp_path / "out", previews=previews))
    assert sum(isinstance(event, Preview) for event in events) == 2
    picture, shown_map = (event for event in events if isinstance(event, Saved))
    assert picture.path.parent == tmp_path / "out"
    assert picture.details["map"] == str(shown_map.path)
    assert list(picture.details["balance"]) == TWO
    alone = list(paint_ensemble(bundled, spec, folder=tmp_path / "alone"))
    assert not any(isinstance(event, Preview) for event in alone)
    saved = next(event for event in alone if isinstance(event, Saved))
    assert np.array_equal(read_image(saved.path), read_image(picture.path))


def test_a_sweep_tells_its_pictures_in_order(bundled: Any, tmp_path: Path) -> None:
    spec = EnsembleSpec.of(prompts=TWO, sweep=3, n=2, **QUICK)
    previews = PaintPreviews(LatentColours.of(bundled), every=0)
    events = list(paint_ensemble(bundled, spec, folder=tmp_path, previews=previews))
    (told,) = [e.details for e in events if isinstance(e, Saved) and e.details]
    assert (told["sweep"], told["labels"]) == (True, ["0.00", "0.50", "1.00"])
    seeds = [record_of(text_of(Path(path))).params.seed for path in told["pictures"]]
    assert seeds == [3, 3, 3, 4, 4, 4]
    assert any(isinstance(event, Preview) for event in events)


# --- rows ------------------------------------------------------------------------------------


def test_rows_become_prompts_weights_ranges_and_areas() -> None:
    spec = spec_of_rows(
        {"prompt_1": "a frog", "weight_1": 0.7, "area_1": "left", "steps": 4}
        | {"prompt_3": "the sea", "from_3": 0.25, "until_3": 1.0}
    )
    assert spec["weights"] == [0.7, 1.0]
    assert spec["region"] == ["left", "all"]
    first, second = EnsembleSpec.of(**spec).ensemble.terms
    assert (first.weight, first.start, first.end) == (0.7, 0, 1)
    assert (second.weight, second.start, second.end) == (1, 0.25, 1)
    assert spec["steps"] == 4


def test_the_settings_of_a_picture_come_back_into_rows(bundled: Any, tmp_path: Path) -> None:
    spec = EnsembleSpec.of(
        prompts=["a frog @0.25-1", "a fox"], weights=[1, 0.5], region=["left", "all"], **QUICK
    )
    list(paint_ensemble(bundled, spec, tmp_path / "a.png"))
    asked, _ = settings_of(tmp_path / "a.png")
    assert PaintSpec.of(**asked).start.region == ["left", "all"]
    again = EnsembleSpec.of(**spec_of_rows(rows_of_settings(asked)))
    assert again.ensemble == spec.ensemble
    assert again.start.region == ["left", "all"]
    assert again.params.seed == spec.params.seed
    with pytest.raises(InputError, match="7 prompts"):
        rows_of_settings({"prompt": " AND ".join(["a fox"] * 7)})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "prompt_1"),
        ({"prompt_1": "a frog"}, "prompt_2"),
        ({"prompt_2": "a frog"}, "prompt_1"),
        (ROWS | {"prompt_2": "a (fox"}, "prompt_2"),
        (ROWS | {"weight_2": 1e9}, "weight_2"),
        (ROWS | {"weight_1": "much"}, "weight_1"),
        (ROWS | {"from_2": 0.5, "until_2": 0.5}, "from_2"),
        (ROWS | {"guidance": 2000.0}, "guidance"),
    ],
)
def test_what_is_wrong_is_said_at_its_row(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        spec_of_rows(given)
    assert caught.value.field == field


def test_a_prompt_counts_where_its_colour_was_painted(tmp_path: Path) -> None:
    layer = np.zeros((64, 64, 4), np.uint8)
    layer[:, :32] = rgba(COLOURS[2])
    spec = {"prompts": ["a frog", "a fox"], "region": ["top", "all"], "size": "96x64"}
    areas = painted_areas(spec, [1, 3], [layer], tmp_path)
    assert areas is not None
    assert areas[0] == "top"
    mask = read_image(areas[1])[..., 0]
    assert mask.shape == (6 * 64, 6 * 96)  # no smaller than what it was painted on
    assert (mask[:, : 6 * 40].min(), mask[:, 6 * 56 :].max()) == (255, 0)


def test_areas_have_pixels_where_no_size_is_given(tmp_path: Path) -> None:
    layer = np.zeros((512, 512, 4), np.uint8)
    layer[100:140, 200:260] = rgba(COLOURS[0])
    areas = painted_areas({"prompts": ["a bee", "the sea"]}, [1, 2], [layer], tmp_path)
    assert areas is not None
    assert (read_image(areas[0])[100:140, 200:260, 0] == 255).all()


def test_other_colours_and_empty_layers_count_for_no_prompt(tmp_path: Path) -> None:
    layer = np.zeros((64, 64, 4), np.uint8)
    layer[:, :32] = rgba(COLOURS[2])
    spec = {"prompts": ["a frog", "a fox"], "region": ["top", "all"], "size": "96x64"}
    assert painted_areas(spec, [1, 2], [layer], tmp_path) is None


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({}, (512, 512, 3)),
        ({"size": "192x96"}, (256, 512, 3)),
        ({"size": "64"}, (512, 512, 3)),
        ({"size": "96x128"}, (512, 384, 3)),
    ],
)
def test_areas_are_painted_in_the_proportions_of_the_picture(
    given: dict[str, Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    assert blank_canvas(given).shape == shape


def test_the_brush_has_the_proportions_of_a_start_picture_that_is_kept_whole(
    tmp_path: Path,
) -> None:
    write_image(tmp_path / "wide.png", np.zeros((40, 120, 3), np.uint8))
    given = {"image": str(tmp_path / "wide.png"), "fit": "contain"}
    assert blank_canvas(given).shape == (171, 512, 3)
    assert blank_canvas(given | {"fit": "cover"}).shape == (512, 512, 3)


def test_what_is_painted_stays_where_the_proportions_change() -> None:
    layer = np.zeros((512, 512, 4), np.uint8)
    layer[:, 256:] = rgba(COLOURS[1])
    painted = {"background": blank_canvas({}), "layers": [layer], "composite": None}
    update = fitted({"size": "192x96"}, painted)
    (kept,) = update["value"]["layers"]
    assert kept.shape == (256, 512, 4)
    assert (kept[:, 256:] == rgba(COLOURS[1])).all()
    assert not kept[:, :256].any()
    assert "value" not in fitted({"size": "64"}, painted)
    assert "value" not in fitted({"size": "64x"}, painted)


def test_numbers_in_one_text_are_read_as_numbers() -> None:
    import gradio as gr

    form = Form(EnsembleSpec, "programs")
    with gr.Blocks():
        form.add("weights")
        form.add("combine", choices=[("mean: the average", "mean")])
    assert form.fields["combine"].choices == [("mean: the average", "mean")]
    assert form.given(["1, 0.7 -0.5", "mean"]) == {"weights": [1.0, 0.7, -0.5]}
    assert form.given(["1, x", "mean"]) == {"weights": [1.0, "x"]}


# --- results ---------------------------------------------------------------------------------


def test_several_judged_pictures_have_bars_each(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.learn("ensemble", lambda settings: iter(()))
    job = jobs.submit("a", "ensemble", {}, "")
    for number in range(4):
        told = {"balance": {"a <frog>": 0.05, "a fox": 0.01 * number - 0.01}}
        job.take(Saved(tmp_path / f"{number}.png", details=told))
    shown = shown_ensemble(jobs, str(tmp_path / "1.png"), "both")
    assert shown.count('class="bars"') == 5  # of the one that is looked at, and of each
    assert "a &lt;frog&gt;" in shown
    assert "5.0%" in shown
    assert isinstance(job, Job)


# --- in the page -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Iterator[Opened]:
    with open_studio(tmp_path_factory.mktemp("studio") / "out", bundled) as found:
        yield found


def slide(page: StudioPage, value: int) -> None:
    page.js(
        "const slider = document.querySelector('#ensemble-stage .leafing input');"
        "slider.value = arguments[0]; slider.dispatchEvent(new Event('input', {bubbles: true}))",
        value,
    )


@pytest.mark.browser
def test_from_two_prompts_to_a_picture_with_its_map_and_balance(
    page: StudioPage, opened: Opened
) -> None:
    page.open("tab=ensemble&steps=2&enlarge=1&seed=5&map=true&balance=true")
    page.until_filled("ensemble-seed", "5")
    page.type("ensemble-prompt_1", TWO[0])
    page.click("ensemble-go")
    until(lambda: "there is one" in page.text("ensemble-prompt_2"))
    page.type("ensemble-prompt_2", TWO[1])
    page.click("ensemble-go")
    until(lambda: page.state("ensemble") == "finished")
    made = opened.studio.out / "photo-of-a-frog-photo-of-a-fox.png"
    assert record_of(text_of(made)).params.prompt == " AND ".join(TWO)
    assert TWO[1] in page.text("ensemble-stage")
    opacity = "return document.querySelector('#ensemble-stage .map').style.opacity"
    assert page.js(opacity) == "0"
    slide(page, 50)
    assert page.js(opacity) == "0.5"
    until(lambda: "prompt_2=photo+of+a+fox" in page.driver.current_url)


@pytest.mark.browser
def test_a_sweep_is_leafed_through(page: StudioPage) -> None:
    rows = "&".join(f"{name}={text.replace(' ', '+')}" for name, text in ROWS.items())
    page.open(f"tab=ensemble&steps=1&seed=5&{rows}")
    page.until_filled("ensemble-prompt_2", TWO[1])
    page.click("ensemble-sweeps")
    until(lambda: page.state("ensemble") == "finished")
    shown = (
        "return [...document.querySelectorAll('#ensemble-stage .leaf')]"
        ".filter((leaf) => !leaf.hidden).map((leaf) => leaf.dataset.label)"
    )
    assert page.js(shown) == ["0.50"]
    slide(page, 8)
    assert page.js(shown) == ["1.00"]
    assert "1.00" in page.text("ensemble-stage")


@pytest.mark.browser
def test_an_area_is_painted_by_hand(page: StudioPage, opened: Opened) -> None:
    page.open("tab=ensemble&steps=1&enlarge=1&seed=5&prompt_1=a+bee&prompt_3=the+sea")
    page.until_filled("ensemble-prompt_3", "the sea")
    page.fold("Paint the areas by hand")
    page.stroke("ensemble-brush")
    page.click("ensemble-go")
    until(lambda: page.state("ensemble") == "finished")
    regions = record_of(text_of(opened.studio.out / "a-bee-the-sea.png")).regions
    assert regions is not None
    assert regions[1] == {"name": "all"}
    mask = read_image(regions[0]["path"])[..., 0]
    assert 0 < (mask == 255).mean() < 0.5


@pytest.mark.browser
def test_it_fits_a_phone_and_every_control_has_a_name(page: StudioPage) -> None:
    page.open("tab=ensemble", width=390)
    assert page.js("return document.documentElement.scrollWidth") <= 390
    for number in (3, 4):
        page.click("ensemble-more")
        until(lambda number=number: page.driver.find_elements("id", f"ensemble-prompt_{number}"))
    assert page.js("return document.documentElement.scrollWidth") <= 390
    assert page.nameless() == []


# --- for programs ----------------------------------------------------------------------------


def test_ensembles_and_suggestions_are_there_for_programs(opened: Opened) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(opened.address, verbose=False)
    files = client.predict(
        prompts="photo of an owl\nphoto of a cat",
        weights="1,0.5",
        region="left\nright",
        combine="sum",
        **QUICK | {"seed": "3"},
        api_name="/ensemble",
    )
    record = record_of(text_of(Path(files[0])))
    assert record.params.prompt == "photo of an owl AND photo of a cat :0.5"
    assert record.regions == [{"name": "left"}, {"name": "right"}]
    with pytest.raises(AppError, match="several prompts"):
        client.predict(prompts="photo of an owl", api_name="/ensemble")
    with urllib.request.urlopen(f"{opened.address}gradio_api/mcp/schema") as answer:
        tools = {each["name"]: each for each in json.load(answer)}
    (tool,) = [each for name, each in tools.items() if name.endswith("ensemble")]
    assert tool["inputSchema"]["required"] == ["prompts"]
    assert "both a frog and a fox" in tool["description"]
    lines = client.predict(thing="fox", among="wolf\nhouse", api_name="/suggest")
    assert [line.split("% ")[-1] for line in lines[:2]] in (["wolf", "house"], ["house", "wolf"])
