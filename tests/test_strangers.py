"""A studio for strangers: what it refuses, how long it keeps things; the Space that opens it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import heed_interrupts
from .studios import status, until

from digressions.errors import InputError  # isort: skip
from digressions.events import Event, Progress  # isort: skip
from digressions.studio.endpoints import PROGRAM  # isort: skip
from digressions.studio.queue_panel import queue_rows  # isort: skip
from digressions.studio.strangers import StrangersJobs, check_files, check_size, clear  # isort: skip

ROOT = Path(__file__).parents[1]
SPACE = ROOT / "spaces"


# --- what may be asked for -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "~/secret.png",
        "../x.png",
        "left\n/etc/shadow",
        "@/etc/passwd",
        "a:/root",
        "..",
    ],
)
def test_texts_that_could_name_a_file_of_the_machine_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not named by a path"):
        check_files({"spec": {"region": ["all", text]}}, [tmp_path])


@pytest.mark.parametrize("text", ["a cat / a dog", "16/9", "photo of a fox", "[a:b:0.5]", "1.5, 2"])
def test_prompts_are_no_files(text: str, tmp_path: Path) -> None:
    check_files({"spec": {"prompt": text, "n": 2}}, [tmp_path])


def test_what_was_given_to_the_page_may_be_used_and_links_out_of_it_not(tmp_path: Path) -> None:
    given = tmp_path / "uploads"
    given.mkdir()
    check_files({"image": str(given / "cat.png")}, [given])
    (given / "link").symlink_to("/etc")
    with pytest.raises(InputError, match="not named by a path"):
        check_files({"image": str(given / "link" / "passwd")}, [given])


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("paint", {"steps": 500}, "steps"),
        ("paint", {"size": "2000x64"}, "size"),
        ("frame", {"n": [2, 40]}, "n"),
        ("mosaic", {"grid": "200x10"}, "grid"),
        ("mosaic", {"grid": "100"}, "grid"),
        ("fall", {"frame_size": "4096"}, "frame_size"),
        ("print", {"size": "A0"}, "size"),
        ("print", {"size": "A4", "dpi": 1200}, "dpi"),
    ],
)
def test_what_is_too_much_is_refused_at_its_field(
    kind: str, spec: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputError) as caught:
        check_size(kind, spec)
    assert caught.value.field == field


def test_usual_wishes_are_fine() -> None:
    from digressions.studio.starting_points import POINTS

    for point in POINTS:
        check_size(point.tab, point.settings)


def test_a_job_ends_with_its_time_and_few_wait_for_one_page(tmp_path: Path) -> None:
    ended = []

    def endless(settings: Any) -> Iterator[Event]:
        try:
            while True:
                time.sleep(0.02)
                yield Progress("painting", 1)
        finally:
            ended.append(True)

    jobs = StrangersJobs(tmp_path, [tmp_path], seconds=0.2, waiting=2)
    jobs.learn("paint", endless)
    first, _ = (jobs.submit("me", "paint", {"spec": {}}, "a fox") for _ in range(2))
    with pytest.raises(InputError, match="2 jobs of yours"):
        jobs.submit("me", "paint", {"spec": {}}, "a fox")
    other = jobs.submit("you", "paint", {"spec": {}}, "a fox")
    jobs.start()
    until(lambda: other.is_over)
    jobs.close()
    assert first.state == "failed"
    assert "ask for less" in str(first.error)
    assert ended


def test_strangers_see_no_titles_of_others_and_nothing_is_kept(tmp_path: Path) -> None:
    jobs = StrangersJobs(tmp_path / "jobs", [tmp_path], 60, 3)
    jobs.learn("paint", lambda settings: iter(()), resumes=True)
    for page in ("one", "two", PROGRAM):
        jobs.submit(page, "paint", {}, f"a secret of {page}")
    titles = {page: [row["title"] for row in queue_rows(jobs, page)] for page in ("one", PROGRAM)}
    assert sorted(titles["one"]) == ["", "", "a secret of one"]
    assert titles[PROGRAM] == [""] * 3  # programs of all strangers share their name
    assert not list(tmp_path.rglob("*.json"))


def test_what_is_old_goes_and_what_is_at_work_stays(tmp_path: Path) -> None:
    old = time.time() - 5000
    kept = [tmp_path / "new.png", tmp_path / "mosaic" / "new.jpg", tmp_path / ".studio/jobs/1.json"]
    gone = [
        tmp_path / "old.png",
        tmp_path / "old mosaic" / "a.jpg",
        tmp_path / ".studio/uploads/x/a",
    ]
    for path in kept + gone:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made")
    for path in [*kept[1:], *gone, *(path.parent for path in kept[1:] + gone[1:])]:
        os.utime(path, (old, old))
    os.utime(kept[1], None)
    clear(tmp_path, 3600)
    assert [path.exists() for path in kept] == [True] * 3
    assert [path.exists() for path in gone] == [False] * 3


# --- the Space -------------------------------------------------------------------------------

NAME = "somebody-digressions.hf.space"


def test_the_front_matter_says_what_hugging_face_asks_for() -> None:
    text = (SPACE / "README.md").read_text("utf-8")
    told = yaml.safe_load(text.split("---\n")[1])
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {told["colorFrom"], told["colorTo"]} <= colours
    assert (told["sdk"], told["license"]) == ("gradio", "apache-2.0")
    assert (SPACE / told["app_file"]).is_file()
    pinned = re.search(r"^gradio==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    assert told["sdk_version"] == pinned[1]
    assert isinstance(told["python_version"], str)
    assert len(told["short_description"]) <= 60


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The Space as its container runs it: its address, and the folder that its own is in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("space")
    told = {"SPACE_HOST": NAME, "GRADIO_SERVER_PORT": str(port), "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, SPACE / "app.py"],
        cwd=ROOT,
        env=os.environ | told,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == f"http://127.0.0.1:{port}/"
        address = f"http://127.0.0.1:{port}/"
        until(lambda: status(f"{address}ready") == 204, 280)
        yield address, folder
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
    assert process.returncode == 0
    assert list(folder.glob("digressions-*")) == []


def test_it_answers_to_its_own_name_and_within_hugging_faces_page(space: tuple[str, Path]) -> None:
    address, _ = space
    request = urllib.request.Request(address, headers={"Host": NAME})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Security-Policy"].endswith(
            "frame-ancestors 'self' https://huggingface.co"
        )
    assert status(address, Host=NAME, Sec_Fetch_Site="cross-site") == 200  # framed
    assert status(f"{address}config", Host=NAME, Origin=f"https://{NAME}") == 200
    assert status(f"{address}config", Host=NAME, Origin="https://huggingface.co") == 403
    assert status(address, Host="evil.example") == 421
    everywhere = address.replace("127.0.0.1", "127.0.0.2")  # not where one's own studio listens
    assert status(f"{everywhere}ready") == 204


def test_strangers_paint_and_see_nothing_of_the_machine(space: tuple[str, Path]) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    address, folder = space
    patient = {"timeout": 120}  # a busy machine answers late
    clients = [Client(address, verbose=False, httpx_kwargs=patient) for _ in range(2)]
    asked = {"prompt": "photo of a fox", "steps": 2, "enlarge": 1, "api_name": "/paint"}
    jobs = [client.submit(**asked, seed=str(n)) for n, client in enumerate(clients)]
    files = {Path(job.result(timeout=300)[0]).read_bytes() for job in jobs}
    assert len(files) == 2
    cost = clients[0].predict(prompt="photo of a fox", api_name="/mosaic_cost")
    assert "256 pictures" in str(cost)  # what the form begins with is within the limits
    assert len(list(folder.glob("digressions-*/out/photo-of-a-fox*.png"))) == 2
    with pytest.raises(AppError, match="steps 500"):
        clients[0].predict(**asked | {"steps": 500})
    with pytest.raises(AppError, match="not named by a path"):
        clients[0].predict(**asked, region="/etc/passwd")
    with pytest.raises(AppError, match="not named by a path"):  # before anybody looks for it
        clients[0].predict(prompt="", tiles="/nowhere", api_name="/mosaic")
    named = clients[0].view_api(return_format="dict")["named_endpoints"]
    assert "/paint" in named
    own = {"/gallery", "/delete", "/models", "/load", "/replay", "/queue", "/pause", "/cancel"}
    assert not own & named.keys()
    assert status(f"{address}gradio_api/file=/etc/passwd") == 403
    assert status(f"{address}made/.studio/jobs/") == 404


def test_at_home_it_listens_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `main` opens, without opening it."""
    import runpy

    found: list[str] = []

    def listening(host: str, port: int) -> Any:
        found.append(host)
        raise KeyboardInterrupt

    monkeypatch.delenv("SPACE_HOST", raising=False)
    monkeypatch.setattr("digressions.worlds.local_server.listening", listening)
    before = Path.cwd()
    with pytest.raises(KeyboardInterrupt):
        runpy.run_path(str(SPACE / "app.py"), run_name="__main__")
    os.chdir(before)
    assert found == ["127.0.0.1"]
