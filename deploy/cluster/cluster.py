"""A whole cluster on loopback: machines with a data directory each, and what machines share.

Passwords are made once and kept in a file that nobody else may read.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import socket
import string
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.cluster import parts
from deploy.cluster.supervisor import CannotBegin, Part, Supervisor

from autodub.infra import private

Route = Callable[[str, str, int], int]
"""Given who asks, for which service (redis, postgres, s3) and its port: the port it is to ask instead."""
_PROCFILE = Path(__file__).parents[1] / "Procfile"


class Cluster:
    """Servers behind nginx, workers, Redis, PostgreSQL and an S3 server; to be used with ``with``."""

    def __init__(
        self, folder: Path, *, port: int = 0, servers: int = 2, workers: int = 3, slots: int = 1,
        queues: str = "net,cpu,gpu", durable: bool = True, environ: Mapping[str, str] | None = None,
        people: Sequence[str] = (), route: Route | None = None, tuning: Mapping[str, str] | None = None,
        say: Callable[[str], None] = print, is_over: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """``port`` 0 takes any that is free; ``environ`` is what servers and workers get besides.

        ``tuning`` is what PostgreSQL is told; not ``durable``, it is quick, and may be lost with the power.

        ``is_over`` says that it is to end, while it begins.

        Where there are ``people``, they alone may use it, each with a key of ``keys``; the first is an admin.

        Raises CannotBegin where something is missing, or another cluster has the folder.
        """
        if lacking := parts.missing():
            raise CannotBegin("For a cluster there is missing: " + "; ".join(lacking))
        parts.passable(folder)
        self.folder, self._lock = folder, _locked(folder / "lock")
        self._tuning = dict(tuning or {}) | ({} if durable else parts.QUICK)
        self.slots, self._queues, self._route = slots, queues, route
        self._known = _secrets(folder / "secrets.json")
        self._extra = dict(environ or {}) | ({"AUTODUB_ACCOUNTS": "1"} if people else {})
        self._people = tuple(people)
        self._config = Path(os.environ.get("AUTODUB_CONFIG") or folder / "config.toml").resolve()
        if not os.environ.get("AUTODUB_CONFIG"):
            private.file(self._config)  # its own, empty: not that of the user's other Autodub
        self.keys: dict[str, str] = {}
        """Name -> key, of this start."""
        self.servers = [f"api-{number}" for number in range(1, servers + 1)]
        self.workers = [f"worker-{number}" for number in range(1, workers + 1)]
        names = ("front", "redis", "postgres", "s3", *self.servers)
        self.ports = dict(zip(names, _free(len(names)), strict=True))
        self.ports["front"] = port or self.ports["front"]
        self.url = f"http://127.0.0.1:{self.ports['front']}"
        self.supervisor = Supervisor(folder / "logs", say=say, is_over=is_over)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start everything and wait until it works. Raises CannotBegin, NotWanted."""
        known, ports, begin = self._known, self.ports, self.supervisor.begin
        database = self.folder / "postgres"
        begin(
            parts.postgres(database, ports["postgres"], known["postgres"], self._tuning),
            parts.redis(self.folder / "redis", ports["redis"], known["redis"]),
            parts.s3(self.folder / "s3", ports["s3"], known["key"], known["secret"]),
        )  # fmt: skip
        if self._people:
            self._admit()
        begin(*map(self._server, self.servers), *map(self._worker, self.workers))
        begin(parts.nginx(self.folder / "nginx", ports["front"], [ports[name] for name in self.servers]))

    def close(self) -> None:
        """End everything in good order."""
        self.supervisor.stop()
        self._lock.close()

    def data(self, name: str) -> Path:
        """The data directory of a server's or worker's machine."""
        return self.folder / "machines" / name

    def secret(self, service: str) -> str:
        """The password of ``postgres`` or ``redis``."""
        return self._known[service]

    def database(self, who: str = "") -> str:
        """The address of the database, for somebody."""
        port = self._port(who, "postgres")
        return f"postgresql://autodub:{self._known['postgres']}@127.0.0.1:{port}/autodub"

    def broker(self, who: str = "") -> str:
        """The address of Redis, without its database."""
        port = self._port(who, "redis")
        return f"redis://:{self._known['redis']}@127.0.0.1:{port}"

    def environment(self, who: str) -> dict[str, str]:
        """Everything that a server, a worker or a command on their machine needs to know.

        What is said of one Autodub in the environment is not theirs: where it listens, and engines elsewhere.
        """
        database, redis = self.database(who), self.broker(who)
        return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
            "AUTODUB_DATA_DIR": str(self.data(who)), "AUTODUB_DATABASE": database,
            "AUTODUB_STORE_DATABASE": database, "AUTODUB_BROKER": f"{redis}/0",
            "AUTODUB_LIMITS": f"{redis}/1",
            "AUTODUB_BLOBS": f"s3://{parts.BUCKET}/store", "AUTODUB_PROXIES": "1",
            "AUTODUB_PUBLIC_URL": self.url, "AUTODUB_LOG": "json",
            "AUTODUB_HOST": "127.0.0.1", "AUTODUB_REMOTE_ENGINES": "", "AUTODUB_CONFIG": str(self._config),
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self._port(who, 's3')}",
            "AWS_ACCESS_KEY_ID": self._known["key"], "AWS_SECRET_ACCESS_KEY": self._known["secret"],
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", **self._extra,
        }  # fmt: skip

    def _admit(self) -> None:
        """Have an account for everybody, and make each a key."""
        from autodub.infra import server_settings, settings
        from autodub.jobs.platform import LOCAL_ACTOR, Platform
        from autodub.jobs.records import SCOPES

        environ = self.environment("desk") | {"AUTODUB_BROKER": ""}
        known = settings.load(environ=environ)
        platform = Platform(known, server_settings.load(known, environ=environ))
        try:
            there = {account.name: account for account in platform.accounts.list(LOCAL_ACTOR)}
            for number, name in enumerate(self._people):
                scopes = SCOPES[: None if number == 0 else -1]
                role: Any = "user" if number else "admin"
                account = there.get(name) or platform.accounts.create(LOCAL_ACTOR, name, None, role=role)
                self.keys[name], _ = platform.keys.create(LOCAL_ACTOR, "cluster", scopes, owner=account.id)
        finally:
            platform.close()

    def _port(self, who: str, service: str) -> int:
        port = self.ports[service]
        return port if self._route is None else self._route(who, service, port)

    def _server(self, name: str) -> Part:
        port = self.ports[name]

        def answers(_: int) -> bool:
            return b" 200 " in parts.asked(port, "GET /ready HTTP/1.0\r\n\r\n")[:20]

        return self._part(name, "api", answers, {"PORT": str(port)}, tier=2)

    def _worker(self, name: str) -> Part:
        words = {"QUEUES": self._queues, "CONCURRENCY": str(self.slots)}
        return self._part(name, "worker", lambda process: self._at_work(process) == self.slots, words, tier=2)

    def _part(
        self, name: str, kind: str, is_ready: Callable[[int], bool], words: Mapping[str, str], *, tier: int
    ) -> Part:
        argv = [string.Template(word).substitute(words) for word in _procfile()[kind]]
        private.folder(self.data(name))
        argv[:1] = [sys.executable, "-m", argv[0]]
        return Part(name, argv, is_ready, self.environment(name), patience=30, tier=tier)

    def _at_work(self, process: int) -> int:
        """How many places of a worker are on the list."""
        import psycopg

        with suppress(psycopg.Error), psycopg.connect(self.database(), connect_timeout=3) as connection:
            rows = connection.execute("SELECT process FROM workers").fetchall()
            return sum(_group(row[0]) == process for row in rows)
        return 0


def _group(process: int) -> int:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return 0


def _procfile() -> dict[str, list[str]]:
    """Kind -> command, as ``deploy/Procfile`` has it."""
    lines = (line.partition(":") for line in _PROCFILE.read_text().splitlines() if line.strip())
    return {kind: shlex.split(command) for kind, _, command in lines}


def _secrets(path: Path) -> dict[str, str]:
    """Passwords, made when there are none."""
    if not path.exists() or not path.stat().st_size:  # empty: whoever made it was killed just then
        made = {name: secrets.token_hex(16) for name in ("postgres", "redis", "secret")}
        made["key"] = secrets.token_hex(8)
        path.touch(mode=0o600)
        path.write_text(json.dumps(made))
    found: dict[str, str] = json.loads(path.read_text())
    return found


def _locked(path: Path) -> Any:
    """The lock of a folder, as an open file. Raises CannotBegin."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise CannotBegin(f"A cluster runs in {path.parent} already.") from None
    return file


def _free(count: int) -> list[int]:
    """Ports of loopback that nobody listens at."""
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in found]
    for one in found:
        one.close()
    return ports


def until(what: Callable[[], bool], *, patience: float = 60.0) -> bool:
    """Wait for something; False where it does not come."""
    end = time.monotonic() + patience
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
