"""Who may ask the studio, for which files, and what it says to the rest; its endpoints."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .studios import Opened, open_studio, status, until

from digressions.events import Event, Saved  # isort: skip
from digressions.studio.studio_server import Opening  # isort: skip


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, bundled: Any) -> Iterator[Opened]:
    with open_studio(tmp_path_factory.mktemp("studio") / "out", bundled) as found:
        yield found


@pytest.fixture(scope="module")
def client(opened: Opened) -> Any:
    from gradio_client import Client

    return Client(opened.address, verbose=False)


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
def secret(opened: Opened) -> Path:
    path = opened.studio.out.parent / "secret.png"
    path.write_bytes(b"secret")
    return path


def asked(opened: Opened, path: object) -> int:
    return status(f"{opened.address}gradio_api/file={path}")


def test_files_that_were_made_are_served(opened: Opened) -> None:
    path = opened.studio.out / "a frog.txt"
    path.write_text("croak")
    assert asked(opened, str(path).replace(" ", "%20")) == 200


def test_no_other_file_is_served(opened: Opened, secret: Path) -> None:
    out = opened.studio.out
    assert asked(opened, secret) == 403
    assert asked(opened, f"{out}/../secret.png") == 403
    assert asked(opened, f"{out}/%2e%2e/secret.png") == 403
    assert asked(opened, "/etc/passwd") == 403
    assert asked(opened, "../secret.png") == 403
    assert asked(opened, out) == 403


def test_a_link_out_of_the_folder_is_not_followed(opened: Opened, secret: Path) -> None:
    link = opened.studio.out / "link.png"
    link.symlink_to(secret)
    assert asked(opened, link) == 403


def test_what_jobs_are_asked_stays_with_the_studio(opened: Opened) -> None:
    folder = opened.studio.own / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "other.json").write_text("{}")
    assert asked(opened, folder / "other.json") == 403


def test_nothing_is_fetched_from_elsewhere(opened: Opened) -> None:
    assert asked(opened, "http://127.0.0.1:1/x.png") == 403


# --- who may ask -----------------------------------------------------------------------------


def test_foreign_names_and_pages_are_turned_away(opened: Opened) -> None:
    config = f"{opened.address}config"
    assert status(config) == 200
    assert status(config, Host="evil.example") == 421
    assert status(config, Origin="http://evil.example") == 403
    assert status(config, Origin="null") == 403
    assert status(config, Origin=opened.address.rstrip("/")) == 200
    assert status(config, Sec_Fetch_Site="cross-site") == 403
    assert status(opened.address, Sec_Fetch_Site="cross-site") == 200


def test_the_page_may_load_nothing_from_elsewhere(opened: Opened) -> None:
    with urllib.request.urlopen(opened.address) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'")
    assert "http" not in policy


# --- the first page --------------------------------------------------------------------------


def test_a_light_page_answers_until_the_studio_is_there() -> None:
    built, opened = threading.Event(), threading.Event()

    class App:
        class router:  # noqa: N801 - as FastAPI has it
            @staticmethod
            def lifespan_context(app: object) -> Any:
                import contextlib

                return contextlib.nullcontext()

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"the studio"})

    def build() -> App:
        built.wait(20)
        return App()

    async def get(app: Opening, path: str) -> tuple[int, bytes]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "http", "path": path}, None, send)  # type: ignore[arg-type]
        return sent[0]["status"], sent[1]["body"]

    async def life() -> None:
        app, inbox = Opening(build, opened.set), asyncio.Queue[Any]()

        async def send(message: Any) -> None:
            return None

        living = asyncio.create_task(app({"type": "lifespan"}, inbox.get, send))
        await inbox.put({"type": "lifespan.startup"})
        await asyncio.sleep(0.05)
        code, body = await get(app, "/")
        assert (code, b"The studio is opening" in body) == (200, True)
        assert (await get(app, "/ready"))[0] == 503
        assert (await get(app, "/queue"))[0] == 503  # of a page that was open before
        built.set()
        while (await get(app, "/ready"))[0] != 204:
            await asyncio.sleep(0.01)
        assert await get(app, "/") == (200, b"the studio")
        await inbox.put({"type": "lifespan.shutdown"})
        await living

    asyncio.run(asyncio.wait_for(life(), 20))
    assert opened.wait(5)


BUILT = """
import pathlib, sys
from digressions.generate.model_params import ModelParams
from digressions.studio.studio import Studio
from digressions.studio.studio_server import _gradio_app
from digressions.studio.studio_spec import StudioSpec
_gradio_app(Studio(StudioSpec(out=pathlib.Path(sys.argv[1])), ModelParams()))
import gradio.component_meta
gradio.component_meta.create_or_modify_pyi("no", "class", "at all")
print(*sorted({"torch", "diffusers", "transformers"} & sys.modules.keys()))
"""


def test_the_page_is_there_before_torch_and_gradio_writes_no_stubs(tmp_path: Path) -> None:
    """Gradio alone takes seconds; torch comes with the model, while the page is read."""
    command = [sys.executable, "-c", BUILT, tmp_path]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == ""


# --- endpoints -------------------------------------------------------------------------------


def test_painting_is_an_endpoint_with_the_parameters_of_the_spec(
    opened: Opened, client: Any
) -> None:
    parameters = client.view_api(return_format="dict")["named_endpoints"]["/paint"]["parameters"]
    names = {each["parameter_name"] for each in parameters}
    assert {"prompt", "seed", "steps", "guidance", "image", "mask", "strength"} <= names
    files = client.predict(prompt="photo of a fox", seed="3", steps=2, enlarge=1, api_name="/paint")
    (made,) = opened.studio.out.glob("photo-of-a-fox*.png")
    assert len(files) == 1
    assert Path(files[0]).read_bytes() == made.read_bytes()


def test_what_is_wrong_comes_back_as_one_line(client: Any) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match="guidance 2000"):
        client.predict(prompt="a fox", guidance=2000, api_name="/paint")


def test_a_picture_of_too_many_pixels_is_refused_in_one_line(
    client: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    Image.new("1", (20_001, 10_000)).save(tmp_path / "large.png")
    picture = handle_file(tmp_path / "large.png")
    with pytest.raises(AppError, match="pixels"):
        client.predict(prompt="a fox", image=picture, api_name="/paint")
    assert "Traceback" not in capfd.readouterr().err


def test_enlarging_is_an_endpoint(opened: Opened, client: Any, tmp_path: Path) -> None:
    from gradio_client import handle_file

    Image.new("RGB", (20, 10), "teal").save(tmp_path / "small.png")
    files = client.predict(
        picture=handle_file(tmp_path / "small.png"),
        times=2,
        upscaler="lanczos",
        api_name="/upscale",
    )
    assert Image.open(files[0]).size == (40, 20)


def test_fifty_jobs_wait_and_all_are_done(opened: Opened, client: Any) -> None:
    at_once, most = 0, 0

    def quick(settings: Any) -> Iterator[Event]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        path = opened.studio.out / f"{settings['spec']['prompt']}.txt"
        path.write_text("made")
        yield Saved(path)
        at_once -= 1

    usual = opened.studio.jobs._works["paint"]
    opened.studio.jobs.learn("paint", quick)
    try:
        asked = [client.submit(prompt=f"job {n}", api_name="/paint") for n in range(50)]
        until(lambda: all(each.done() for each in asked))
    finally:
        opened.studio.jobs.learn("paint", usual)
    assert all(len(each.result()) == 1 for each in asked)
    assert most == 1


def test_programs_find_tools_with_descriptions(opened: Opened) -> None:
    with urllib.request.urlopen(f"{opened.address}gradio_api/mcp/schema") as answer:
        import json

        tools = {each["name"]: each for each in json.load(answer)}
    (paint,) = [tool for name, tool in tools.items() if name.endswith("paint")]
    assert "diffusion model" in paint["description"]
    assert "noised away" in paint["inputSchema"]["properties"]["strength"]["description"]
