"""A wrong use of the command line, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cyclopts import (
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

_ELSEWHERE = {
    **dict.fromkeys(("sigmas", "scheduler", "schedule", "schedule-type"), "--timestep-spacing"),
    **dict.fromkeys(("cfg", "cfg-scale", "guidance-scale"), "--guidance"),
    **dict.fromkeys(("negative-prompt", "uncond"), "--negative"),
    **dict.fromkeys(("denoise", "denoising-strength"), "--strength"),
    **dict.fromkeys(("ckpt", "checkpoint"), "--model"),
    **dict.fromkeys(("sampler-name", "sampling-method"), "--sampler"),
    **dict.fromkeys(("clip", "te"), "--text-encoder"),
}
"""Options by the names that A1111's web UI, ComfyUI and diffusers have for them."""

_OF_MOSAICS = {
    "--paint": "only mosaics repaint photos: digress mosaic --image ME --tiles PHOTOS --paint 0.4"
}
"""Options that somebody may look for in another command, and what to tell them."""


def in_one_line(error: CycloptsError, commands: Iterable[str]) -> str:
    """What is wrong, and where the right use is shown.

    Args:
        commands: All that there are.
    """
    command = " ".join(["digress", *(error.command_chain or ())])
    return f"{_reason(error, commands)}; '{command} --help' shows what there is"


def _reason(error: CycloptsError, commands: Iterable[str]) -> str:
    match error:
        case UnknownCommandError(unused_tokens=[name, *_]):
            return f"there is no command {name!r}{_similar(name, commands)}"
        case UnknownOptionError():
            name = error.token.keyword or error.token.value
            known = [each for argument in error.argument_collection for each in argument.names]
            if name in known:
                return f"{name} stands after --, where all is text: put options before it"
            if " " in name:
                return (
                    f"there is no option {name!r}: a prompt that begins with - comes last, after --"
                )
            asked = name.partition("=")[0]
            if asked in _OF_MOSAICS:
                return f"there is no option {name} here: {_OF_MOSAICS[asked]}"
            elsewhere = _ELSEWHERE.get(asked.removeprefix("--"))
            if elsewhere in known:
                return f"there is no option {name} here: it is called {elsewhere}"
            return f"there is no option {name} here{_similar(name, known)}"
        case RepeatArgumentError():
            return f"{error.token.keyword} is given twice"
        case MissingArgumentError(argument=Argument() as argument):
            if argument.index is not None:
                return f"{argument.names[0]} is missing"
            wanted, found = argument.token_count()[0], len(error.tokens_so_far)
            needed = "a value" if wanted == 1 else f"{wanted} values, and {found} are there"
            return f"{error.keyword or argument.name} needs {needed}"
        case UnusedCliTokensError(unused_tokens=[text, *_]):
            return (
                f"{text!r} is one argument too many: put quotes around the words of a prompt, and "
                "the name of an option before its value"
            )
        case CoercionError(argument=Argument(hint=kind) as argument) if kind is bool:
            return f"{argument.name} takes no value"
    return " ".join(str(error).split()).rstrip(".")


def _similar(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f": did you mean {found[0]}?" if found else ""
