"""Use cases: a page on which one flies into a world, in any browser or on the whole screen.

Both are generators of events that, once the page can be opened, run until they are stopped.
"""

from __future__ import annotations

import functools
import shutil
import socket
import subprocess
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..errors import DigressionsError, MissingExtraError
from ..events import Event, Note
from ..generate.presets import notes_on_preset
from ..images.source_image import SourceImage
from ..models.base import Model
from .bank import FiniteWorld, growing_bank
from .cache import Cache
from .opening import manifest_of, notes_on_world, open_world, resolve_world
from .page import WorldInfo
from .photo_world import check_photo_world, resolve_photo_world
from .photo_world_spec import PhotoScreensaverSpec, PhotoServeSpec
from .picture_service import Opener, PictureService
from .world import World
from .world_spec import CacheParams, ScreensaverSpec, ServeSpec

# Browsers that fill the screen without a click. Others are opened in the usual way.
_FILLING = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def kiosk(address: str, on_closed: Callable[[], object]) -> Iterator[None]:
    """A browser that shows a page, on the whole screen where it can be told so.

    Args:
        address: Of the page.
        on_closed: Called from another thread when the window is closed before the block ends.
            (A browser that cannot be told to fill the screen may stay open for other pages: then
            nobody hears of it.)

    Raises:
        DigressionsError: At the end of the block, if the browser failed.
    """
    program = next((found for name in _FILLING if (found := shutil.which(name))), None)
    if program is None:
        webbrowser.open(address)
        yield
        return
    # A profile of its own: a window of a browser that runs already would not fill the screen.
    with tempfile.TemporaryDirectory(prefix="digress-", ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [program, "--kiosk", "--no-first-run", f"--user-data-dir={profile}", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def watch() -> None:
            browser.wait()
            on_closed()

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            code = browser.poll()  # before it is told to end
            browser.terminate()
            watching.join()
        if code:
            raise DigressionsError(
                f"{program} ended with code {code}: is there a screen? "
                "`digress serve` shows the same page in any browser"
            )


def check_installed() -> None:
    """Raises `MissingExtraError` unless the server's packages are there."""
    for package in ("starlette", "uvicorn"):
        try:
            __import__(package)
        except ImportError:
            raise MissingExtraError(package, "serve") from None


def serve_world(
    model: Model, spec: ServeSpec, *, start: SourceImage | None = None
) -> Iterator[Event]:
    """Serves a world until Ctrl-C.

    A finite world's bank is painted first. The last event before the server runs is a note that
    begins with the address of the page.

    Args:
        model: Paints it.
        spec: What world, and for whom.
        start: What ``spec.world.image`` is, if the caller has read it already (see
            `opening.read_start`).

    Raises:
        MissingExtraError: The server's packages are not installed.
        InputError: As `opening.manifest_of`; or the address is taken or not of this machine.
    """
    yield from _served(_painted(model, spec, start), spec)


def serve_photos(spec: PhotoServeSpec) -> Iterator[Event]:
    """Serves a world of photos until Ctrl-C; as `serve_world`, without a model.

    Raises:
        MissingExtraError: The server's packages are not installed.
        InputError, ImageError, OutputError: As `photo_world.resolve_photo_world`.
    """
    yield from _served(_of_photos(spec), spec)


def _served(
    preparing: Generator[Event, None, _Prepared], spec: ServeSpec | PhotoServeSpec
) -> Iterator[Event]:
    check_installed()
    from .local_server import listening

    with listening(spec.host, spec.port) as listener:
        names = [spec.host, *(spec.name or [])]
        ready = _ready((yield from preparing), listener, spec.host, names)
        yield _opened(ready.address, spec.cache)
        ready.run()


def show_screensaver(
    model: Model, spec: ScreensaverSpec, *, start: SourceImage | None = None
) -> Iterator[Event]:
    """Flies through a world on the whole screen until the window is closed, or Ctrl-C.

    Args:
        model, spec, start: As of `serve_world`.

    Raises:
        MissingExtraError, InputError: As `serve_world`.
        DigressionsError: The browser failed.
    """
    yield from _on_screen(_painted(model, spec, start), spec)


def show_photo_screensaver(spec: PhotoScreensaverSpec) -> Iterator[Event]:
    """Flies through a world of photos on the whole screen; as `show_screensaver`, without a model.

    Raises:
        MissingExtraError, InputError, ImageError, OutputError: As `serve_photos`.
        DigressionsError: The browser failed.
    """
    yield from _on_screen(_of_photos(spec), spec)


def _on_screen(
    preparing: Generator[Event, None, _Prepared], spec: ScreensaverSpec | PhotoScreensaverSpec
) -> Iterator[Event]:
    check_installed()
    from .local_server import listening

    host = "127.0.0.1"
    with listening(host, 0) as listener:
        ready = _ready((yield from preparing), listener, host, [host])
        yield _opened(ready.address, spec.cache)
        with kiosk(f"{ready.address}screensaver", ready.stop):
            ready.run()


class _Ready(NamedTuple):
    """A server that can run.

    Attributes:
        address: Of the page.
        run: Runs until `stop` or Ctrl-C.
        stop: Ends it, from any thread.
    """

    address: str
    run: Callable[[], None]
    stop: Callable[[], None]


class _Prepared(NamedTuple):
    """A world that can be served: what opens it in each thread, and what its page knows of it."""

    opener: Opener
    info: WorldInfo


def _of_photos(spec: PhotoServeSpec | PhotoScreensaverSpec) -> Generator[Event, None, _Prepared]:
    """Makes a world of photos ready to be served."""
    check_photo_world(spec.world, spec.cache)
    yield from notes_on_preset(spec, preset=spec.preset)
    world = yield from resolve_photo_world(spec.world, spec.bank.most)

    @contextmanager
    def opened() -> Iterator[World]:
        with Cache(spec.cache.cache, spec.cache.limit) as cache:
            yield world.open(cache)

    with opened():  # errors are seen before anybody comes
        pass
    cells, canvas_side = world.manifest.cells, world.manifest.canvas_side
    info = WorldInfo(spec.world.title, cells.grid.columns, *cells.cell, canvas_side)
    return _Prepared(opened, info)


def _painted(
    model: Model, spec: ServeSpec | ScreensaverSpec, start: SourceImage | None
) -> Generator[Event, None, _Prepared]:
    """Makes a painted world ready to be served."""
    world = resolve_world(model, spec.world, start)
    manifest = manifest_of(model, world)
    yield from notes_on_world(model, world)
    yield from notes_on_preset(spec, preset=spec.preset)

    @contextmanager
    def endless() -> Iterator[World]:
        with Cache(spec.cache.cache, spec.cache.limit) as cache:
            yield open_world(model, world, cache)

    bank, reuse = None, spec.bank.reuse
    with endless() as first:  # the root is painted before anybody comes, and errors are seen
        yield from first.notes
        if reuse is not None:
            bank = yield from growing_bank(first, reuse)

    @contextmanager
    def opened() -> Iterator[World]:
        with endless() as own:
            yield own if bank is None else FiniteWorld(own, bank)

    cells = world.cells
    info = WorldInfo(spec.world.title, cells.grid.columns, *cells.cell, manifest.canvas_side)
    return _Prepared(opened, info)


def _ready(world: _Prepared, listener: socket.socket, host: str, names: Collection[str]) -> _Ready:
    """A server of a world."""
    import uvicorn

    from .server import world_app

    server = uvicorn.Server(
        uvicorn.Config(
            lambda: world_app(PictureService(world.opener), world.info, names),
            factory=True,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
    )

    def run() -> None:
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # the usual end of a server
            return

    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    return _Ready(address, run, functools.partial(setattr, server, "should_exit", True))


def _opened(address: str, cache: CacheParams) -> Note:
    return Note(f"{address}  (press Ctrl-C to stop; painted pictures stay in {cache.cache})")
