"""Models by hub id, against a small hub on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from . import checkpoints

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "someone/tiny"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"

PAINT = """
import hashlib, sys
from digressions.errors import DigressionsError
from digressions.models.loading import load
from digressions.generate.paint import painter_of
from tests.jobs import job
try:
    model = load(sys.argv[1], "cpu", "float32")
except DigressionsError as error:
    print(type(error).__name__, error)
else:
    image = painter_of(model)([job("frog", steps=2)])
    print(model.hash, hashlib.sha256(image.numpy().tobytes()).hexdigest())
"""


class Hub:
    """A server that answers as the Hugging Face hub does, for one model of one commit.

    Attributes:
        files: Path in the repository to content.
        fetched: Paths whose content has been asked for.
        broken: Paths of which half is sent, once, and nothing afterwards.
    """

    def __init__(self, folder: Path) -> None:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        self.fetched: list[str] = []
        self.broken: set[str] = set()
        hub = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, format: str, *values: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def go_down(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.split("?")[0]
        about, resolve = f"/api/models/{NAME}", f"/{NAME}/resolve/{COMMIT}/"
        if path in (f"{about}/revision/main", f"{about}/revision/{COMMIT}"):
            siblings = [{"rfilename": name} for name in self.files]
            self._send_json(request, {"id": NAME, "sha": COMMIT, "siblings": siblings})
        elif path == f"{about}/tree/{COMMIT}":
            rows = [
                {"type": "file", "path": name, "size": len(body), "oid": _etag(body)}
                for name, body in self.files.items()
            ]
            self._send_json(request, rows)
        elif path.startswith(resolve) and path.removeprefix(resolve) in self.files:
            self._send_file(request, path.removeprefix(resolve))
        else:
            self._send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})

    def _send_json(self, request: BaseHTTPRequestHandler, value: object) -> None:
        self._send(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send_file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        body = self.files[name]
        headers = {"ETag": f'"{_etag(body)}"', "X-Repo-Commit": COMMIT}
        again = name in self.fetched
        if request.command == "GET":
            self.fetched.append(name)
            if name in self.broken:
                if again:
                    self._send(request, 500, b"", {})
                else:
                    self._send(request, 200, body, headers, sent=len(body) // 2)
                return
        self._send(request, 200, body, headers)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str],
        sent: int | None = None,
    ) -> None:
        request.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            request.send_header(key, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body[:sent])
        request.close_connection = sent is not None


def _etag(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()


def load(hub: Hub, home: Path, name: str = NAME) -> str:
    """Loads a model in a process of its own, and paints: ``"HASH PICTURE"``, or the error."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    ran = subprocess.run(
        [sys.executable, "-c", PAINT, name], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    (line,) = ran.stdout.splitlines()
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as people publish them: everything in several formats and precisions."""
    folder = checkpoints.build(tmp_path_factory.mktemp("hub") / "tiny", "sd")
    (folder / "README.md").write_text("tiny")
    (folder / "tiny.safetensors").write_bytes(b"all in one")
    (folder / "tiny.ckpt").write_bytes(b"a pickle")
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"not read here")
    for part in ("unet", "vae", "text_encoder"):
        weights = next((folder / part).glob("*.safetensors"))
        for kind in ("fp16.safetensors", "non_ema.safetensors", "fp16-00001-of-00002.safetensors"):
            weights.with_suffix(f".{kind}").write_bytes(b"another precision")
        for kind in ("bin", "fp16.bin", "msgpack"):
            weights.with_suffix(f".{kind}").write_bytes(b"another format")
    return folder


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    hub = Hub(folder)
    yield hub
    hub.go_down()


def test_a_hub_id_is_its_folder_and_the_cache_is_enough_afterwards(
    hub: Hub, folder: Path, tmp_path: Path
) -> None:
    first = load(hub, tmp_path)
    assert first == load(hub, tmp_path, str(folder))
    assert len(hub.fetched) == len(set(hub.fetched))
    assert {name for name in hub.fetched if not name.endswith((".json", ".txt"))} == {
        WEIGHTS,
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    }
    hub.go_down()
    assert load(hub, tmp_path) == first


@pytest.mark.parametrize(
    ("name", "reason"),
    [("someone/else", "the hub has no such model"), ("some one/tiny", "that is no hub id")],
)
def test_an_unknown_id(hub: Hub, tmp_path: Path, name: str, reason: str) -> None:
    line = load(hub, tmp_path, name)
    assert line.startswith(f"ModelError model {name!r} cannot be fetched: {reason}")


def test_a_hub_that_cannot_be_reached(hub: Hub, tmp_path: Path) -> None:
    hub.go_down()
    assert "cannot be fetched: the hub cannot be reached" in load(hub, tmp_path)


def test_a_model_of_nothing_but_pickles(hub: Hub, tmp_path: Path) -> None:
    hub.files = {n: body for n, body in hub.files.items() if not n.endswith(".safetensors")}
    assert load(hub, tmp_path).startswith(f"ModelError model {NAME!r} has no safetensors weights")
    assert all(name.endswith((".json", ".txt")) for name in hub.fetched)


def test_a_model_in_another_layout(hub: Hub, tmp_path: Path) -> None:
    del hub.files["model_index.json"]
    assert load(hub, tmp_path).endswith("it is not in diffusers layout")


def test_a_broken_download_is_gone_on_with(hub: Hub, folder: Path, tmp_path: Path) -> None:
    hub.broken = {WEIGHTS}
    line = load(hub, tmp_path)
    assert line.startswith(f"ModelError model {NAME!r} cannot be fetched: the download broke off")
    assert line.endswith("run it again to go on")
    hub.broken = set()
    assert load(hub, tmp_path) == load(hub, tmp_path, str(folder))
