"""A server with the web app, and browsers that look at it and complain about everything."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Request

PASSWORD = "a lamp by the harbour"
AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_STATUS = re.compile(r"the server responded with a status of (\d+)")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Site:
    """``autodub serve`` with embedded engines, in a process that can be stopped and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        """``options`` as ``autodub serve`` has them. Nothing of this machine's settings and keys is used."""
        self.folder, self.options = folder, options
        self.port = 0
        self.environ = {
            "HOME": str(folder), "PATH": os.environ["PATH"], "AUTODUB_LOGIN_RATES": "1000 per minute",
            "AUTODUB_RATES": "100000 per minute", "AUTODUB_SPARE": "0", "LANG": "C.UTF-8",
        }  # fmt: skip
        self.log = folder / "log"
        self.process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where it listens; the same after each start."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *words: str, told: str = "") -> str:
        """Run ``autodub`` over the same data; what it says."""
        argv = [sys.executable, "-m", "autodub", *words, "--data-dir", str(self.folder / "data")]
        done = subprocess.run(argv, env=self.environ, input=told, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add(self, name: str, *options: str) -> None:
        """A new user, with the password of everybody here."""
        self.command("users", "add", name, "--password-stdin", *options, told=f"{PASSWORD}\n")

    def start(self) -> Site:
        """Start it, at the port it had before."""
        argv = [sys.executable, "-m", "autodub", "serve", "--port", str(self.port), *self.options]
        argv += ["--data-dir", str(self.folder / "data")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, env=self.environ, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens at" in line, self.log.read_text("utf-8")
        self.port = int(line.split("listens at ")[1].split()[0].rstrip("/").rpartition(":")[2])
        return self

    def tell(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Tell it, and everything it started, to end."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it with everything it started."""
        if self.process is None:
            return
        self.tell(how)
        self.process.communicate()
        self.process = None


class Witness:
    """Sees everything that a page should not do: errors, warnings, and talk with other hosts."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.seen: list[str] = []
        self.expected: set[int] = set()
        """Statuses of refusals that the test provokes."""
        self.is_away = False
        """Whether the server is stopped by the test: requests fail then."""

    def watch(self, page: Page) -> None:
        """Look at a page from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"error in the page: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        status = _STATUS.search(message.text)
        if status is not None and int(status[1]) in self.expected:
            return
        if self.is_away and "net::ERR_" in message.text:
            return
        self.seen.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "blob:", "data:")):
            self.seen.append(f"request to another host: {request.url}")

    def check(self) -> None:
        """Fail when anything was seen."""
        assert not self.seen, "\n".join(self.seen)


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it stands; nothing moves meanwhile."""
    page.emulate_media(reduced_motion="reduce")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8") + "\n0")
    # Without preload: it would copy the styles of shadow trees, which the policy forbids.
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false})", _RULES
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: "
        + "; ".join(f"{node['html'][:160]} {node['failureSummary']}" for node in one["nodes"][:3])
        for one in found["violations"]
    ]
