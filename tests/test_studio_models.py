"""The tab Models: what is in the folders, and another model in memory in place of the old one."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digressions.errors import InputError
from digressions.generate.model_params import ModelParams
from digressions.models import loading

from .checkpoints import build
from .studios import Opened, StudioPage, open_studio, until
from .test_library import LORA, SD1, put

from digressions.studio.studio import Studio  # isort: skip
from digressions.studio.studio_spec import StudioSpec  # isort: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sd"), "sd")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# --- without a page --------------------------------------------------------------------------


def test_a_model_knows_how_much_memory_its_weights_take(checkpoint: Path) -> None:
    full = loading.load(checkpoint, "cpu", "float32")
    files = sum(path.stat().st_size for path in checkpoint.rglob("*.safetensors"))
    assert 0.9 * files < full.weight_bytes < 1.1 * files


def test_the_old_model_is_gone_before_the_new_one_is_loaded(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(StudioSpec(out=tmp_path), ModelParams(model=str(checkpoint), device="cpu"))
    first = studio.chosen()
    list(studio.model(first))
    old = weakref.ref(studio.now)

    def failing(settings: Any) -> Iterator[Any]:
        model = studio.now
        yield from ()
        raise InputError(f"`steps` is wrong for {model.shown}")

    studio.jobs.learn("failing", failing)
    studio.jobs.start()
    job = studio.jobs.submit("a", "failing", {}, "")
    until(lambda: job.is_over)
    studio.jobs.close()
    assert job.state == "failed"
    load, there = loading.load, []

    def looked(**arguments: Any) -> Any:
        there.append(old())
        return load(**arguments)

    monkeypatch.setattr(loading, "load", looked)
    other = first | {"dtype": "bfloat16"}
    studio.choose(other)
    list(studio.switch(other, first))
    assert there == [None]
    assert studio.in_memory is not None
    assert str(studio.in_memory.dtype) == "torch.bfloat16"


def test_where_a_model_cannot_be_loaded_the_one_before_is_asked_for_again(
    checkpoint: Path, tmp_path: Path
) -> None:
    studio = Studio(StudioSpec(out=tmp_path), ModelParams(model=str(checkpoint), device="cpu"))
    before = studio.chosen()
    wrong = before | {"clip_skip": 30}
    studio.choose(wrong)
    with pytest.raises(InputError, match="clip_skip"):
        list(studio.switch(wrong, before))
    assert studio.chosen() == before


def test_the_model_is_loaded_when_the_page_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, asked = Studio(StudioSpec(out=tmp_path), ModelParams(device="cpu")), threading.Event()
    monkeypatch.setattr(studio, "_load", lambda params: asked.set())
    opening = threading.Thread(target=studio.open)
    opening.start()
    assert not asked.wait(0.2)
    studio.page_seen.set()
    assert asked.wait(20)
    opening.join()
    studio.jobs.close()


# --- in the page -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "models/dream.safetensors", SD1)
    put(tmp_path / "models/ink.safetensors", LORA)
    return tmp_path / "models"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    model = loading.load("bundled", "cpu", "float32")  # its own: it is switched
    with open_studio(tmp_path_factory.mktemp("studio") / "out", model) as found:
        yield found


@pytest.mark.browser
def test_what_is_in_a_folder_is_listed_chosen_and_loaded(
    chromium: Any, opened: Opened, folder: Path, checkpoint: Path
) -> None:
    page = StudioPage(chromium, opened.address)
    page.open(f"tab=models&models={folder}&device=cpu&dtype=float32")
    page.until_filled("models-models", str(folder))
    page.element("models-models").find_element("css selector", "textarea").click()
    page.element("models-lora").find_element("css selector", "textarea").click()  # leaves the field
    until(lambda: "dream" in page.text("models-found"))
    assert "bundled" in page.text("models-loaded")
    page.choose("models-pick", "ink (LoRA, Stable Diffusion 1, 1 MB)")
    page.until_filled("models-lora", f"{folder}/ink.safetensors:1")
    page.choose("models-pick", "dream (checkpoint, Stable Diffusion 1, 1 MB)")
    page.until_filled("models-model", f"{folder}/dream.safetensors")
    page.type("models-model", "no-such-model")
    page.click("models-go")
    until(lambda: "no-such-model" in page.text("models-model"))
    page.open(f"tab=models&model={checkpoint}&device=cpu&dtype=float32")
    page.until_filled("models-model", str(checkpoint))
    page.click("models-go")
    until(lambda: page.state("models") == "finished")
    until(lambda: str(checkpoint) in page.text("models-loaded"))
    assert opened.studio.now.name == str(checkpoint)
    page.open("tab=gallery")  # an address that says nothing of models
    page.driver.find_elements("css selector", "#tabs [role=tab]")[-1].click()
    page.until_filled("models-model", str(checkpoint))  # what is loaded by now
    page.open("tab=models", width=390)
    assert page.js("return document.documentElement.scrollWidth") <= 390
    page.check_quiet()


def test_models_are_there_for_programs(opened: Opened, folder: Path, checkpoint: Path) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(opened.address, verbose=False)
    rows = client.predict(folder=str(folder), part="dream", api_name="/models")
    assert [(row["name"], row["kind"]) for row in rows] == [("dream", "checkpoint")]
    with pytest.raises(AppError, match="no such folder"):
        client.predict(folder=str(folder / "missing"), api_name="/models")
    (line,) = client.predict(model=str(checkpoint), device="cpu", dtype="float32", api_name="/load")
    assert line.startswith(f"{checkpoint}, cpu, float32")
    assert client.predict(api_name="/loaded") == [line]
    with pytest.raises(AppError, match="nothing-here"):
        client.predict(model=str(folder / "nothing-here"), api_name="/load")
