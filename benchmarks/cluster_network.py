"""Ways between the parts of a cluster that can be slow, or be cut: what a network does, on loopback.

A way carries bytes from a port to another one. It may hold each of them for a while, or stand still: whoever
waits for an answer then waits, as when packets are lost, and nothing says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Self

_REQUEST = re.compile(rb"(GET|PUT|HEAD|DELETE|POST) /\S* HTTP/1\.1\r\n")


@dataclass
class Way:
    """One way: for one part, to one service."""

    target: int
    delay: float = 0.0
    """Seconds that bytes take, each way."""
    port: int = 0
    sent: int = 0
    """Bytes there."""
    brought: int = 0
    """Bytes back."""
    requests: Counter[str] = field(default_factory=Counter)
    """Of HTTP, by method."""
    is_open: asyncio.Event = field(default_factory=asyncio.Event)


class Network:
    """All ways; to be used with ``with``."""

    def __init__(self, *, delay: float = 0.0) -> None:
        """``delay``: seconds that bytes take on each way, in each direction."""
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self._ways: dict[tuple[str, str], Way] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(_end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def route(self, who: str, service: str, port: int) -> int:
        """The port at which somebody finds a service: see ``deploy.cluster``."""
        if (who, service) not in self._ways:
            way = Way(port, self._delay)
            asyncio.run_coroutine_threadsafe(self._listen(way), self._loop).result(10)
            self._ways[who, service] = way
        return self._ways[who, service].port

    def way(self, who: str, service: str) -> Way:
        """One way."""
        return self._ways[who, service]

    def ways(self, service: str) -> list[Way]:
        """All ways to a service."""
        return [way for (_, to), way in self._ways.items() if to == service]

    def cut(self, who: str, service: str, *, is_cut: bool = True) -> None:
        """Let nothing through any more, or again."""
        is_open = self._ways[who, service].is_open
        self._loop.call_soon_threadsafe(is_open.clear if is_cut else is_open.set)

    async def _listen(self, way: Way) -> None:
        way.is_open.set()

        async def carry(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            try:
                await way.is_open.wait()
                far, there = await asyncio.open_connection("127.0.0.1", way.target)
            except OSError:
                back.close()
                return
            await asyncio.gather(_carry(near, there, way, out=True), _carry(far, back, way, out=False))

        server = await asyncio.start_server(carry, "127.0.0.1", 0, backlog=256)
        way.port = server.sockets[0].getsockname()[1]


async def _carry(near: asyncio.StreamReader, far: asyncio.StreamWriter, way: Way, *, out: bool) -> None:
    """Carry one direction to its end."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    under_way: deque[tuple[float, bytes]] = deque()

    async def deliver() -> None:
        while True:
            while not under_way:
                arrived.clear()
                await arrived.wait()
            due, data = under_way.popleft()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await way.is_open.wait()
            if not data:
                return
            far.write(data)
            await far.drain()

    delivering = asyncio.create_task(deliver())
    with contextlib.suppress(OSError):
        while not delivering.done():
            data = await near.read(65_536)
            _count(way, data, out=out)
            under_way.append((loop.time() + way.delay, data))
            arrived.set()
            if not data:
                break
    with contextlib.suppress(OSError):
        if near.at_eof():
            await delivering
    delivering.cancel()
    far.close()


def _count(way: Way, data: bytes, *, out: bool) -> None:
    if not out:
        way.brought += len(data)
        return
    way.sent += len(data)
    way.requests.update(found.decode() for found in _REQUEST.findall(data))


async def _end() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
