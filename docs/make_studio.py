"""The pictures of the studio in `docs/studio.md`: each tab as a browser shows it.

    python -m docs.make_studio
    python -m docs.make_studio --out /tmp/studio --dark --width 390

Opens a studio with the bundled model on this machine, uses it as anybody would, and takes pictures
of the page. Needs Chromium and the extras ``studio`` and ``test``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from digressions.models.loading import load
from tests.conftest import open_chromium
from tests.studios import StudioPage, open_studio, until
from tests.test_library import LORA, SD1, SDXL, VAE, put

PROMPTS = ("photo of a fox", "photo of a turtle", "a drawing of an owl", "photo of a red flower")


def paint(page: StudioPage) -> None:
    """The tab Paint with a finished picture."""
    for seed, prompt in enumerate(PROMPTS, 3):
        page.open(f"tab=paint&prompt={prompt.replace(' ', '+')}&seed={seed}", again=True, **SIZE)
        page.click("paint-go")
        until(lambda: page.state("paint") in ("waiting", "working"))
        until(lambda: page.state("paint") == "finished", 120)
    page.js("window.scrollTo(0, 0)")


def gallery(page: StudioPage) -> None:
    """The tab Gallery with a file that is looked at."""
    page.open("tab=gallery", **SIZE)
    items = "#gallery-wall .thumbnail-item"
    until(lambda: len(page.driver.find_elements("css selector", items)) >= len(PROMPTS))
    page.driver.find_elements("css selector", items)[1].click()
    until(lambda: "prompt" in page.text("gallery-stage"))
    page.js("window.scrollTo(0, 0)")


def mosaic(page: StudioPage) -> None:
    """The tab Mosaic with a finished mosaic to zoom into."""
    page.open("tab=mosaic&start=turtle", **SIZE)
    page.click("mosaic-go")
    until(lambda: page.state("mosaic") in ("waiting", "working"))
    until(lambda: page.state("mosaic") == "finished", 300)
    until(lambda: page.js("return !!document.querySelector('#mosaic-stage iframe')"))
    time.sleep(4)  # its tiles fade in
    page.js("window.scrollTo(0, 0)")


def ensemble(page: StudioPage) -> None:
    """The tab Ensemble with a sweep."""
    rows = "prompt_1=photo+of+a+frog&prompt_2=photo+of+a+fox&seed=1"
    page.open(f"tab=ensemble&{rows}", **SIZE)
    page.click("ensemble-sweeps")
    until(lambda: page.state("ensemble") == "finished", 300)
    page.js("window.scrollTo(0, 0)")


def models(page: StudioPage) -> None:
    """The tab Models with a folder of models."""
    with tempfile.TemporaryDirectory() as folder:
        for name, shapes in FILES.items():
            put(Path(folder) / f"{name}.safetensors", shapes)
        page.open(f"tab=models&models={folder}", **SIZE)
        until(lambda: "ink" in page.text("models-found"))
    page.js("window.scrollTo(0, 0)")


def frame(page: StudioPage) -> None:
    """The tab Frame with a room half before and half after."""
    page.open("tab=frame&start=pair&n=2", **SIZE)
    prompts = "#frame-openings .ready .openings input[type=text]"
    ready = f"return document.querySelectorAll('{prompts}').length"
    until(lambda: page.js(ready) == 2)
    page.click("frame-go")
    until(lambda: page.driver.find_elements("css selector", ".candidates"), 240)
    for grid in page.driver.find_elements("css selector", ".pick"):
        grid.find_element("css selector", ".card").click()
    page.driver.find_element("css selector", ".candidates .hang").click()
    until(lambda: page.driver.find_elements("css selector", ".compare"), 240)
    page.js(
        "const slider = document.querySelector('.compare input'); slider.value = 50;"
        "slider.dispatchEvent(new Event('input', { bubbles: true })); window.scrollTo(0, 0)"
    )


def print_(page: StudioPage) -> None:
    """The tab Print with a proof."""
    page.open("tab=print&size=A4&bleed=3mm&mat=8mm&safe=12mm&dpi=150&upscaler=lanczos", **SIZE)
    page.upload("print-picture", Path(__file__).parent / "images" / "demo.jpg")
    page.click("print-go")
    until(lambda: page.driver.find_elements("css selector", ".proof img"), 120)
    page.js("window.scrollTo(0, 0)")


FILES = {"dreamshaper_8": SD1, "noob_xl": SDXL, "ink": LORA, "anime_vae": VAE}
"""Such as people have."""
TABS: dict[str, Callable[[StudioPage], None]] = {
    "mosaic": mosaic,
    "ensemble": ensemble,
    "frame": frame,
    "print": print_,
    "paint": paint,
    "gallery": gallery,
    "models": models,
}
SIZE: dict[str, Any] = {"width": 1200, "height": 860}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=SIZE["width"])
    arguments = parser.parse_args()
    SIZE["width"] = arguments.width
    arguments.out.mkdir(parents=True, exist_ok=True)
    driver = open_chromium()
    colours = [{"name": "prefers-color-scheme", "value": "dark" if arguments.dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
    model = load("bundled", "cpu", "float32")
    with tempfile.TemporaryDirectory() as folder, open_studio(Path(folder) / "out", model) as found:
        page = StudioPage(driver, found.address)
        for name, use in TABS.items():
            use(page)
            until(lambda: page.js("return [...document.images].every((each) => each.complete)"))
            png = np.frombuffer(driver.get_screenshot_as_png(), np.uint8)
            path = arguments.out / f"studio-{name}.jpg"
            picture = cv2.imdecode(png, cv2.IMREAD_COLOR)
            cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
            print(path, f"{path.stat().st_size // 1000} KB")
    driver.quit()


if __name__ == "__main__":
    main()
