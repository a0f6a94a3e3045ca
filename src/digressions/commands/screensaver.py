"""``digress screensaver``: an endless flight on the whole screen."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from ..errors import DigressionsError
from .chosen import check_reuse, loaded_world
from .groups import CacheOptions, CellOptions, ModelOptions, RootOptions, spread
from .options import CacheFile, CellPrompts, Prompt, Reuse, RootSeed, StartImage, WorldGrid
from .serve import check_installed, serve_world

# Browsers that fill the screen without a click. Others are opened in the usual way.
_FILLING = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@spread
def screensaver(
    prompt: Prompt,
    *,
    image: StartImage = None,
    grid: WorldGrid = "64",
    cell_prompt: CellPrompts = None,
    reuse: Reuse = None,
    seed: RootSeed = 0,
    cache: CacheFile = CacheOptions.cache,
    model: ModelOptions,
) -> None:
    """Fly through a picture made of pictures for ever, on the whole screen; any key leaves."""
    check_installed()
    check_reuse(reuse)
    root = RootOptions(image, grid, cell_prompt)
    loaded, world = loaded_world(prompt, root, CellOptions(seed=seed), model)
    store = CacheOptions(cache).store
    with ExitStack() as stack:

        def show(address: str, end: Callable[[], None]) -> None:
            stack.enter_context(opened(f"{address}screensaver", end))

        serve_world(loaded, world, reuse, store, "127.0.0.1", 0, [], on_ready=show)


@contextmanager
def opened(address: str, on_closed: Callable[[], object]) -> Iterator[None]:
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
