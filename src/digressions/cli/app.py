"""The ``digress`` command: its commands in one program, and every error in one line."""

from __future__ import annotations

import errno
import os
import sys
import warnings

from cyclopts import App, CycloptsError

from .. import __version__
from ..errors import DigressionsError, StoppedError
from .console import fail
from .mistakes import in_one_line
from .options import spread

# In the order of `digress --help`: a command, where it is, what it does. A command's module is
# imported when the command is asked for, and so its help stands here.
COMMANDS = {
    "mosaic": (
        "mosaic_command:mosaic",
        "Paint a picture made of pictures: each cell of it a picture of the same prompt.",
    ),
    "zoom": (
        "zoom_command:zoom",
        "Fall into a picture made of pictures and come out where it began: a film that loops.",
    ),
    "serve": (
        "serve_command:serve",
        "Open a page to fly into a picture made of pictures, for ever.",
    ),
    "screensaver": (
        "serve_command:screensaver",
        "Fly through a picture made of pictures for ever, on the whole screen; any key leaves.",
    ),
    "export-site": (
        "export_site_command:export_site",
        "Make a folder that zooms for ever in any browser, served by any web server.",
    ),
    "studio": (
        "studio_command:studio",
        "Open a page for all of it: paint, look at what you made, and go on from there.",
    ),
    "ensemble": (
        "ensemble_command:ensemble",
        "Paint several prompts as one picture: a giraffe AND a frog.",
    ),
    "paint": ("paint_command:paint", "Paint a picture, or several with a contact sheet."),
    "frame": (
        "frame_command:frame",
        "Find the picture frames in a photo, and paint pictures into them.",
    ),
    "print": ("print_command:print_picture", "Make a file for a printer, of an exact size."),
    "upscale": ("upscale_command:upscale", "Enlarge a picture."),
    "words": ("words_command:words", "List what the bundled model was taught to paint."),
    "models": ("models_command:models", "List what is in your model folders."),
    "replay": (
        "replay_command:replay",
        "Make a picture or a film again from what its file remembers.",
    ),
}

app = App(
    name="digress",
    help="Creative work with diffusion models: pictures made of pictures, several prompts in one.",
    version=f"digressions {__version__}",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
for number, (name, (place, what)) in enumerate(COMMANDS.items()):
    app.command(f"{__package__}.{place}", name=name, help=what, sort_key=number)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; every error made on purpose is one line and an exit code.

    Args:
        arguments: Those of the program if not given.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        app.help_print([])
        sys.exit(2)
    try:
        arguments = spread(arguments)
        with warnings.catch_warnings():
            if not sys.warnoptions:  # what libraries warn of is for programmers
                warnings.simplefilter("ignore")
            app(arguments, exit_on_error=False, print_error=False, result_action="return_none")
    except DigressionsError as error:
        fail(error.message, error.exit_code)
    except CycloptsError as error:
        fail(in_one_line(error, COMMANDS), 2)
    except OSError as error:  # of what is printed: files have their own words by now
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or leaving would fail
        fail(f"what is said cannot be written: {error.strerror}", 2)
    except KeyboardInterrupt:
        fail("stopped", StoppedError.exit_code)
