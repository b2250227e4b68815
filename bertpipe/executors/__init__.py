"""Work spread over processes or machines: the same function, the same results in the same order."""

from bertpipe.executors.choice import Executor, open_executor
from bertpipe.executors.local import map_ordered, worker_count

__all__ = ["Executor", "map_ordered", "open_executor", "worker_count"]
