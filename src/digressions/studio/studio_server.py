"""The studio over HTTP, on this machine only: a first page at once, who may ask, which files.

Gradio takes seconds to import. A light page answers until it is there, and then becomes the studio
by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..errors import MissingExtraError
from ..events import Event, Note
from ..files import check_folder
from ..generate.model_params import ModelParams
from .gradio_import import without_stubs
from .studio import Studio
from .studio_spec import StudioSpec

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
WEB = Path(__file__).parents[1] / "web" / "studio"
_FILES = "/gradio_api/file="
_HEADERS = {
    # Gradio's page has scripts and styles of its own in it; nothing may come from elsewhere.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "base-uri 'self'; form-action 'self'; frame-ancestors {}",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}

_AROUND = (
    ":root:has(body.dark) { color-scheme: dark; } "
    "@media (max-width: 640px) { footer .divider { display: none; } }"
)
"""Styles of what is around the page, such as scroll bars, where Gradio lets no file's reach."""


def check_installed() -> None:
    """Raises `MissingExtraError` unless the studio's packages are there."""
    from importlib.util import find_spec

    for package in ("starlette", "uvicorn", "gradio"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "studio")


def serve_studio(spec: StudioSpec, model: ModelParams) -> Iterator[Event]:
    """Opens the studio and keeps it open until Ctrl-C.

    Args:
        model: The model that it begins with.

    Yields:
        A note that begins with the address of the page, before the server runs.

    Raises:
        MissingExtraError: The studio's packages are not installed.
        InputError: Somebody else listens at the port.
        OutputError: The folder cannot be written.
    """
    check_installed()
    check_folder(spec.out)
    from ..worlds.local_server import listening

    with listening(HOST, spec.port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        yield Note(f"{address}  (press Ctrl-C to stop; pictures go to {spec.out})")
        run(Studio(spec, model), listener, browse=address if spec.browser else None)


def run(studio: Studio, listener: socket.socket, *, browse: str | None = None) -> None:
    """Serves a studio until Ctrl-C; what is at work then counts as unfinished.

    Args:
        browse: The address to open in the user's browser, if at all.
    """
    import uvicorn

    app = studio_app(studio)
    server = uvicorn.Server(
        # Pages that are still open when it ends are no error.
        uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, lifespan="on")
    )
    if browse is not None:
        webbrowser.open(browse)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # the usual end of a server
        return
    finally:
        studio.jobs.close()


def studio_app(studio: Studio) -> ASGIApp:
    """The application: whoever may not ask is turned away, then files, then the page."""
    from ..worlds.local_server import Guard

    studio.out.mkdir(parents=True, exist_ok=True)
    opening = Opening(lambda: _gradio_app(studio), studio.open)
    inner = MadePages(OwnFiles(opening, [studio.out, studio.uploads]), studio.out)
    framed_by = " ".join(["'self'", *studio.reach.framed_by])
    headers = {name: text.format(framed_by) for name, text in _HEADERS.items()}
    return Guard(inner, studio.reach.hosts, headers, linked=("/",))


def _gradio_app(studio: Studio) -> Any:
    """The page by Gradio, whose import takes seconds."""
    os.environ["GRADIO_TEMP_DIR"] = str(studio.uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # nothing leaves the machine
    with without_stubs():
        import gradio as gr
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse
    from starlette.staticfiles import StaticFiles

    from .blocks import page
    from .looks import theme
    from .queue_panel import queue_rows
    from .starting_points import ADDRESS, STARTS

    async def queue(request: Request) -> JSONResponse:
        return JSONResponse(queue_rows(studio.jobs, request.query_params.get("page", "")))

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_route("/queue", queue)
    app.mount(ADDRESS, StaticFiles(directory=STARTS))
    script = "\n".join(path.read_text("utf-8") for path in sorted(WEB.glob("*.js")))
    return gr.mount_gradio_app(
        app,
        page(studio),
        path="/",
        server_name=HOST,
        allowed_paths=[str(studio.out), str(STARTS)],
        blocked_paths=[str(studio.own / "jobs")],
        favicon_path=str(WEB.parent / "world" / "icon.svg"),
        max_file_size=studio.reach.largest_upload,
        show_error=True,
        ssr_mode=False,
        run_history=False,
        footer_links=["api", "settings"],
        mcp_server=True,
        pwa=False,
        theme=theme(),
        css_paths=sorted(WEB.glob("*.css")),
        head=f"<style>{_AROUND}</style><script>{script}</script>",
    )


class Opening:
    """Answers with a light page until an application is built, and with that from then on.

    Args:
        build: Builds it, in a thread of its own; has a lifespan, as FastAPI's have.
        opened: Called when it answers.
    """

    def __init__(self, build: Callable[[], Any], opened: Callable[[], object]) -> None:
        self._build, self._opened = build, opened
        self._app: Any = None
        self._failed: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import HTMLResponse, PlainTextResponse, Response

        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"] == "/ready":
            await Response(status_code=503 if self._app is None else 204)(scope, receive, send)
        elif self._failed is not None:
            text = f"the studio cannot open: {self._failed}"
            await PlainTextResponse(text, 500)(scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        elif scope["path"] != "/":  # a page of before that asks on, or a program
            text = "the studio is opening: ask again in some seconds"
            await PlainTextResponse(text, 503, {"Retry-After": "2"})(scope, receive, send)
        else:
            text = (WEB / "opening.html").read_text("utf-8")
            await HTMLResponse(text, headers={"Cache-Control": "no-store"})(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # that it starts
        closing = asyncio.Event()
        opening = asyncio.create_task(self._open(closing))
        await send({"type": "lifespan.startup.complete"})
        await receive()  # that it ends
        closing.set()
        await opening
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self, closing: asyncio.Event) -> None:
        try:
            app = await asyncio.to_thread(self._build)
            async with app.router.lifespan_context(app):
                self._app = app
                threading.Thread(target=self._opened, daemon=True).start()
                await closing.wait()
        except Exception as error:
            self._failed = error
            raise


class MadePages:
    """Serves what was made under ``/made/``, as a web server would, so that pages among it read
    what is beside them. Hidden files, and links out of the folder, are not there."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        from starlette.applications import Starlette
        from starlette.routing import Mount
        from starlette.staticfiles import StaticFiles

        self.app = app
        self.pages = Starlette(routes=[Mount("/made", StaticFiles(directory=folder))])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import PlainTextResponse

        path = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith("/made/"):
            await self.app(scope, receive, send)
        elif any(part.startswith(".") for part in path.split("/")):
            await PlainTextResponse("there is no such file here", 404)(scope, receive, send)
        else:
            await self.pages(scope, receive, send)


class OwnFiles:
    """Lets files be read that are in some folders when every link is followed, and no others.

    Gradio looks at the path alone, and fetches what is no file of this machine.
    """

    def __init__(self, app: ASGIApp, folders: Sequence[Path]) -> None:
        self.app, self.folders = app, folders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import PlainTextResponse

        asked = scope["path"] if scope["type"] == "http" else ""
        if asked.startswith(_FILES) and not self._is_own(asked.removeprefix(_FILES)):
            await PlainTextResponse("there is no such file here", 403)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_own(self, text: str) -> bool:
        try:
            path = Path(os.path.realpath(unquote(text)))
        except ValueError:  # a name with a zero in it
            return False
        return any(path.is_relative_to(os.path.realpath(folder)) for folder in self.folders)
