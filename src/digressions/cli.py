"""The ``digress`` command: its commands in one program, and every error in one line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import __version__
from .commands.ensemble import ensemble
from .commands.export_site import export_site
from .commands.frame import frame
from .commands.mosaic import mosaic
from .commands.paint import paint
from .commands.print import print_
from .commands.replay import replay
from .commands.screensaver import screensaver
from .commands.serve import serve
from .commands.upscale import upscale
from .commands.zoom import zoom
from .console import fail, out
from .errors import DigressionsError, StoppedError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    *(mosaic, zoom, serve, screensaver, export_site),
    *(ensemble, paint, frame, print_, upscale, replay),
)
for command in COMMANDS:  # as `digress --help` lists them
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)


def say_version(wanted: bool) -> None:
    if wanted:
        out.print(f"digressions {__version__}")
        raise typer.Exit


@app.callback()
def digress(
    version: Annotated[
        bool,
        typer.Option("--version", callback=say_version, is_eager=True, help="Say it and leave."),
    ] = False,
) -> None:
    """Creative work with diffusion models: pictures made of pictures, several prompts in one."""


def main() -> None:
    """Runs the command line; every error made on purpose is one line and an exit code."""
    try:
        code = app(standalone_mode=False)
    except DigressionsError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("stopped", StoppedError.exit_code)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except Exception as error:  # a wrong use of the command line, or Ctrl-C under an older Typer
        if isinstance(error, typer.Abort):
            fail("stopped", StoppedError.exit_code)
        format_message = getattr(error, "format_message", None)
        if format_message is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
            sys.exit(2)
        path = getattr(getattr(error, "ctx", None), "command_path", "digress")
        message = " ".join(format_message().split()).rstrip(".")
        fail(f"{message}: '{path} --help' shows what there is", 2)
    if code == StoppedError.exit_code:  # Typer makes this of Ctrl-C
        fail("stopped", code)
    if isinstance(code, int):
        sys.exit(code)
