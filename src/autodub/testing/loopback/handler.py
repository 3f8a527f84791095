"""One connection of the loopback server: reads requests, lets them be answered or go wrong."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
import traceback
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from autodub.testing.loopback.faults import REFUSALS
from autodub.testing.loopback.messages import Recording, Reply, Request, Service, reply_json

if TYPE_CHECKING:
    from autodub.testing.loopback.server import Loopback

_PIECE = 16 << 10
_GLANCE = 0.05  # seconds between looks whether a client that waits for nothing is still there
_TELLING = ("content-type", "user-agent", "transfer-encoding", "content-length")
_CONTROL = "-"
_WORKING = frozenset({"cut", "truncated", "empty"})


class _HungUp(Exception):
    """The client is gone."""


@dataclass(slots=True)
class _Exchange:
    """One request on its way through."""

    service: Service
    request: Request
    kind: str
    digest: str
    began: float
    fault: str = ""
    status: int = 0
    charges: dict[str, float] | None = None


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with connections kept open, as the SDKs expect."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    _is_speaking = False

    @property
    def loopback(self) -> Loopback:
        """The server this connection belongs to."""
        found: Loopback = self.server.loopback  # type: ignore[attr-defined]
        return found

    def setup(self) -> None:
        super().setup()
        self.loopback.opened(self.connection)

    def finish(self) -> None:
        self.loopback.closed(self.connection)
        try:
            super().finish()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: everything is recorded."""

    def _serve(self) -> None:
        try:
            self._take()
        except (OSError, _HungUp):
            self.close_connection = True
        finally:
            if self._is_speaking:
                self._is_speaking = False
                self.loopback.speaking(-1)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _take(self) -> None:
        began = self.loopback.clock()
        address = urlsplit(self.path)
        mount, _, path = address.path.lstrip("/").partition("/")
        if mount == _CONTROL:
            self._control(path)
            return
        service = self.loopback.services.get(mount)
        body = self._body()
        if service is None:
            self._send(reply_json({"error": f"nothing is mounted at /{mount}"}, status=404))
            return
        request = Request(
            self.command, "/" + unquote(path), tuple(parse_qsl(address.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()}, body,
        )  # fmt: skip
        exchange = _Exchange(service, request, "", _digest(request), began)
        try:
            self._exchange(exchange)
        finally:
            self._record(exchange)

    def _body(self) -> bytes:
        """The whole body, at the speed of the link."""
        pieces = []
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                pieces.append(self._read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            pieces.append(self._read(int(self.headers.get("content-length") or 0)))
        return b"".join(pieces)

    def _read(self, size: int) -> bytes:
        pieces = []
        while size:
            piece = self.rfile.read(min(size, _PIECE))
            if not piece:
                raise _HungUp
            self.loopback.link.carry(len(piece))
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _exchange(self, exchange: _Exchange) -> None:
        """Let the request be answered, or go wrong."""
        server, service, request = self.loopback, exchange.service, exchange.request
        exchange.kind = kind = service.kind(request)
        server.arrived(service.name, kind)
        description = server.descriptions.get(service.name)
        if description is not None:
            server.violated(f"{service.name}: {found}" for found in description.check(request))
        key = service.key_of(request)
        account = sha256(key.encode()).hexdigest()[:8] if key else ""
        if not server.knows(service.name, key):
            self._refuse(exchange, "invalid_key")
            return
        exchange.fault = server.faults.draw(service.name, kind, exchange.digest)
        cap = service.caps.get(kind)
        in_flight, has_room = server.enter(service.name, kind, account, cap=cap)
        exchange.request = request = Request(
            request.method,
            request.path,
            request.query,
            request.headers,
            request.body,
            account,
            in_flight,
            cap,
        )
        if not has_room:
            self._refuse(exchange, "concurrency")
            return
        left = False
        try:
            if exchange.fault in REFUSALS:
                self._refuse(exchange, exchange.fault)
            elif exchange.fault == "timeout":
                self._hold(server.faults.hold)
            elif exchange.fault == "reset":
                self._reset()
            else:
                reply = self._answer(exchange)
                # Out before the last byte: a client that asks again at once must find room.
                left = True
                server.leave(service.name, kind, account)
                self._deliver(exchange, reply)
        finally:
            if not left:
                server.leave(service.name, kind, account)

    def _answer(self, exchange: _Exchange) -> Reply:
        server, service, request = self.loopback, exchange.service, exchange.request
        due = time.monotonic() + service.seconds(request, server.profile, others=request.in_flight - 1)
        try:
            reply = service.answer(request)
        except Exception:  # noqa: BLE001 - a service that crashes is our bug: told, and visible to the client
            server.crashed(f"{service.name} {request.method} {request.path}: {traceback.format_exc()}")
            return Reply(599, {}, b"the loopback service crashed")
        if reply.status < 400 and server.is_empty(service.name, reply.charges):
            exchange.fault = exchange.fault or "quota"
            return service.refusal("quota")
        self._wait(due - time.monotonic())
        return reply

    def _deliver(self, exchange: _Exchange, reply: Reply) -> None:
        """Send an answer, whole or spoilt."""
        if exchange.fault in _WORKING and reply.status < 400:
            body = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)
            if exchange.fault == "empty":
                reply = Reply(reply.status, reply.headers, b"")
            elif exchange.fault == "truncated":
                reply = Reply(reply.status, reply.headers, body[: len(body) // 2])
            else:
                exchange.status = reply.status
                self._speak()
                self._head(reply, len(body))
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self._reset()
                return
        self._send(reply)
        exchange.status = reply.status
        if reply.status < 400 and exchange.fault not in _WORKING:
            exchange.charges = dict(reply.charges)

    def _refuse(self, exchange: _Exchange, fault: str) -> None:
        exchange.fault = fault
        reply = exchange.service.refusal(fault)
        if fault == "429_after":
            after = {"retry-after": f"{self.loopback.faults.after:g}"}
            reply = Reply(reply.status, {**reply.headers, **after}, reply.body)
        self._send(reply)
        exchange.status = reply.status

    def _send(self, reply: Reply) -> None:
        self._check()
        self._speak()
        if isinstance(reply.body, bytes):
            self._head(reply, len(reply.body))
            if self.command != "HEAD":
                self.wfile.write(reply.body)
        else:
            self._head(reply, None)
            for piece in reply.body:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"")
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _head(self, reply: Reply, length: int | None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if length is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(length))
        self.end_headers()

    def _wait(self, seconds: float) -> None:
        """Wait, unless the client hangs up or the server stops."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.loopback.stopping.wait(min(left, _GLANCE)):
                raise _HungUp
            self._check()

    def _hold(self, seconds: float) -> None:
        self._wait(seconds)
        self.close_connection = True

    def _check(self) -> None:
        """Raise when the client is gone."""
        if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
            raise _HungUp

    def _reset(self) -> None:
        """Close the connection the rude way: the client sees a reset."""
        self._speak()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        # The files made of the socket hold it open: closing them is what closes it.
        self.rfile.close()
        self.connection.close()

    def _speak(self) -> None:
        """From here on the client may know the outcome: who asks the server now must see it recorded."""
        if not self._is_speaking:
            self._is_speaking = True
            self.loopback.speaking(+1)

    def _record(self, exchange: _Exchange) -> None:
        request = exchange.request
        self.loopback.record(
            Recording(
                exchange.service.name, exchange.kind, request.method, request.path, request.query,
                {name: request.headers[name] for name in _TELLING if name in request.headers},
                len(request.body), exchange.digest, request.account, exchange.status, exchange.fault,
                exchange.charges or {}, exchange.began, self.loopback.clock(),
                request.body if self.loopback.bodies else None,
            )
        )  # fmt: skip

    def _control(self, path: str) -> None:
        """What a program outside may ask: GET state, POST faults."""
        body = self._body()
        if (self.command, path) == ("GET", "state"):
            self._send(reply_json(self.loopback.state()))
        elif (self.command, path) == ("POST", "faults"):
            faults = self.loopback.faults
            for name, value in json.loads(body).items():
                known = {"rate": float, "kinds": tuple, "seed": int, "hold": float, "spare": frozenset,
                         "after": float, "credit": dict}  # fmt: skip
                setattr(faults, name, known[name](value))
            self._send(reply_json({}))
        else:
            self._send(reply_json({"error": "ask GET state or POST faults"}, status=404))


def _digest(request: Request) -> str:
    """Equal for equal requests: the random boundary of a form is left out."""
    body = request.body
    _, _, boundary = request.headers.get("content-type", "").partition("boundary=")
    if boundary:
        body = body.replace(boundary.strip('"').encode(), b"")
    told = json.dumps([request.method, request.path, request.query]).encode()
    return sha256(told + b"\0" + body).hexdigest()
