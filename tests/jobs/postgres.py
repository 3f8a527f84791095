"""A real PostgreSQL for tests: a cluster per test process, in a temporary folder, on a socket of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


@contextmanager
def cluster() -> Iterator[str]:
    """Address of a running cluster's database; skips the test where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here (make setup installs it on Debian and Ubuntu)")
    # Short, since a socket's path may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        subprocess.run(["chown", "postgres", str(folder)], check=True)
        user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": str(folder), **user}
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "autodub", "--auth=trust", "--no-sync", "-E", "UTF8"],
            check=True, **quiet,
        )  # fmt: skip
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        options += " -c max_connections=200"
        subprocess.run(
            [programs / "pg_ctl", "-D", data, "-o", options, "-w", "-l", folder / "log", "start"],
            check=True, **quiet,
        )  # fmt: skip
        try:
            yield f"postgresql://autodub@/postgres?host={folder}"
        finally:
            subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
