"""How many items go through the model at once: found when memory runs out, once, and then kept.

The size changes a result (dropout is drawn for each pass, and sums are rounded), so it is a decision
of the run: a resumed run changes it at the step at which it changed before.
"""

from bertpipe.errors import ResourceError
from bertpipe.progress import Progress, Silent
from bertpipe.training.decisions import Decisions
from bertpipe.training.problem import Cut
from bertpipe.training.world import ALONE, World

_NAME = "micro_batch_size_from_step_"


class MicroBatches:
    """The size of a micro-batch, by step.

    Args:
        fixed: the size that is set; none: all of a process's part, or less where memory runs out.
        world: the processes; all decide alike.
        decisions: where it is kept; the first process's.
        progress: told when the size changes.
    """

    def __init__(
        self,
        fixed: int | None = None,
        *,
        world: World = ALONE,
        decisions: Decisions | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.is_fixed = fixed is not None
        self._world = world
        self._decisions = decisions
        self._progress = progress or Silent()
        known = decisions.starting_with(_NAME) if decisions else {}
        self._sizes: dict[int, int | None] = {0: fixed}
        self._sizes |= {int(step): size for step, size in world.broadcast(known).items()}

    def cut(self, step: int) -> Cut:
        """Return how to cut the batch of an update."""
        return Cut(self._world, self._sizes[max(first for first in self._sizes if first <= step)])

    def halve(self, step: int, *, items: int) -> None:
        """Cut finer from an update on, since a pass over so many items did not fit.

        Raises:
            ResourceError: not even one item fits, or the size is set.
        """
        items = self._world.broadcast(items)
        if self.is_fixed or items == 1:
            raise too_large(items)
        size, before = items // 2, self.cut(step).micro_batch_size
        assert before is None or size < before, "the same passes would be tried for ever"
        if self._decisions:
            self._decisions.record(f"{_NAME}{step}", size)
        self._sizes[step] = size
        self._progress.note(
            f"memory ran out at step {step + 1} with {items} items a forward pass: going on with "
            f"{size}, also when the run is resumed"
        )


def too_large(items: int) -> ResourceError:
    """Return what to tell when a pass over so many items does not fit, and none can be left out."""
    if items == 1:
        return ResourceError(
            "out of memory with a single item a forward pass",
            hint="a smaller model, shorter sequences, runtime.gradient_checkpointing or a device with more "
            "memory would help",
        )
    return ResourceError(
        f"out of memory with {items} items a forward pass",
        hint=f"set pretrain.micro_batch_size, for example to {items // 2}; it changes the result, so the run "
        "then starts anew",
    )
