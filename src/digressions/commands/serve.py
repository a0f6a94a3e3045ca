"""``digress serve``: a page on which one flies into a world, for ever."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import out
from ..errors import InputError, MissingExtraError
from .chosen import check_reuse, grown, loaded_world
from .groups import CacheOptions, CellOptions, ModelOptions, RootOptions, spread
from .options import Prompt, Reuse

if TYPE_CHECKING:
    from ..models import Model
    from ..worlds.genesis import WorldSettings
    from ..worlds.world import World


@spread
def serve(
    prompt: Prompt,
    *,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; 0.0.0.0 for every machine of the network."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.")] = 8064,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Host name that it is reached under, besides localhost; repeatable."),
    ] = None,
    root: RootOptions,
    reuse: Reuse = None,
    cells: CellOptions,
    cache: CacheOptions,
    model: ModelOptions,
) -> None:
    """Open a page on which one flies into a picture made of pictures, for ever."""
    check_installed()
    if not 0 <= port <= 65535:
        raise InputError(f"--port {port} is out of range: 0 to 65535")
    cache.check()
    check_reuse(reuse)
    loaded, world = loaded_world(prompt, root, cells, model)
    serve_world(loaded, world, reuse, cache.store, host, port, name or [])


def check_installed() -> None:
    """Raises `MissingExtraError` unless the server's packages are there."""
    for package in ("starlette", "uvicorn"):
        try:
            __import__(package)
        except ImportError:
            raise MissingExtraError(package, "serve") from None


def serve_world(
    model: Model,
    settings: WorldSettings,
    reuse: int | None,
    cache: tuple[Path, int],
    host: str,
    port: int,
    names: list[str],
    on_ready: Callable[[str, Callable[[], None]], object] | None = None,
) -> None:
    """Serves a world until Ctrl-C.

    Args:
        model, settings: What the world is.
        reuse: Pictures of its bank if it is to be finite.
        cache: The file that keeps what is painted, and its limit in bytes.
        host, port: To listen on.
        names: Host names to answer to, besides ``localhost``.
        on_ready: Called with the address of the page as soon as it can be opened, and with what
            ends the server, from any thread.

    Raises:
        InputError: A world that cannot be, or an address that cannot be listened on.
    """
    import uvicorn

    from ..worlds.bank import FiniteWorld
    from ..worlds.cache import Cache
    from ..worlds.genesis import manifest_of, open_world
    from ..worlds.page import Facts
    from ..worlds.serve import listening, world_app
    from ..worlds.studio import Studio

    manifest = manifest_of(model, settings)

    @contextmanager
    def endless() -> Iterator[World]:
        with Cache(*cache) as pictures:
            yield open_world(manifest, model, settings.primary, pictures)

    with listening(host, port) as listener:
        with endless() as world:  # the root is painted before anybody comes, and errors are seen
            bank = None if reuse is None else grown(world, reuse)

        @contextmanager
        def opened() -> Iterator[World]:
            with endless() as world:
                yield world if bank is None else FiniteWorld(world, bank)

        prompt, cells = settings.primary.settings.prompt, settings.cells
        facts = Facts(prompt, cells.grid.columns, cells.side, manifest.canvas_side)
        app = world_app(Studio(opened), facts, [host, *names])
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        )
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        out.print(f"{address}  (Ctrl-C ends it; what is painted stays in {cache[0]})")
        if on_ready is not None:
            on_ready(address, functools.partial(setattr, server, "should_exit", True))
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # the usual end of a server
            return
