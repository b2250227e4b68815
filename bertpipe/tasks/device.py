"""Where a model learns or answers a task: on one device, in one process."""

import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ConfigError
from bertpipe.progress import Progress
from bertpipe.training import prepare_device
from bertpipe.training.world import processes_started


def prepare_only_device(runtime: RuntimeConfig, progress: Progress) -> torch.device:
    """Return the device to compute on, as ``prepare_device``.

    Raises:
        ConfigError: there is no such device, or torchrun has started others, which would do the same work
            again and write to the same folder.
    """
    processes = processes_started()
    if processes > 1:
        raise ConfigError(
            f"{processes} processes were started (WORLD_SIZE), but a task is learned and answered by one",
            hint="run the command without torchrun, or unset WORLD_SIZE",
        )
    return prepare_device(runtime, progress)
