"""Downloads: whole or not at all, going on where they broke off, under names that are no paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from autodub.client import Client, NotFound, Unreachable

CONTENT = bytes(range(256)) * 40
ETAG = '"abc"'


class _Bytes(httpx.SyncByteStream):
    def __init__(self, content: bytes, *, breaks: bool) -> None:
        self._content, self._breaks = content, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        if self._breaks:
            raise httpx.ReadError("reset")


class Server:
    """A server with one file, whose connections break after some bytes."""

    def __init__(self, *, breaks: list[int], name: str = 'attachment; filename="Talk.es.mp4"') -> None:
        self.breaks, self.name = breaks, name
        self.content, self.etag = CONTENT, ETAG
        self.asked: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers.get("Range"))
        begin = 0
        if self.asked[-1] and request.headers["If-Range"] == self.etag:
            begin = int(self.asked[-1].removeprefix("bytes=").rstrip("-"))
            if begin >= len(self.content):
                return httpx.Response(416, json={"title": "Beyond.", "code": "range_not_satisfiable"})
        rest = self.content[begin:]
        size = self.breaks.pop(0) if self.breaks else len(rest)
        headers = {"ETag": self.etag, "Content-Length": str(len(rest)), "Content-Disposition": self.name}
        body = _Bytes(rest[:size], breaks=size < len(rest))
        return httpx.Response(206 if begin else 200, headers=headers, stream=body)

    def client(self) -> Client:
        """Somebody who downloads from it without waiting."""
        return Client("http://x", transport=httpx.MockTransport(self), sleep=lambda _: None)


def test_a_file_arrives_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    """The file is at its place, and no part of it beside it."""
    told: list[tuple[int, int | None]] = []
    with Server(breaks=[]).client() as server:
        place = server.jobs.download("a", tmp_path / "mine.mp4", progress=lambda *both: told.append(both))
    assert place == tmp_path / "mine.mp4"
    assert place.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [place]
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_folder_gets_the_file_under_the_servers_name(tmp_path: Path) -> None:
    """Names in any script arrive as they are."""
    name = "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E2%80%93%201.mp4"
    with Server(breaks=[], name=name).client() as server:
        assert server.jobs.download("a", tmp_path).name == "Größe – 1.mp4"


@pytest.mark.parametrize(
    "name",
    ["../../evil.mp4", "/etc/evil.mp4", "..\\evil.mp4", "C:\\x\\evil.mp4", ".evil.mp4", "\x1bevil.mp4"],
)
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """Whatever a server calls a file, it lies in the folder that was named."""
    with Server(
        breaks=[], name=f'attachment; filename="{name}"'.encode().decode("latin-1")
    ).client() as server:
        place = server.jobs.download("a", tmp_path)
    assert place == tmp_path / "evil.mp4"


def test_a_broken_connection_goes_on_where_it_broke(tmp_path: Path) -> None:
    """Only what is missing is asked for, and the bytes are the same."""
    server = Server(breaks=[1000, 5000])
    with server.client() as client:
        assert client.jobs.download("a", tmp_path / "x.mp4").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-", "bytes=6000-"]


def test_the_next_call_goes_on_where_the_last_one_gave_up(tmp_path: Path) -> None:
    """A download that failed leaves its part, not its name; another call takes it up."""
    server = Server(breaks=[4000, 0, 0, 0, 0])
    with server.client() as client:
        with pytest.raises(Unreachable):
            client.jobs.download("a", tmp_path / "x.mp4")
        assert not (tmp_path / "x.mp4").exists()
        server.asked.clear()
        server.breaks.clear()
        assert client.jobs.download("a", tmp_path / "x.mp4").read_bytes() == CONTENT
    assert server.asked == ["bytes=4000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path: Path) -> None:
    """Two versions are never put together."""
    server = Server(breaks=[4000, 0, 0, 0, 0])
    with server.client() as client:
        with pytest.raises(Unreachable):
            client.jobs.download("a", tmp_path / "x.mp4")
        server.content, server.etag = b"another", '"def"'
        server.breaks.clear()
        assert client.jobs.download("a", tmp_path / "x.mp4").read_bytes() == b"another"


def test_a_part_that_is_longer_than_the_file_is_begun_anew(tmp_path: Path) -> None:
    """What cannot be gone on with does not stand in the way."""
    server = Server(breaks=[4000, 0, 0, 0, 0])
    with server.client() as client:
        with pytest.raises(Unreachable):
            client.jobs.download("a", tmp_path / "x.mp4")
        (part,) = tmp_path.glob(".*.part")
        part.write_bytes(CONTENT)
        server.breaks.clear()
        assert client.jobs.download("a", tmp_path / "x.mp4").read_bytes() == CONTENT


def test_what_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    """A refusal is told, and no file is made."""
    answer = httpx.Response(404, json={"title": "No such job.", "code": "not_found"})
    with (
        Client("http://x", transport=httpx.MockTransport(lambda _: answer)) as client,
        pytest.raises(NotFound),
    ):
        client.jobs.download("a", tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_only_now_is_waited_for(tmp_path: Path) -> None:
    """As long as the server says, however often, and no part of the wait is taken for the file."""
    answers, slept = [202, 202, 202, 202, 202, 200], []

    def server(_: httpx.Request) -> httpx.Response:
        if answers.pop(0) == 202:
            return httpx.Response(202, json={"state": "making"}, headers={"Retry-After": "3"})
        return httpx.Response(
            200, content=CONTENT, headers={"Content-Disposition": 'attachment; filename="v.flac"'}
        )

    with Client("http://x", transport=httpx.MockTransport(server), sleep=slept.append) as client:
        place = client.jobs.download("a", tmp_path, kind="original")
    assert (place.read_bytes(), slept) == (CONTENT, [3.0] * 5)
    assert list(tmp_path.iterdir()) == [place]
