"""Batches that are built while the model works on those before them."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self

from bertpipe.training.problem import B, Cut, Problem

# One would do but for the spread: a batch that takes longer than an update is hidden by one that does not.
AHEAD = 2


class BatchesAhead(Generic[B]):
    """The micro-batches of a run of updates, in order, built by one thread.

    Args:
        problem: whose data.
        steps: the updates.
        cut: how the batch of a step is cut.
    """

    def __init__(self, problem: Problem[B], steps: range, cut: Callable[[int], Cut]) -> None:
        self._problem = problem
        self._steps = steps
        self._cut = cut
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
        self._coming: deque[tuple[int, Future[Sequence[B]]]] = deque()
        self.waited_seconds = 0.0

    def __enter__(self) -> Self:
        """Start nothing yet: the first batch is built when it is asked for."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what was built ahead."""
        self._thread.shutdown(cancel_futures=True)

    def take(self, step: int) -> Sequence[B]:
        """Return the micro-batches of an update; ``waited_seconds`` then tells the wait for them.

        An update may be asked for again, after the cut has changed; no earlier one may.
        """
        while self._coming and self._coming[0][0] < step:
            self._coming.popleft()
        self._fill(step)
        started = time.monotonic()
        micro_batches = self._coming[0][1].result()
        self.waited_seconds = time.monotonic() - started
        return micro_batches

    def forget(self) -> None:
        """Drop what was built ahead: the cut has changed."""
        while self._coming:
            self._coming.popleft()[1].cancel()

    def _fill(self, step: int) -> None:
        first = self._coming[-1][0] + 1 if self._coming else step
        for coming in range(first, min(step + AHEAD, self._steps.stop - 1) + 1):
            self._coming.append(
                (coming, self._thread.submit(self._problem.micro_batches, coming, self._cut(coming)))
            )
