"""Learning rates as functions of the step."""


def linear_with_warmup(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Return the share of the peak rate at update ``step`` (from 0).

    Rises linearly over the warm-up and falls linearly to zero at the end (Devlin et al. 2019,
    appendix A.2). The first update already moves: its share is ``1 / warmup_steps``.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return (total_steps - step) / max(1, total_steps - warmup_steps)
