"""``make cluster`` beside the user's other Autodub, and told to end before it has begun."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.cluster import parts
from deploy.cluster.cluster import Cluster

from autodub.infra import server_settings, settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's user reaches as well."""
    if lacking := parts.missing():
        pytest.skip(f"a cluster needs what is not here (make setup installs it): {'; '.join(lacking)}")
    found = Path(tempfile.mkdtemp(prefix="cluster-", dir="/tmp"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found, ignore_errors=True)


def told(folder: Path) -> tuple[settings.Settings, server_settings.ServerSettings]:
    """What the servers of a cluster are told."""
    cluster = Cluster(folder)
    cluster.close()
    environ = cluster.environment("api-1")
    known = settings.load(environ=environ)
    return known, server_settings.load(known, environ=environ)


def test_settings_of_another_autodub_do_not_reach_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it listens and what it stores is the cluster's; a file counts when it is named."""
    mine = folder / "mine" / "autodub" / "config.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text('remote_engines = "demucs"\n[server]\nhost = "192.0.2.2"\nspare = 7\n')
    mine.chmod(0o600)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "mine"))
    monkeypatch.setenv("AUTODUB_HOST", "192.0.2.1")
    monkeypatch.setenv("AUTODUB_REMOTE_ENGINES", "madlad")
    monkeypatch.setenv("AUTODUB_MINUTES", "12")
    monkeypatch.delenv("AUTODUB_CONFIG", raising=False)
    known, server = told(folder)
    assert (server.host, known.remote_engines, server.minutes) == ("127.0.0.1", (), 12)
    assert server.spare != 7
    monkeypatch.setenv("AUTODUB_CONFIG", str(mine))
    known, server = told(folder)
    assert (server.host, server.spare, known.blobs) == ("127.0.0.1", 7, f"s3://{parts.BUCKET}/store")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_it_begins(folder: Path, how: signal.Signals) -> None:
    """Told to end while something does not come up, it ends all of it at once, without a complaint."""
    programs = folder / "programs"
    programs.mkdir()
    redis = programs / "redis-server"
    redis.write_text("#!/bin/sh\nexec sleep 600\n")
    redis.chmod(0o755)
    environ = os.environ | {
        "AUTODUB_CLUSTER": str(folder / "all"), "PATH": f"{programs}:{os.environ['PATH']}",
    }  # fmt: skip
    argv = [sys.executable, "-m", "deploy.cluster", "--port", "0"]
    process = subprocess.Popen(
        argv, cwd=ROOT, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        umask=0o077,  # of a careful user: the database's reaches its folder all the same
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Starting ")
    process.send_signal(how)
    said, complaints = process.communicate()
    assert (process.returncode, said, complaints) == (0, "Everything has stopped.\n", "")
