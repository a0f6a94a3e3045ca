"""The page that flies through a world, and the pictures that it asks for, over HTTP.

Nothing is painted here: `picture_service` does that in threads of its own. Who may ask is narrow,
because a request costs work: by default the server listens on this machine only, it answers to no
foreign host name (a site could point its own name here), and no other site's page gets anything.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..geometry import CellPath, Grid
from .local_server import Guard
from .page import WorldInfo, page_files
from .picture_service import PictureService, QueueFullError
from .world import Form

T = TypeVar("T")
DEEPEST = 10_000  # cells of a path; its text then still fits into a request
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def world_app(service: PictureService, info: WorldInfo, hosts: Collection[str] = ()) -> Starlette:
    """The application.

    | path                              | answer                                          |
    | --------------------------------- | ----------------------------------------------- |
    | ``/``, ``/screensaver``           | the page                                        |
    | ``/page/NAME``                    | its files                                       |
    | ``/world.json``                   | `WorldInfo`                                     |
    | ``/canvas/5/17?page=TOKEN``       | PNG of one canvas                               |
    | ``/pictures/5?cells=17,3&page=T`` | PNG of pictures in cells of one, in a column    |

    Args:
        service: Paints; closed with the application.
        info: Of its world.
        hosts: Names that it answers to besides ``localhost`` and addresses in digits.
    """
    files = page_files()
    grid = Grid(info.columns, info.columns)

    async def page(_: Request) -> Response:
        return _file(files["index.html"])

    async def file(request: Request) -> Response:
        path = files.get(request.path_params["name"])  # a list of names: no path is ever joined
        if path is None:
            raise HTTPException(404)
        return _file(path)

    async def about(_: Request) -> Response:
        return JSONResponse(asdict(info))

    async def canvas(request: Request) -> Response:
        return await painted(request, "canvas", [_path(request.path_params["path"], grid)])

    async def pictures(request: Request) -> Response:
        parent = _path(request.path_params["path"], grid)
        cells = _path(request.query_params.get("cells", "").replace(",", "/"), grid)
        if not 1 <= len(cells) <= info.per_request or len(set(cells)) < len(cells):
            raise HTTPException(400, f"ask for 1 to {info.per_request} different cells")
        return await painted(request, "picture", [(*parent, cell) for cell in cells])

    async def painted(request: Request, form: Form, paths: list[CellPath]) -> Response:
        token = request.query_params.get("page", "")
        if not re.fullmatch("[a-z0-9]{0,16}", token):
            raise HTTPException(400, "a page's token is up to 16 small letters and digits")
        address = request.client.host if request.client else ""
        try:
            png = await _while_there(request, asyncio.wrap_future(service.look(form, paths)))
            if png is None:
                wanted = service.request(f"{address} {token}", form, paths)
                png = await _while_there(request, asyncio.wrap_future(wanted.png))
        except QueueFullError:
            raise HTTPException(
                503, "too many pictures are waited for", {"Retry-After": "1"}
            ) from None
        return Response(png, media_type="image/png", headers={"Cache-Control": "no-store"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/screensaver", page),
            Route("/page/{name}", file),
            Route("/world.json", about),
            Route("/canvas/{path:path}", canvas),
            Route("/pictures/{path:path}", pictures),
        ],
        middleware=[Middleware(Guard, hosts={host.lower() for host in hosts})],
        lifespan=lifespan,
    )


def _path(text: str, grid: Grid) -> CellPath:
    """Cells from numbers with slashes between. Raises `HTTPException` 400."""
    if not text:
        return ()
    parts = text.split("/", DEEPEST)
    if len(parts) > DEEPEST:
        raise HTTPException(400, f"no deeper than {DEEPEST} cells")
    if not all(re.fullmatch("[0-9]{1,6}", part) and int(part) < grid.cells for part in parts):
        raise HTTPException(400, f"a path is cells of 0 to {grid.cells - 1} with / between them")
    return tuple(map(int, parts))


async def _while_there(request: Request, wanted: asyncio.Future[T]) -> T:
    """Waits as long as the client does: when it leaves, what it wanted is given up."""
    gone = asyncio.ensure_future(_until(request, "http.disconnect"))
    both: set[asyncio.Future[Any]] = {wanted, gone}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done() or wanted.cancelled():
            raise HTTPException(503, "given up", {"Retry-After": "1"})
        return wanted.result()
    finally:
        for future in both:
            future.cancel()


async def _until(request: Request, kind: str) -> None:
    while (await request.receive())["type"] != kind:
        pass


def _file(path: Path) -> Response:
    return Response(
        path.read_bytes(),
        media_type=_TYPES[path.suffix],
        headers={"Cache-Control": "no-cache"},
    )
