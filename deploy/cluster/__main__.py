"""``make cluster``: start a whole cluster on this machine, say where it is, and end it on Ctrl-C.

``AUTODUB_CLUSTER`` is the folder everything lies in (``build/cluster``). Whatever else of Autodub's is in the
environment, the keys of clouds among it, reaches servers and workers, but for what makes them a cluster.
Their settings file is ``config.toml`` in that folder, or what ``AUTODUB_CONFIG`` names.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from deploy.cluster.cluster import Cluster
from deploy.cluster.supervisor import CannotBegin, NotWanted

_PORT = 5000


def main() -> int:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="make cluster CLUSTER=...", description=__doc__)
    parser.add_argument("--port", type=int, help=f"where nginx listens [{_PORT}, or any free one]")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--slots", type=int, default=1, help="jobs at once of each worker [1]")
    options = parser.parse_args()
    folder = Path(os.environ.get("AUTODUB_CLUSTER") or "build/cluster").resolve()
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    print("Starting Redis, PostgreSQL, an S3 server, Autodub and nginx ...", flush=True)
    try:
        cluster = Cluster(
            folder, port=_port() if options.port is None else options.port, servers=options.servers,
            workers=options.workers, slots=options.slots, say=lambda text: print(text, flush=True),
            is_over=asked.is_set,
        )  # fmt: skip
        with cluster:
            print(
                f"Autodub listens at {cluster.url} (documentation: {cluster.url}/docs): "
                f"{options.servers} servers behind nginx, {options.workers} workers. "
                f"Logs and data lie in {folder}. Ctrl-C stops everything.",
                flush=True,
            )
            asked.wait()
            print("Stopping: jobs are handed back and go on with the next start.", flush=True)
    except NotWanted:
        pass
    except CannotBegin as problem:
        print(f"cluster: {problem}", file=sys.stderr)
        return 1
    print("Everything has stopped.", flush=True)
    return 0


def _port() -> int:
    """The usual port; 0, any other, where somebody has it."""
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", _PORT))
        except OSError:
            return 0
    return _PORT


if __name__ == "__main__":
    sys.exit(main())
