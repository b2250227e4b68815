"""The connection to a Dask scheduler: made with a deadline, checked, and ended with all its work."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bertpipe import extras
from bertpipe.errors import ResourceError
from bertpipe.executors import remote

if TYPE_CHECKING:
    from distributed import Client

_SECONDS_TO_ANSWER = 5.0


def connect(address: str, *, timeout: float) -> "Client":
    """Return a client of the scheduler at ``address``; ``timeout`` is in seconds.

    Raises:
        ResourceError: none answers in time.
        ConfigError: distributed is not installed.
    """
    import asyncio  # here, since it takes 0.03 s and most runs stay on one machine

    distributed = extras.load("distributed", extra="cluster", needed_by="runtime.executor = dask")
    # What matters of its warnings is said here, by errors.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # The client would wait for ever for the first word of somebody who listens but says nothing.
        kind = asyncio.run(asyncio.wait_for(_kind(address), timeout))
        if kind != "Scheduler":
            raise ValueError(f"a {kind} answers")
        return distributed.Client(address, timeout=timeout, set_as_default=False)
    except (OSError, TypeError, ValueError) as error:
        reason = f"no answer within {timeout:g} s" if isinstance(error, TimeoutError) else error
        raise ResourceError(
            f"no Dask scheduler can be reached at {address}: {reason}",
            hint="start one with 'dask scheduler' and name its address with --scheduler",
        ) from None


async def _kind(address: str) -> str:
    """Return what runs at an address, such as ``Scheduler`` or ``Worker``."""
    import distributed

    arguments = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, connection_args=arguments) as peer:
        identity = await peer.identity()
    return str(identity["type"])


def check_imports(client: "Client") -> None:
    """Check that all who are there can load what they will be asked to do.

    Dask would take what cannot be loaded for a fault of its own. Versions are checked by each
    process that works (see ``child``), also where it starts later.
    """
    answers = {"scheduler": _attempt(client.run_on_scheduler, remote.end, "")}
    workers = _attempt(partial(client.run, on_error="return"), remote.end, "")
    if isinstance(workers, dict):
        answers.update({f"worker at {address}": answer for address, answer in workers.items()})
    for place, answer in answers.items():
        if isinstance(answer, Exception) and not isinstance(answer, OSError):  # that one just ended
            raise ResourceError(
                f"this bertpipe cannot be imported by Dask's {place}: {answer}",
                hint="install the same version on all machines: pip install 'bertpipe[cluster]'",
            )


def disconnect(client: "Client", key: str) -> None:
    """End what the workers still do for this run, and the connection."""
    if client.status == "running":
        _attempt(partial(client.run, on_error="return"), remote.end, key)
    client.close(timeout=_SECONDS_TO_ANSWER)


def _attempt(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a call or its error; None if it takes too long.

    A worker that hangs must neither keep the command from its start nor from its end.
    """
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(call(*arguments))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_SECONDS_TO_ANSWER)
    return results[0] if results else None
