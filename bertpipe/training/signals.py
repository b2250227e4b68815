"""Stopping in an orderly way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopRequest:
    """Whether a signal has asked to stop.

    Attributes:
        signal_number: the signal, or none.
    """

    signal_number: int | None = None


@contextmanager
def noticing_signals() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a request that the loop reads after each update.

    A second signal is not held back: it has its usual effect. Outside the main thread, where
    Python allows no handlers, nothing changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def notice(number: int, frame: FrameType | None) -> None:
        request.signal_number = number
        signal.signal(number, usual[signal.Signals(number)])

    for number in usual:
        signal.signal(number, notice)
    try:
        yield request
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
