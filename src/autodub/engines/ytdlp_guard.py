"""What yt-dlp may do inside its process: connect to public addresses, start one program, use so much.

The interpreter tells an audit hook of every connection before it is made and of every program before it
is started, whichever library asks, and a hook cannot be taken out again. So redirects, manifests, keys
and names that changed their meaning since they were last looked up are all judged by the address that is
really connected to, and so is the port: redirects may not lead to mail servers. Nothing but HTTP is spoken.
Libraries that bring sockets of their own, beneath the interpreter, are kept out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Any

from autodub.infra.addresses import Networks, is_web_port
from autodub.model.errors import UnsupportedSource

_CONNECTIONS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset(
    {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"}
)
_KEPT_OUT = ("curl_cffi", "websockets", "secretstorage", "yt_dlp_plugins", "ytdlp_plugins")
"""Modules with connections of their own, or code and secrets of the user's."""
_MEMORY = 3 << 30
"""Bytes of data for the process, and as many for its JavaScript runtime, which starts with one gigabyte."""
_SECONDS = 3600
"""Processor time; unpacking and decrypting four hours of film takes minutes."""


class Guard:
    """Judges every connection and program start of this process, once installed, until it ends."""

    def __init__(self, networks: Networks, *, programs: Collection[str] = ()) -> None:
        self._networks = networks
        self._programs = frozenset(os.path.realpath(program) for program in programs)
        self._asked = ""
        self.refusal: UnsupportedSource | None = None
        """The first connection that was refused; whatever the library made of it, this is the reason."""

    def install(self) -> None:
        """Begin. Call before the libraries to be guarded are imported."""
        for module in _KEPT_OUT:
            sys.modules[module] = None  # type: ignore[assignment]  # makes its import fail, as documented
        sys.addaudithook(self._hear)

    def raise_refusal(self) -> None:
        """Raise what was refused, if anything was, even where a library went on without it."""
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            self._asked = str(arguments[0])
        elif event in _CONNECTIONS:
            self._connecting(arguments[1])
        elif event == "ftplib.connect":  # yt-dlp follows ftp:// links unasked
            self._refuse(f"{arguments[1]} is an FTP server; nothing is fetched from there.")
        elif event == "subprocess.Popen":
            program = os.fsdecode(arguments[0])
            if os.path.realpath(program) not in self._programs:
                raise PermissionError(f"{program} may not be started here")
        elif event in _PROGRAMS:
            raise PermissionError("No program may be started here")

    def _connecting(self, address: Any) -> None:
        if address is None:  # a message on a connection that was judged when it was made
            return
        host = str(address[0]) if isinstance(address, tuple) and address else ""
        try:
            self._networks.check(host or "an address of no network", name=self._asked)
        except UnsupportedSource as refusal:
            self.refusal = self.refusal or refusal
            raise
        if not is_web_port(address[1]):
            self._refuse(f"{self._asked or host} leads to port {address[1]}, where no web site is.")

    def _refuse(self, sentence: str) -> None:
        refusal = UnsupportedSource(sentence, hint="Give the link of another page with the video.")
        self.refusal = self.refusal or refusal
        raise refusal


def limit(*, largest: int) -> None:
    """Bound this process and what it starts: memory, processor time, and the size of a file in bytes.

    Memory is bounded as data, not as address space: JavaScript runtimes reserve far more than they use.
    """
    try:
        import resource
    except ImportError:  # a system without such limits; the caller's deadlines and byte counts remain
        return
    wanted = [(resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_FSIZE, largest), (resource.RLIMIT_CORE, 0)]
    if sys.platform == "linux":
        wanted.append((resource.RLIMIT_DATA, _MEMORY))
    for what, most in wanted:
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))
