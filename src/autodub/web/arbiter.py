"""Serving by gunicorn: one process that watches, one that answers with many threads, one that runs jobs.

Nothing is opened before the fork: the answering process makes its own app, and with it its own platform.
The process that runs jobs is a program of its own (``autodub worker``), so that dubs never hold up answers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

import gunicorn.http.wsgi
from gunicorn import sock
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger
from gunicorn.util import close
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from autodub.infra.child import die_with_parent
from autodub.infra.keeping import Kept
from autodub.web import serving
from autodub.web.crew import Crew
from autodub.web.farewells import Farewells
from autodub.web.patience import Line, Patient, Turns

PATIENCE = 20.0
"""Seconds that answers and jobs under way have when the server is told to end."""
_ANSWERS = 8
"""Seconds of these for answers."""
_HURRY = 130
"""Exit code when somebody insisted."""
_STALLED = 60.0
"""Seconds a client may neither send nor take anything in the middle of a request."""
_PROMPT = 0.2
"""Seconds a thread waits for the first byte of a connection, before it is waited for without one."""
_SHARE = 4
"""One address may have this part of the threads wait for it: a quarter."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - where the heartbeat lies, so that a slow disk is no dead process
gunicorn.http.wsgi.SERVER = "autodub"

Wsgi = Callable[..., Any]


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's messages go where ours go."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Threads(ThreadWorker):  # type: ignore[misc]
    """The process that answers."""

    def get_thread_pool(self) -> Crew:
        return Crew(self.cfg.threads)

    def init_signals(self) -> None:
        super().init_signals()
        # Ctrl-C reaches everybody in the terminal's group; the one who watches decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_exit(self, sig: int, frame: Any) -> None:
        serving.leave()
        super().handle_exit(sig, frame)

    def is_parent_alive(self) -> bool:
        if super().is_parent_alive():
            return True
        serving.leave()
        return False

    def run(self) -> None:
        self.farewells = Farewells(self.poller)
        self._line: Line[Any] = Line(self.app.most)
        super().run()
        self.farewells.close()

    def enqueue_req(self, conn: Any) -> None:
        conn.close = partial(self._hang_up, conn)
        if self._line.enters(_address(conn), conn):
            super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        following = self._line.leaves(_address(conn))
        if following is not None:
            super().enqueue_req(following)
        super().finish_request(conn, fs)

    def _hang_up(self, conn: Any, *, graceful: bool = False) -> None:
        """Close a connection as gunicorn does, but never wait in the thread that takes all of them."""
        if graceful:
            self.farewells.begin(conn.sock)
        else:
            close(conn.sock)

    def murder_pending(self) -> None:
        super().murder_pending()
        self.farewells.look()

    def handle(self, conn: Any) -> Any:
        if conn.initialized:
            conn.parser.unreader.begin()
        elif conn.wait_for_data(_PROMPT):
            conn.sock.setblocking(True)
            conn.init()
            conn.parser.unreader = Patient(conn.sock, _address(conn), self.app.turns)
        else:
            return gthread._DEFER
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.parser.unreader.headed()
        if not any(name == "UPGRADE" for name, _ in req.headers):  # a web socket may be silent for long
            conn.sock.settimeout(_STALLED)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # somebody who vanished is noticed at what we send to him
            with contextlib.suppress(OSError):
                conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_STALLED * 1000))
        try:
            return super().handle_request(req, conn)
        except TimeoutError as stalled:
            raise ConnectionResetError(errno.ECONNRESET, "the client stalled") from stalled


def _address(conn: Any) -> str:
    return str(conn.client[0]) if isinstance(conn.client, tuple) else ""


class Front(Arbiter):  # type: ignore[misc]
    """The process that watches over the others and ends them."""

    def __init__(self, app: Any, kept: Kept | None) -> None:
        super().__init__(app)
        self._kept = kept

    def init_signals(self) -> None:
        unheard = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup
        super().init_signals()
        if unheard:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_int(self) -> None:
        self.handle_term()

    def handle_hup(self) -> None:
        self.handle_term()

    def handle_usr2(self) -> None:
        """Nothing: a new release is started by whoever started this one."""

    def manage_workers(self) -> None:
        super().manage_workers()
        if self._kept is not None:
            self._kept.look()

    def reap_workers(self) -> None:
        if self._kept is not None:
            self._kept.notice()
        super().reap_workers()

    def stop(self, graceful: bool = True) -> None:
        """End the others: with patience, or at once when somebody asks again."""
        self.app.leaving()
        sock.close_sockets(self.LISTENERS, False)
        self.LISTENERS: list[Any] = []
        self.kill_workers(signal.SIGTERM if graceful else signal.SIGQUIT)
        if self._kept is not None:
            self._kept.ask()
        end = time.monotonic() + (PATIENCE if graceful else 1.0)
        is_hurried = False
        while self._are_there() and time.monotonic() < end and not is_hurried:
            is_hurried = self._is_asked_again()
            time.sleep(0.02)
        self.kill_workers(signal.SIGKILL)
        if self._kept is not None:
            self._kept.kill()
        self._are_there()
        if is_hurried:
            os._exit(_HURRY)

    def _are_there(self) -> bool:
        with contextlib.suppress(HaltServer):  # a failure to begin is no news now
            self.reap_workers()
        return bool(self.WORKERS) or (self._kept is not None and self._kept.is_running)

    def _is_asked_again(self) -> bool:
        with contextlib.suppress(Empty):
            return self.SIG_QUEUE.get_nowait() in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
        return False


class Served(BaseApplication):  # type: ignore[misc]
    """An app at a listening socket. ``make`` is called in the answering process, ``ended`` at its end.

    ``leaving`` is called in the process that watches when it is told to stop, ``left`` when all have stopped.
    """

    def __init__(
        self, make: Callable[[], Wsgi], *, listener: socket.socket, threads: int,
        ready: Callable[[], None], ended: Callable[[], None], proxies: int = 0,
        leaving: Callable[[], None] = lambda: None, left: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.leaving, self._left = leaving, left
        self.turns = Turns(None if proxies else max(1, threads // _SHARE))
        self.most = None if proxies else max(1, threads * 9 // 10)
        self._make, self._threads, self._ready, self._ended = make, threads, ready, ended
        self._handle = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        chosen = {
            "bind": [f"fd://{self._handle}"], "backlog": 1024,
            "worker_class": Threads, "workers": 1, "threads": self._threads,
            "worker_connections": self._threads + 2000,
            "timeout": 120, "graceful_timeout": _ANSWERS, "keepalive": 75,
            "limit_request_line": 8190,
            # Who is behind a proxy is decided by a setting of ours, and nowhere else.
            "forwarded_allow_ips": "", "secure_scheme_headers": {}, "forwarder_headers": "",
            "control_socket_disable": True, "accesslog": None, "loglevel": "warning",
            "logger_class": _Log, "proc_name": "autodub",
            "worker_tmp_dir": str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None,
            "when_ready": lambda _: self._ready(),
            "post_fork": lambda _, __: die_with_parent(),
            "worker_exit": lambda _, __: self._ended(),
            "on_exit": lambda _: self._left(),
        }  # fmt: skip
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Wsgi:
        return self._make()


def run(served: Served, kept: Kept | None) -> None:
    """Serve until somebody says stop, then exit: 0, or 130 when somebody insisted."""
    Front(served, kept).run()
