"""Ctrl-C that waits until what is finished is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TypeAlias

Holding: TypeAlias = Callable[[], AbstractContextManager[None]]
"""What a block is in that keeps finished work: `interrupts_held`, or ``nullcontext``."""


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C in the block waits for its end; a second one does not.

    Only where it would raise `KeyboardInterrupt`: in the main thread, with Python's own handler.

    Raises:
        KeyboardInterrupt: At the end, if there was one.
    """
    usual = signal.default_int_handler
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return
    held = False

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal held
        held = True
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if held:
        raise KeyboardInterrupt
