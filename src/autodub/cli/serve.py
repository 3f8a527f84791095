"""``autodub serve``: the server, and a worker beside it that runs the jobs."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option

if TYPE_CHECKING:
    from flask import Flask

    from autodub.infra.server_settings import ServerSettings
    from autodub.infra.settings import Settings
    from autodub.jobs.platform import Platform

_STOPPING = (
    "Stopping: answers under way are finished, jobs are handed back and go on with the next start. "
    "Ctrl-C again stops at once."
)
_STOPPED = "Autodub has stopped."


@click.command("serve")
@click.option("--host", metavar="ADDRESS", help="Address to listen at. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Port. [default: 5000; 0: any]")
@click.option(
    "--slots", type=click.IntRange(0, 64), metavar="N",
    help="Jobs that run at once here. [default: 2; 0: other workers run them]",
)  # fmt: skip
@click.option(
    "--database", metavar="ADDRESS",
    help="postgresql://user:password@host/name (better as AUTODUB_DATABASE). [default: SQLite]",
)  # fmt: skip
@click.option("--accounts/--no-accounts", default=None, help="Whether people must log in. [default: no]")
@click.option("--log", type=click.Choice(["text", "json"]), help="How the log is written. [default: text]")
@data_dir_option
@click.pass_obj
def command(calls: Calls, /, *, data_dir: Path | None, **given: Any) -> int:
    """Serve the interface, the web pages and the jobs.

    Stops on Ctrl-C or SIGTERM: answers under way are finished, and jobs are handed back and continued by
    the next start. Once more stops at once; nothing is lost by that either. Every setting is in
    docs/SERVER.md.
    """
    from autodub.cli import opening

    settings = calls.settings(data_dir=data_dir)
    server = opening.server_settings(settings, **given)
    _check(settings, server)
    _serve(settings, server, opening.variables(settings, **given))
    return 0


def _check(settings: Settings, server: ServerSettings) -> None:
    """Open everything once and close it: what is wrong is told now, and one process migrates."""
    from autodub.cli import opening
    from autodub.web import identity, listening
    from autodub.web.app import create_app

    listening.require_accounts(server)
    platform = opening.platform(settings, server)
    try:
        identity.require_admin(platform)
        create_app(platform)
    finally:
        platform.close()


def _serve(settings: Settings, server: ServerSettings, environment: dict[str, str]) -> None:
    from autodub.infra import logs, process
    from autodub.infra.keeping import Kept
    from autodub.web import arbiter, listening

    listener = listening.listen(server.host, server.port)
    address = server.public_url or listening.address_of(listener)
    argv = [sys.executable, "-m", "autodub", "worker", "--parent", str(os.getpid())]
    kept = Kept(partial(process.start, argv, env=environment), name="the worker") if server.slots else None
    here = _Here(settings, server)
    served = arbiter.Served(
        here.app, listener=listener, threads=server.threads, ready=partial(_tell, address, server),
        ended=here.close, proxies=server.proxies, leaving=partial(_say, _STOPPING, server),
        left=partial(_say, _STOPPED, server),
    )  # fmt: skip
    with logs.written(form=server.log, level=server.log_level, hide=logs.hiding(settings, server)):
        arbiter.run(served, kept)


class _Here:
    """The platform of the process that answers, opened in that process."""

    def __init__(self, settings: Settings, server: ServerSettings) -> None:
        self._settings, self._server = settings, server
        self._platform: Platform | None = None
        self._app: Flask | None = None

    def app(self) -> Any:
        """The app; waits for a database that is away."""
        from autodub.jobs.platform import Platform
        from autodub.model.errors import Unavailable
        from autodub.web import serving
        from autodub.web.app import create_app

        while True:
            try:
                self._platform = Platform(self._settings, self._server)
            except Unavailable as problem:
                _log().error("the server cannot begin yet: %s", problem.message)
                time.sleep(2.0)
                if serving.leaving():
                    sys.exit(0)
            else:
                self._app = create_app(self._platform)
                return self._app

    def close(self) -> None:
        """Let go of it."""
        if self._app is not None:
            self._app.extensions["autodub.pusher"].close()
        if self._platform is not None:
            self._platform.close()


def _tell(address: str, server: ServerSettings) -> None:
    if server.log == "json":
        _log().info("listening", extra={"address": address})
        return
    click.echo(f"Autodub listens at {address} (documentation: {address}/docs). Ctrl-C stops it.")
    sys.stdout.flush()


def _say(text: str, server: ServerSettings) -> None:
    """Tell whoever stops the server how far that is."""
    if server.log == "json":
        _log().info(text)
        return
    click.echo(text)
    sys.stdout.flush()


def _log() -> Any:
    import logging

    return logging.getLogger("autodub.serve")
