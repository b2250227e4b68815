"""The process in which a Dask worker has items of one run worked on."""

import os
import pickle
import queue
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from bertpipe.errors import BertpipeError, ResourceError
from bertpipe.executors.local import outcome
from bertpipe.executors.remote import Session, dump, environment

# If the command that asked for the work was killed, nobody says that it is over.
_IDLE_SECONDS = 300.0


def main() -> None:
    """Work on items from the pipe that the first argument names, until there have been none for long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the command decides what Ctrl-C means
    connection = Connection(int(sys.argv[1]))
    session: Session = connection.recv()
    payloads: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, payloads), daemon=True).start()
    problem = _problem(session)
    while True:
        try:
            payload = payloads.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            return
        connection.send_bytes(dump((False, problem) if problem else outcome(_call, payload)))


def _receive(connection: Connection, payloads: queue.SimpleQueue[bytes]) -> None:
    """Take items; end this process when the Dask worker is gone, also in the middle of one."""
    while True:
        try:
            payloads.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)


def _call(payload: bytes) -> Any:
    function, item = pickle.loads(payload)
    return function(item)


def _problem(session: Session) -> BertpipeError | None:
    """Go to the folder of the run; return what makes this the wrong place for it."""
    if session.current_folder.is_dir():  # if not, paths may still all be absolute
        os.chdir(session.current_folder)
    try:
        _check_environment(session)
        _check_files(session)
    except BertpipeError as error:
        return error
    return None


def _check_environment(session: Session) -> None:
    """Compare versions; a package that is missing here says so itself, if it is needed."""
    own = environment()
    different = [
        f"{name} {own[name]}, not {wanted}"
        for name, wanted in session.environment.items()
        if own.get(name, wanted) != wanted
    ]
    if different:
        raise ResourceError(
            f"the worker on {socket.gethostname()} has {', '.join(different)}",
            hint="install the same versions on all machines, and start the workers again",
        )


def _check_files(session: Session) -> None:
    """Check for a sign of each file system that the machines have to share."""
    hint = "it must lie on a file system that all workers share, under the same path"
    for path, size in session.reads:
        if not path.exists() or path.stat().st_size != size:
            what = "sees another version of" if path.exists() else "does not see"
            raise ResourceError(f"the worker on {socket.gethostname()} {what} {path}", hint=hint)
    if session.marker is None:
        return
    folder = session.marker.parent
    if not session.marker.exists():
        raise ResourceError(f"the worker on {socket.gethostname()} does not see {folder}", hint=hint)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ResourceError(
            f"the worker on {socket.gethostname()} may not write to {folder}",
            hint="let the workers run as the user who runs the command",
        )
