"""Real brokers for tests: on free ports, in temporary folders, and able to be away for a while."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_LONG = 60.0
"""Seconds after which a broker that does not begin has failed."""
_RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Redis:
    """A Redis that keeps nothing over a restart."""

    password = "a-redis-password"

    def __init__(self, folder: Path) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("Redis is not installed here (make setup installs it on Debian and Ubuntu)")
        self._folder, self._port = folder, free_port()
        self.address = f"redis://:{self.password}@127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Be there (again)."""
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir",
             str(self._folder), "--requirepass", self.password],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        _wait(self._process, lambda: _answers(self._port, b"PING\r\n"))

    def stop(self) -> None:
        """Be away, with everything that was kept."""
        self._process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Take connections and questions, and answer nothing meanwhile."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        """Forget everything."""
        said = f"AUTH {self.password}\r\nFLUSHALL\r\n".encode()
        with socket.create_connection(("127.0.0.1", self._port), 5.0) as asked:
            asked.sendall(said)
            while not (found := asked.recv(100)).endswith(b"+OK\r\n"):
                assert found

    def close(self) -> None:
        """Be gone."""
        self.stop()


class Rabbit:
    """A RabbitMQ behind a way that can be cut: it takes long to begin."""

    password = "guest"

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        env = {
            "HOME": str(folder), "PATH": os.environ["PATH"], "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_NODENAME": f"autodub{self._port}@localhost", "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1", "ERL_CRASH_DUMP": "/dev/null", "LANG": "C.UTF-8",
        }  # fmt: skip
        folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        if _RABBIT.exists():
            # Else RabbitMQ starts one itself, which would outlive it.
            self._epmd = subprocess.Popen(["epmd"], env=env, stdout=subprocess.DEVNULL)
            self._process = subprocess.Popen(
                [_RABBIT], env=env, cwd=folder, start_new_session=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        self._way: _Way | None = None
        self._entry = free_port()
        self.address = f"amqp://guest:{self.password}@127.0.0.1:{self._entry}//"

    def start(self) -> None:
        """Be there (again); skips the test where it is not installed."""
        if self._process is None:
            pytest.skip("RabbitMQ is not installed here (make setup installs it on Debian and Ubuntu)")
        _wait(self._process, lambda: _answers(self._port, b"AMQP\0\0\x09\x01"))
        self._way = _Way(self._entry, self._port)

    def stop(self) -> None:
        """Be out of reach."""
        if self._way is not None:
            self._way.close()

    def close(self) -> None:
        """Be gone, with all its processes."""
        self.stop()
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)  # its first process is a script
        self._process.wait()
        self._epmd.kill()
        self._epmd.wait()


class _Way:
    """From one port of loopback to another, until it is closed."""

    def __init__(self, entry: int, target: int) -> None:
        self._target = target
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", entry))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut what goes through, and let nobody in."""
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):  # its other side has left
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += (near, far)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _answers(port: int, question: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as asked:
            asked.settimeout(5.0)
            asked.sendall(question)
            return bool(asked.recv(1))
    except OSError:
        return False


def _wait(process: subprocess.Popen[bytes], is_there: Callable[[], bool]) -> None:
    end = time.monotonic() + _LONG
    while not is_there():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
