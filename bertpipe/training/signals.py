"""Stopping in an orderly way."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

NOTICED = (signal.SIGTERM, signal.SIGINT)


@dataclass
class StopRequest:
    """Whether a signal has asked to stop.

    Attributes:
        signal_number: the signal, or none.
    """

    signal_number: int | None = None


@contextmanager
def noticing_signals(*, patience_seconds: float = 0.0) -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a request that the loop reads after each update.

    A second signal is not held back: it has its usual effect. Outside the main thread, where
    Python allows no handlers, nothing changes.

    Args:
        patience_seconds: a signal so soon after the first is the same request: torchrun passes on
            what it gets, and a terminal or SLURM sends it to all processes as well.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    usual = {number: signal.getsignal(number) for number in NOTICED}
    deadline = 0.0

    def notice(number: int, frame: FrameType | None) -> None:
        nonlocal deadline
        if request.signal_number is None:
            request.signal_number, deadline = number, time.monotonic() + patience_seconds
        elif time.monotonic() >= deadline:
            signal.signal(number, usual[signal.Signals(number)])
            signal.raise_signal(number)

    for number in usual:
        signal.signal(number, notice)
    try:
        yield request
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
