"""The studio for tests: open in this process, with the bundled model loaded already."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

if os.environ.get("DIGRESSIONS_REQUIRE_BROWSER") != "1":
    pytest.importorskip("gradio")

import uvicorn

from digressions.events import Event, Preview, Progress
from digressions.generate.model_params import ModelParams
from digressions.generate.previews import LatentColours
from digressions.studio.endpoints import PROGRAM
from digressions.studio.starting_points import STARTS, StartingPoint
from digressions.studio.studio import Studio
from digressions.studio.studio_job import Job, Settings
from digressions.studio.studio_server import HOST, studio_app
from digressions.studio.studio_spec import StudioSpec
from digressions.studio.tabs.ensemble_rows import spec_of_rows
from digressions.worlds.local_server import listening


class Opened(NamedTuple):
    """A studio that serves."""

    studio: Studio
    address: str


@contextmanager
def open_studio(out: Path, model: Any) -> Iterator[Opened]:
    """A studio with a model in memory, served until the block ends."""
    studio = Studio(StudioSpec(out=out), ModelParams(device="cpu", dtype="float32"))
    studio.has(model, LatentColours.of(model))
    config = uvicorn.Config(studio_app(studio), log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with listening(HOST, 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        until(lambda: status(f"{address}ready") == 204)
        try:
            yield Opened(studio, address)
        finally:
            server.should_exit = True
            thread.join(20)
            studio.jobs.close()


def until(found: Callable[[], Any], seconds: float = 120) -> Any:
    """What is true at last."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def status(address: str, **headers: str) -> int:
    """The code of an answer; 0 without one."""
    request = urllib.request.Request(
        address, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def made_from(opened: Opened, point: StartingPoint) -> Job:
    """Has a starting point made by the endpoint of its tab, and gives back the job."""
    from gradio_client import Client, handle_file

    asked = dict(point.settings)
    if point.tab == "ensemble":  # programs say its prompts otherwise
        asked = spec_of_rows(asked)
    texts = {k: "\n".join(map(str, v)) if isinstance(v, list) else v for k, v in asked.items()}
    files = {name: handle_file(STARTS / file) for name, file in point.pictures.items()}
    patient = {"timeout": 300}  # a busy machine answers late
    client = Client(opened.address, verbose=False, httpx_kwargs=patient)
    client.predict(**files, **texts, api_name=f"/{point.tab}")
    return opened.studio.jobs.of(PROGRAM, [point.tab])[-1]


class Held:
    """Work that goes on when a test lets it."""

    def __init__(self, studio: Studio, kind: str) -> None:
        self._go, self._jobs = threading.Event(), studio.jobs
        self._kind, self._usual = kind, studio.jobs._works[kind]
        self._how = {"kept": False, "resumes": studio.jobs.resumes(kind)}
        self._was = self._how | {"kept": kind not in studio.jobs._passing}

    def __enter__(self) -> Held:
        self._jobs.learn(self._kind, self._work, **self._how)
        return self

    def __exit__(self, *_: object) -> None:
        self.goes_on()
        self._jobs.learn(self._kind, self._usual, **self._was)

    def goes_on(self) -> None:
        """Lets everything be done."""
        self._go.set()

    def _work(self, settings: Settings) -> Iterator[Event]:
        yield Preview(np.full((64, 64, 3), 120, np.uint8), "so far")
        while not self._go.wait(0.05):
            yield Progress("painting", 3, 10)


_IN_MENU = (
    "const tab = [...document.querySelectorAll('.overflow-dropdown button')].find((each) =>"
    " each.textContent.trim().toLowerCase() === arguments[0]); tab?.click(); return !!tab"
)


class StudioPage:
    """The studio in a browser."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.address = driver, address
        self.folder = Path()
        driver.get_log("browser"), driver.get_log("performance")

    def open(
        self, query: str = "", *, again: bool = False, width: int = 1100, height: int = 900
    ) -> None:
        """Opens the page, at a width in pixels; ``again`` for the page that was open before."""
        if not again and self.driver.current_url.startswith(self.address):
            self.js("sessionStorage.clear()")
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get(f"{self.address}?{query}")
        until(
            lambda: self.js("return !!document.querySelector('#page textarea, #page input')?.value")
        )
        time.sleep(0.5)  # what stands in the address is filled in

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def element(self, name: str) -> Any:
        """The element of an id, once it is there: a tab is built when it comes to the front."""
        return until(lambda: self.driver.find_elements("id", name))[0]

    def text(self, name: str) -> str:
        """What it says; nothing while it is being made anew."""
        return str(self.js("return document.getElementById(arguments[0])?.innerText ?? ''", name))

    def state(self, kind: str) -> str:
        """Of the job that a tab shows."""
        script = "return document.querySelector(`#${arguments[0]}-stage .job`)?.dataset.state ?? ''"
        return str(self.js(script, kind))

    def click(self, name: str) -> None:
        """Presses a button, wherever on the page it is."""
        button = self.element(name)
        self.js("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()

    def type(self, name: str, text: str) -> None:
        """Fills a field in."""
        field = self.element(name).find_element("css selector", "textarea, input")
        field.clear()
        field.send_keys(text)

    def fold(self, title: str) -> None:
        """Opens a fold."""
        buttons = self.driver.find_elements("css selector", "button.label-wrap")
        (button,) = [each for each in buttons if each.text.strip().startswith(title)]
        self.js("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        time.sleep(0.3)

    def front(self, tab: str) -> None:
        """Brings a tab to the front."""
        script = (
            "const tab = [...document.querySelectorAll('[role=tab]')].find((each) =>"
            " each.textContent.trim().toLowerCase() === arguments[0] && each.checkVisibility());"
            "tab?.click(); return !!tab"
        )
        if not self.js(script, tab):  # where there is no room for all, a menu has the rest
            self.driver.find_element("css selector", ".overflow-menu > button").click()
            until(lambda: self.js(_IN_MENU, tab))
        script = "return !!document.getElementById(arguments[0])?.checkVisibility()"
        until(lambda: self.js(script, f"{tab}-go"))

    def unfold(self, tab: str) -> None:
        """Opens every fold of a tab."""
        self.js(
            "document.getElementById(`${arguments[0]}-go`).closest('[role=tabpanel]')"
            ".querySelectorAll('button.label-wrap:not(.open)').forEach((each) => each.click())",
            tab,
        )
        time.sleep(0.5)

    def choose(self, name: str, label: str) -> None:
        """Chooses from a menu."""
        field = self.element(name).find_element("css selector", "input")
        self.js("arguments[0].scrollIntoView({block: 'center'})", field)
        field.click()
        options = "[role=option]"
        until(lambda: self.driver.find_elements("css selector", options))
        found = self.driver.find_elements("css selector", options)
        next(each for each in found if each.text.strip().lstrip("✓ ") == label).click()

    def upload(self, name: str, path: Path) -> None:
        """Gives a file to a field."""
        fields = f"#{name} input[type=file]"
        until(lambda: self.driver.find_elements("css selector", fields))[0].send_keys(str(path))
        until(lambda: self.js("return !!document.querySelector(`#${arguments[0]} img`)", name))

    def until_filled(self, name: str, text: str) -> None:
        """Waits until a field has a text, such as what stands in the address."""
        script = "return document.querySelector(`#${arguments[0]} textarea`)?.value"
        until(lambda: self.js(script, name) == text)

    def stroke(self, name: str) -> None:
        """Paints a short stroke in the middle of a picture, once the picture is there."""
        from selenium.webdriver.common.action_chains import ActionChains

        canvas = until(lambda: self.driver.find_elements("css selector", f"#{name} canvas"))[0]
        self.js("arguments[0].scrollIntoView({block: 'center'})", canvas)
        time.sleep(2)
        hand = ActionChains(self.driver).move_to_element(canvas).click_and_hold()
        hand.move_by_offset(8, 4).move_by_offset(-4, 8).release().perform()
        time.sleep(1)

    def nameless(self) -> list[str]:
        """What can be used and has no name for a screen reader, as HTML."""
        found: list[str] = self.js(
            "return [...document.querySelectorAll('input, textarea, select, button')].filter((e) =>"
            " e.offsetParent && !(e.labels && e.labels.length && e.labels[0].textContent.trim()) &&"
            " !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby') &&"
            " !e.textContent.trim() && !e.title).map((e) => e.outerHTML.slice(0, 200))"
        )
        return found

    def check_quiet(self) -> None:
        """Makes sure that nothing went wrong in the page and nothing left the machine."""
        told = [each for each in self.driver.get_log("browser") if each["level"] == "SEVERE"]
        # A page that is left while it follows a job says so.
        left = ("AbortError", "Connection errored out")
        severe = [each for each in told if not any(words in each["message"] for words in left)]
        assert severe == [], severe
        for entry in self.driver.get_log("performance"):
            told = json.loads(entry["message"])["message"]
            url = told.get("params", {}).get("request", {}).get("url", "")
            assert not url.startswith("http") or url.startswith(self.address), url
