"""Sending to an address that a user gave: to public ones only, within its time, and nothing is believed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from autodub.infra import posting
from autodub.infra.addresses import Networks, parse
from autodub.infra.posting import Outcome, post
from autodub.infra.signing import HEADER, is_signed, new_secret, sign

HERE = Networks.of(["127.0.0.0/8"])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def receiver(
    answer: Callable[[socket.socket], None], *, listens: bool = True
) -> Iterator[tuple[int, list[bytes]]]:
    """A server at a port: takes connections one by one, and answers each as it is told."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection:
                    if over.is_set():
                        return
                    if listens:
                        got.append(_request(connection))
                    try:
                        answer(connection)
                    except OSError:  # whoever asked has gone
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        try:
            yield port, got
        finally:
            over.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")), 0
    )
    while len(body) < size:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def _post(url: str, *, networks: Networks = HERE, seconds: float = 5.0) -> Outcome:
    return post(parse(url), b'{"a": 1}', {"X-Sign": "yes"}, networks=networks, seconds=seconds)


def test_a_body_arrives_with_its_headers() -> None:
    """As a POST to the path and the host of the address."""
    with receiver(lambda c: c.sendall(OK)) as (port, got):
        assert _post(f"http://127.0.0.1:{port}/in?x=1") == Outcome(200)
    head, _, body = got[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}".encode() in head
    assert b"X-Sign: yes" in head
    assert body == b'{"a": 1}'


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_the_status_is_told_and_redirections_are_not_followed(status: int) -> None:
    """Whatever else the answer says."""
    said = f"HTTP/1.1 {status} Said\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".encode()
    with receiver(lambda c: c.sendall(said)) as (port, got):
        assert _post(f"http://127.0.0.1:{port}/").status == status
        assert len(got) == 1


def test_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, by a name that leads there, and in every way to write it; nothing is sent."""
    with receiver(lambda c: c.sendall(OK)) as (port, got):
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            outcome = _post(f"http://{host}:{port}/", networks=Networks())
            assert outcome.status is None
            assert "not a public one" in outcome.trouble
        assert got == []
    for hidden in ("169.254.169.254", "10.0.0.1", "fd00::1", "64:ff9b::7f00:1"):
        monkeypatch.setattr(posting.socket, "getaddrinfo", _names([hidden]))
        assert "not a public one" in _post("http://innocent.example/", networks=Networks()).trouble


def test_a_name_is_connected_to_at_an_address_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its meaning after the first look is not asked for again."""
    looked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: Any, *rest: Any, **named: Any) -> Any:
        looked.append(str(host))
        if host == "rebind.example":
            return _names(["127.0.0.1"] if looked.count("rebind.example") == 1 else ["10.0.0.1"])(host, *rest)
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with receiver(lambda c: c.sendall(OK)) as (port, _):
        assert _post(f"http://rebind.example:{port}/") == Outcome(200)
        assert looked.count("rebind.example") == 1
        assert "not a public one" in _post(f"http://rebind.example:{port}/").trouble


def test_of_several_addresses_only_open_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private one among them is never connected to, and one that is down makes way for the next."""
    connected: list[str] = []
    real = posting.httpcore.SyncBackend.connect_tcp

    def connect(self: Any, host: str, *rest: Any, **named: Any) -> Any:
        connected.append(host)
        return real(self, host, *rest, **named)

    monkeypatch.setattr(posting.httpcore.SyncBackend, "connect_tcp", connect)
    with receiver(lambda c: c.sendall(OK)) as (port, _):
        monkeypatch.setattr(socket, "getaddrinfo", _names(["10.0.0.1", "127.0.0.2", "127.0.0.1"]))
        assert _post(f"http://many.example:{port}/").status == 200
    assert "10.0.0.1" not in connected
    assert connected[0] == "127.0.0.2"


def test_who_does_not_answer_is_given_up_in_time() -> None:
    """Who says nothing, and who says a little now and then: the whole has one deadline."""
    over = threading.Event()

    def silent(_: socket.socket) -> None:
        over.wait(30)

    def dripping(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.02):
            connection.sendall(b"X-More: and more\r\n")

    for kind in (silent, dripping):
        over.clear()
        with receiver(kind) as (port, _):
            try:
                outcome = _post(f"http://127.0.0.1:{port}/", seconds=0.3)
            finally:
                over.set()
        assert outcome == Outcome(None, "no answer within 0.3 s")


def test_a_body_without_end_is_not_read() -> None:
    """The status is all that is wanted."""

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with receiver(endless) as (port, _):
        assert _post(f"http://127.0.0.1:{port}/") == Outcome(200)


def test_what_is_no_http_is_told() -> None:
    """Without a word of what it said."""
    with receiver(lambda c: c.sendall(b"220 mail.example secret ready\r\n")) as (port, _):
        assert _post(f"http://127.0.0.1:{port}/") == Outcome(None, "the answer is not HTTP")
    with receiver(lambda c: c.sendall(b"plain text"), listens=False) as (port, _):
        assert _post(f"https://127.0.0.1:{port}/") == Outcome(None, "the TLS certificate is not good")


def test_who_is_not_there_is_told() -> None:
    """A port where nobody listens, and a name nobody knows."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert _post(f"http://127.0.0.1:{port}/") == Outcome(None, "no connection")
    assert _post("http://nobody.invalid/") == Outcome(None, "no connection")


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would judge nothing."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with receiver(lambda c: c.sendall(OK)) as (port, _):
        assert _post(f"http://127.0.0.1:{port}/") == Outcome(200)


def test_a_signature_tells_who_sent_a_body_and_when() -> None:
    """Another body, another secret, another time or another header is none."""
    secret, body = new_secret(), b'{"id": 1}'
    header = sign(secret, body, at=1_000.7)
    assert header.startswith("t=1000,v1=")

    def holds(*, key: str = secret, what: bytes = body, said: str = header, now: float = 1_001.0) -> bool:
        return is_signed(key, what, said, clock=lambda: now)

    assert holds()
    assert holds(now=701.0)
    assert holds(said=f"v1=aa,{header}")
    wrong = [
        holds(key=new_secret()), holds(what=b'{"id": 2}'), holds(now=1_301.0), holds(now=600.0),
        holds(said=""), holds(said="t=1000"), holds(said=header.replace("t=1000", "t=1001")),
        holds(said="t=x,v1=y"), holds(said=header[:-1]), holds(said=f"t={'9' * 400},v1=é"),
    ]  # fmt: skip
    assert not any(wrong)
    assert HEADER == "Autodub-Signature"


def _names(literals: list[str]) -> Any:
    def look(_host: Any, port: Any, *_: Any, **__: Any) -> Any:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in literals
        ]

    return look
