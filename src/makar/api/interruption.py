"""Ctrl-C and SIGTERM while a training runs: the first asks it to save and stop, the second ends it at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether somebody asked to stop; outside the main thread no signal is watched.

    Yields:
        ``True`` from the first Ctrl-C or SIGTERM on.
    """
    asked = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
