"""The queue in the page and for programs; what a studio that was killed had not finished."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from digressions.generate.file_texts import text_of
from digressions.generate.record_reading import record_of
from digressions.worlds.local_server import listening

from .studios import Held, Opened, StudioPage, open_studio, status, until
from .walls import framed

from digressions.studio.queue_panel import queue_rows  # isort: skip

QUICK: dict[str, Any] = {"steps": 2, "enlarge": 1, "seed": "3"}
LONG = 100  # steps, and the model is loaded first
KILLED = ["photo of a fox", "photo of a frog AND photo of an owl", "photo of a bee", "a drawing"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a studio that was killed with a job at work and three that waited."""
    from gradio_client import Client, handle_file

    folder = tmp_path_factory.mktemp("killed")
    Image.fromarray(framed()).save(folder / "hall.png")
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "digressions", "studio", "--port", str(port)]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    studio = subprocess.Popen(
        [*command, "--device", "cpu", "--dtype", "float32"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}/"
        until(lambda: status(f"{address}ready") == 204, 300)
        client = Client(address, verbose=False, httpx_kwargs={"timeout": 120})
        client.submit(prompt=KILLED[0], **QUICK | {"steps": LONG}, api_name="/paint")
        until(lambda: [job["state"] for job in client.predict(api_name="/queue")] == ["working"])
        photo = handle_file(folder / "hall.png")
        two = KILLED[1].replace(" AND ", "\n")
        quick = {"steps": 1, "n": 1, "upscaler": "lanczos"}
        for count, (asked, name) in enumerate(
            [
                ({"prompts": two, **QUICK}, "/ensemble"),
                ({"photo": photo, "prompts": KILLED[2], **quick}, "/frame"),
                ({"prompt": KILLED[3], **QUICK}, "/paint"),
            ],
            2,
        ):
            client.submit(**asked, api_name=name)
            until(lambda count=count: len(client.predict(api_name="/queue")) == count)
        os.kill(studio.pid, signal.SIGKILL)
    finally:
        studio.kill()
        studio.wait()
    assert list((folder / "out").glob("*.png")) == []
    return folder / "out"


@pytest.fixture(scope="module")
def opened(killed: Path, bundled: Any) -> Iterator[Opened]:
    with open_studio(killed, bundled) as found:
        yield found


@pytest.fixture(scope="module")
def client(opened: Opened) -> Any:
    from gradio_client import Client

    return Client(opened.address, verbose=False)


def titles(page: StudioPage, place: str) -> list[str]:
    """What a list of jobs says, those that are seen."""
    script = (
        "return [...document.querySelectorAll(`#${arguments[0]} li .title`)]"
        ".filter((e) => e.checkVisibility()).map((e) => e.textContent)"
    )
    return list(page.js(script, place))


def press(page: StudioPage, label: str) -> None:
    """Presses a button in a list of jobs, by its name for screen readers."""
    button = until(lambda: page.driver.find_elements("css selector", f'[aria-label="{label}"]'))[0]
    button.click()


@pytest.mark.browser
def test_what_a_killed_studio_had_not_finished_is_offered_goes_on_or_is_left(
    page: StudioPage, opened: Opened
) -> None:
    page.open("tab=paint")
    assert until(lambda: titles(page, "left")) == KILLED
    press(page, f"Leave it: {KILLED[3]}")
    until(lambda: titles(page, "left") == KILLED[:3])
    page.driver.find_element("css selector", "#left .all").click()
    until(lambda: titles(page, "left") == [])
    until(lambda: page.state("paint") in ("working", "finished"))  # its tab shows it
    until(lambda: not opened.studio.jobs.queue(), 240)
    out = opened.studio.out
    (fox,) = out.glob("photo-of-a-fox*.png")
    assert record_of(text_of(fox)).params.steps == LONG
    assert record_of(text_of(out / "photo-of-a-frog-photo-of-an-owl.png")).params.seed == 3
    assert list(out.glob("**/*picture*.png"))
    assert list((out / ".studio" / "jobs").glob("*.json")) == []
    ended = sorted(opened.studio.jobs._jobs.values(), key=lambda job: job.ended or 0)
    assert [job.title for job in ended if job.state == "finished"] == KILLED[:3]
    until(lambda: page.state("paint") == "finished")


def test_programs_see_the_queue_pause_go_on_and_cancel(opened: Opened, client: Any) -> None:
    with Held(opened.studio, "paint") as held:
        first = client.submit(prompt="a long one", **QUICK, api_name="/paint")
        until(lambda: len(client.predict(api_name="/queue")) == 1)
        second = client.submit(prompt="the next", **QUICK, api_name="/paint")
        until(lambda: len(client.predict(api_name="/queue")) == 2)
        until(lambda: client.predict(api_name="/queue")[0]["total"])
        working, waiting = client.predict(api_name="/queue")
        assert (working["state"], working["title"], working["total"]) == (
            *("working", "a long one"),
            10,
        )
        assert (waiting["state"], waiting["ahead"], waiting["whose"]) == (
            *("waiting", 1),
            "a program's",
        )
        client.predict(number=working["number"], api_name="/pause")
        states = "working", "paused"  # the next has its turn
        until(lambda: tuple(r["state"] for r in client.predict(api_name="/queue")) == states)
        rows = client.predict(number=working["number"], api_name="/go_on")
        assert [row["state"] for row in rows] == ["working", "waiting"]
        client.predict(number=waiting["number"], api_name="/cancel")
        with pytest.raises(Exception, match="it was cancelled"):
            second.result(60)
        held.goes_on()
        assert not first.result(60)  # whoever waited has waited through the pause
    assert client.predict(api_name="/queue") == []


def test_what_cannot_be_done_with_a_job_is_one_line(opened: Opened, client: Any) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match="there is no job 4321"):
        client.predict(number=4321, api_name="/pause")
    with pytest.raises(AppError, match="there is no job soon"):
        client.predict(number="soon", api_name="/cancel")
    over = next(job.number for job in opened.studio.jobs._jobs.values() if job.is_over)
    with pytest.raises(AppError, match="it cannot go on"):
        client.predict(number=over, api_name="/go_on")
    with pytest.raises(AppError, match="it cannot be cancelled"):
        client.predict(number=over, api_name="/cancel")


def test_the_queue_is_there_for_agents(opened: Opened) -> None:
    with urllib.request.urlopen(f"{opened.address}gradio_api/mcp/schema") as answer:
        tools = {each["name"]: each for each in json.load(answer)}
    for name, words in {
        "queue": "one job works at a time",
        "pause": "A mosaic goes on later where it was",
        "go_on": "closed or killed",
        "cancel": "What it has written stays",
    }.items():
        (tool,) = [each for tool, each in tools.items() if tool.removeprefix("_") == name]
        assert words in tool["description"]
        if name != "queue":
            assert "as the endpoint queue gives it" in json.dumps(tool["inputSchema"])


def test_only_ones_own_jobs_are_marked_and_stopped_by_a_page(opened: Opened) -> None:
    jobs = opened.studio.jobs
    with Held(opened.studio, "paint"):
        mine = jobs.submit("me", "paint", {}, "mine")
        other = jobs.submit("you", "paint", {}, "other")
        rows = {row["title"]: row for row in queue_rows(jobs, "me")}
        assert rows["mine"]["whose"] == "yours"
        assert rows["other"]["whose"] == "another page's"
        assert "you" not in rows["other"].values()
        for job in (other, mine):
            _asks(opened, "me", "cancel", job.number)
        until(lambda: mine.is_over)
        assert not other.is_over
        jobs.cancel(other.number)
        until(lambda: other.is_over)


def _asks(opened: Opened, page: str, act: str, number: int) -> None:
    """What a press in the page's list of jobs does."""
    from digressions.studio.queue_panel import QueuePanel

    panel = QueuePanel.__new__(QueuePanel)
    panel._jobs = opened.studio.jobs
    panel._act(page, json.dumps({"act": act, "numbers": [number]}))


@pytest.mark.browser
def test_the_queue_is_seen_and_ones_own_jobs_are_cancelled_there(
    page: StudioPage, opened: Opened
) -> None:
    with Held(opened.studio, "paint"):
        page.open("tab=paint&prompt=photo+of+a+cat&steps=2&enlarge=1")
        page.until_filled("paint-prompt", "photo of a cat")
        other = opened.studio.jobs.submit("another", "paint", {}, "somebody's")
        page.click("paint-go")
        until(lambda: "Queue: 2" in page.text("queue"))
        page.driver.find_element("css selector", "#queue summary").click()
        assert titles(page, "queue") == ["somebody's", "photo of a cat"]
        said = page.text("queue")
        assert "1 at work, 1 waiting" in said
        assert "Paint, another page's. Painting: 3 of 10" in said
        assert "Paint, yours. Waiting: 1 before it" in said
        assert page.driver.find_elements("css selector", '[aria-label="Cancel: somebody\'s"]') == []
        press(page, "Cancel: photo of a cat")
        until(lambda: page.state("paint") == "cancelled")
        until(lambda: titles(page, "queue") == ["somebody's"])
        opened.studio.jobs.cancel(other.number)
        until(lambda: titles(page, "queue") == [])
        assert "Nothing is at work" in page.text("queue")
        page.open("tab=paint", again=True, width=390)
        page.driver.find_element("css selector", "#queue summary").click()
        assert page.js("return document.documentElement.scrollWidth") <= 390
