"""What a cluster is made of besides Autodub: Redis, PostgreSQL, an S3 server, nginx."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.cluster import sites
from deploy.cluster.supervisor import CannotBegin, Part, tied

from autodub.infra import private

BUCKET = "autodub"
QUICK = {"fsync": "off", "full_page_writes": "off"}
"""Settings of a quicker database, which a machine without power may lose. A killed program loses nothing: its
log is still written (with ``synchronous_commit`` off, a restart would lose what was committed)."""
_RCLONE = Path(sys.prefix) / "cluster" / "bin" / "rclone"


def missing() -> list[str]:
    """What has to be installed first, in words; empty where nothing has."""
    found = [
        f"{program} (Debian: {package})"
        for program, package in (("redis-server", "redis-server"), ("setpriv", "util-linux"))
        if shutil.which(program) is None
    ]
    if _nginx() is None:
        found.append("nginx (Debian: nginx)")
    if _postgres() is None:
        found.append("PostgreSQL (Debian: postgresql)")
    if not _RCLONE.exists():
        found.append("an S3 server (rclone, of requirements-cluster.txt: make setup)")
    return found


def _nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _postgres() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3].zfill(4)
    )
    return installed[-1].parent if installed else None


def passable(folder: Path) -> None:
    """Make a folder through which programs of other users reach theirs, whatever umask we have."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        one.chmod(0o755)


def redis(folder: Path, port: int, password: str) -> Part:
    """A Redis that keeps nothing over a restart: nothing that matters is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "redis.conf"
    words = [f"port {port}", "bind 127.0.0.1", 'save ""', "appendonly no", f"dir {_quoted(folder)}",
             f"requirepass {password}"]  # fmt: skip
    config.touch(mode=0o600)
    config.write_text("\n".join(words) + "\n")

    def answers(_: int) -> bool:
        return b"+PONG" in asked(port, f"AUTH {password}\r\nPING\r\nQUIT\r\n")

    return Part("redis", ["redis-server", str(config)], answers, _environment())


def postgres(folder: Path, port: int, password: str, tuning: Mapping[str, str]) -> Part:
    """A PostgreSQL of its own, with a database ``autodub``; made anew where there is none yet.

    ``tuning`` are settings of its own. Raises CannotBegin.
    """
    programs = _postgres()
    assert programs is not None
    user = "postgres" if os.geteuid() == 0 else ""  # PostgreSQL refuses to run as root
    data = folder / "data"
    private.folder(folder)
    if user:
        shutil.chown(folder, user, user)
    if not (data / "PG_VERSION").exists():
        _init(programs, folder, data, password, user)
    settings = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 300,
        **tuning,
    }  # fmt: skip
    argv = [str(programs / "postgres"), "-D", str(data)]
    argv += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def answers(_: int) -> bool:
        import psycopg

        with contextlib.suppress(psycopg.Error):
            address = f"postgresql://autodub:{password}@127.0.0.1:{port}/postgres"
            with psycopg.connect(address, autocommit=True, connect_timeout=3) as connection:
                there = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'autodub'").fetchone()
                if there is None:
                    connection.execute("CREATE DATABASE autodub")
                return True
        return False

    # SIGINT: it ends with whoever is connected, in good order.
    return Part("postgres", argv, answers, _environment(), user=user, stop=signal.SIGINT)


def _init(programs: Path, folder: Path, data: Path, password: str, user: str) -> None:
    """Make a database whole or not at all: whoever begins may be told to end, or be killed, meanwhile."""
    made, secret = folder / "half", folder / "password"
    for old in (made, data):
        shutil.rmtree(old, ignore_errors=True)
    private.file(secret)
    secret.write_text(password + "\n")
    if user:
        shutil.chown(secret, user, user)
    _run([*tied(user), str(programs / "initdb"), "-D", str(made), "-U", "autodub", "--auth=scram-sha-256",
          f"--pwfile={secret}", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], folder)  # fmt: skip
    secret.unlink()
    made.rename(data)


def s3(folder: Path, port: int, key: str, secret: str) -> Part:
    """An S3 server whose objects are files: what it has said it keeps is there when it is started anew."""
    objects = folder / "objects"
    private.folder(folder)  # people's films lie in it, with the rights that others' files have here
    (objects / BUCKET).mkdir(parents=True, exist_ok=True)  # a bucket is a folder
    argv = [str(_RCLONE), "serve", "s3", "--config", os.devnull, "--addr", f"127.0.0.1:{port}",
            "--cache-dir", str(folder / "cache"), str(objects)]  # fmt: skip
    env = _environment() | {"RCLONE_AUTH_KEY": f'"{key},{secret}"'}

    def answers(_: int) -> bool:
        return asked(port, "GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/")

    return Part("s3", argv, answers, env)


def nginx(folder: Path, port: int, servers: Sequence[int]) -> Part:
    """The nginx with ``deploy/nginx.conf`` in front of servers at these ports of loopback."""
    program = _nginx()
    assert program is not None
    passable(folder)
    config = folder / "nginx.conf"
    config.write_text(nginx_config(folder, port, servers))

    def answers(_: int) -> bool:
        return b" 200 " in asked(port, "GET /health HTTP/1.0\r\n\r\n")[:20]

    argv = [program, "-p", str(folder), "-c", str(config), "-e", "stderr"]
    return Part("nginx", argv, answers, _environment(), stop=signal.SIGTERM, patience=10, tier=3)


def nginx_config(folder: Path, port: int, servers: Sequence[int]) -> str:
    """The whole of nginx's settings: the site as it is handed out, for these ports."""
    site = sites.site([f"127.0.0.1:{one}" for one in servers], f"    listen 127.0.0.1:{port};\n")
    places = "".join(
        f"    {kind}_temp_path {_quoted(folder / kind)};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # One process, so that none outlives another.
    user = "user root;\n" if os.geteuid() == 0 else ""
    head = f"daemon off;\nmaster_process off;\n{user}pid {_quoted(folder / 'nginx.pid')};\n"
    head += "error_log stderr warn;\n"
    return f"{head}events {{ worker_connections 2048; }}\nhttp {{\n    access_log off;\n{places}\n{site}}}\n"


def _environment() -> dict[str, str]:
    """What programs that are not ours see of our environment."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C.UTF-8"}


def asked(port: int, question: str) -> bytes:
    """All that is answered before the connection ends; nothing where nobody is there."""
    found = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 3.0) as talk:
        talk.settimeout(5.0)
        talk.sendall(question.encode())
        while more := talk.recv(4096):
            found += more
    return found


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, check=False, env=_environment(),
        process_group=0,  # Ctrl-C is for us
    )  # fmt: skip
    if done.returncode:
        hint = "A user other than root must be able to reach the folder: choose another by AUTODUB_CLUSTER."
        raise CannotBegin(f"PostgreSQL cannot make a database in {folder}:\n{done.stderr[-2000:]}\n{hint}")


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
