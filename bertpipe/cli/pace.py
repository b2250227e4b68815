"""How long something will still take."""

_KEPT = 64
_FIRST_SPACING_SECONDS = 0.05
_KNOWN_AFTER_SECONDS = 1.0


class Pace:
    """The rate over the later half of the time so far.

    So a slow start, such as compiling, is forgotten after as long again; and pauses that come
    round, such as evaluations, count as often as they came in that half. The last few updates alone
    would promise too little before a pause and too much after it.

    Args:
        now: the time in seconds.
        done: units that were done before.
    """

    def __init__(self, now: float, done: float) -> None:
        self._began = now
        self._now, self._done = now, done
        self._marks = [(now, done)]
        self._spacing = _FIRST_SPACING_SECONDS

    def saw(self, now: float, done: float) -> None:
        """Take note of how much is done now."""
        self._now, self._done = now, done
        if now - self._marks[-1][0] < self._spacing:
            return
        self._marks.append((now, done))
        if len(self._marks) > _KEPT:
            self._marks = self._marks[::2]
            self._spacing *= 2

    def seconds_for(self, amount: float) -> float | None:
        """Return how long ``amount`` more units take; none while that is unknown."""
        if self._now - self._began < _KNOWN_AFTER_SECONDS:
            return None
        half = self._began + (self._now - self._began) / 2
        since, done = [mark for mark in self._marks if mark[0] <= half][-1]
        if self._done <= done:
            return None
        return amount * (self._now - since) / (self._done - done)
