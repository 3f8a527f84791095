"""Events: messages in bytes, connections that break, and how a stream ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodub.client import ApiError, Client, Event, NotFound, Unreachable, following
from autodub.client.streams import Sent, messages

ID = "a" * 32


def told(number: int, kind: str = "stage.progress", **more: object) -> str:
    """An event as the server writes it."""
    data = {"number": number, "at": 1.0, "attempt": 1, "kind": kind} | more
    return f"id: {number}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


class _Broken(httpx.SyncByteStream):
    """Bytes, and then a connection that breaks."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        raise httpx.ReadError("reset")


def server_of(answers: list[httpx.Response]) -> tuple[Client, list[httpx.Request], list[float]]:
    """A client of a server that gives these answers to whoever follows."""
    asked: list[httpx.Request] = []
    waited: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers.pop(0)

    return Client("http://x", transport=httpx.MockTransport(answer), sleep=waited.append), asked, waited


def stream(*parts: str) -> httpx.Response:
    """A stream that ends in good order."""
    return httpx.Response(200, text="".join(parts), headers={"Content-Type": "text/event-stream"})


def broken(*parts: str) -> httpx.Response:
    """A stream whose connection breaks."""
    return httpx.Response(200, stream=_Broken(*(part.encode() for part in parts)))


END = 'event: end\ndata: {"id": "x", "state": "completed"}\n\n'


def test_events_come_in_order_until_the_job_is_over() -> None:
    """The stream's own words (retry, beats) are no events; ``end`` ends it."""
    server, asked, _ = server_of([stream("retry: 2000\n\n", told(1), ": still here\n\n", told(2), END)])
    with server:
        assert [event.number for event in server.jobs.events(ID)] == [1, 2]
    assert asked[0].headers["Accept"] == "text/event-stream"
    assert "Last-Event-ID" not in asked[0].headers


def test_a_broken_connection_goes_on_where_it_broke() -> None:
    """The last number seen is sent; nothing is missed, and what the server repeats is not told twice."""
    server, asked, waited = server_of(
        [broken(told(1), told(2), "id: 3\nda"), stream(told(2), told(3)), stream(told(4), END)]
    )
    with server:
        assert [event.number for event in server.jobs.events(ID)] == [1, 2, 3, 4]
    assert [request.headers.get("Last-Event-ID") for request in asked] == [None, "2", "3"]
    assert len(waited) == 2


def test_events_go_on_after_a_number() -> None:
    """Who has seen some asks for the rest."""
    server, asked, _ = server_of([stream(told(8), END)])
    with server:
        assert [event.number for event in server.jobs.events(ID, after=7)] == [8]
    assert asked[0].headers["Last-Event-ID"] == "7"


def test_a_stream_that_has_nothing_more_ends() -> None:
    """204 says: do not come back."""
    server, _, _ = server_of([httpx.Response(204)])
    with server:
        assert list(server.jobs.events(ID, after=9)) == []


def test_a_deleted_job_is_not_found() -> None:
    """``gone`` is no end like the others."""
    server, _, _ = server_of([stream(told(1), 'event: gone\ndata: {"id": "x"}\n\n')])
    with server, pytest.raises(NotFound):
        list(server.jobs.events(ID))


def test_a_server_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some connections without any event patience ends; each event renews it."""
    monkeypatch.setattr(following, "PATIENCE", 4)
    server, asked, _ = server_of(
        [broken(told(1)), broken(), broken(told(2)), broken(), broken(), broken(), broken()]
    )
    seen: list[Event] = []
    with server, pytest.raises(Unreachable):
        server.jobs.wait(ID, each=seen.append)
    assert [event.number for event in seen] == [1, 2]
    assert len(asked) == 6


def test_a_job_that_waits_for_long_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies cut streams in which nothing happens; one that stood for a while shows that all is well."""
    monkeypatch.setattr(following, "_LASTING", 0.0)
    cut = [broken() for _ in range(3 * following.PATIENCE)]
    server, asked, _ = server_of([*cut, stream(told(1), END)])
    with server:
        assert [event.number for event in server.jobs.events(ID)] == [1]
    assert len(asked) == len(cut) + 1


def test_a_server_that_is_away_is_told_once_and_again_when_it_is_back() -> None:
    """Not for one connection that breaks; and none of its events is missed."""
    gone = httpx.Response(503, json={"title": "It is stopping.", "code": "unavailable"})
    answers = [broken(told(1)), stream(told(2)), broken(), gone, gone, stream(told(3), END)]
    server, _, _ = server_of(answers)
    seen: list[str] = []

    def away(why: ApiError | None) -> None:
        seen.append(why.title if why else "back")

    with server:
        for event in server.jobs.events(ID, away=away):
            seen += [str(event.number)]
    assert seen == ["1", "2", seen[2], "back", "3"]
    assert "cannot be reached" in seen[2]


def test_waiting_tells_what_happens_and_gives_the_job_as_it_ended() -> None:
    """However it ended: the state says."""
    job = {"id": ID, "state": "failed", "error": {"code": "x", "message": "No sound."}}
    server, _, _ = server_of([stream(told(1), told(2), END), httpx.Response(200, json=job)])
    seen: list[Event] = []
    with server:
        ended = server.jobs.wait(ID, each=seen.append)
    assert [event.number for event in seen] == [1, 2]
    assert (ended.state, ended.is_over) == ("failed", True)
    assert ended.error is not None
    assert ended.error.message == "No sound."


def test_separators_inside_a_message_are_content() -> None:
    """Only CR and LF end a line: a line separator of Unicode in a message does not tear it."""
    odd = "one\u2028two\x85three\x0bfour"
    server, _, _ = server_of([stream(told(1, message=odd), END)])
    with server:
        (event,) = server.jobs.events(ID)
    assert event.message == odd


def test_what_the_standard_says_of_fields() -> None:
    """Comments, unknown fields, data of several lines, ids that stay, fields without a colon."""
    text = ":hello\nid: 7\nevent: word\ndata: a\ndata:b\ndata\nother: x\n\n"
    text += "id: x\0y\ndata: c\n\nevent: lost\n\ndata: cut"
    assert list(messages([text.encode()])) == [Sent("word", "7", "a\nb\n"), Sent("message", "7", "c")]


@given(
    ending=st.sampled_from(["\n", "\r", "\r\n"]),
    cuts=st.lists(st.integers(0, 200), max_size=20),
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1), max_size=4),
)
def test_no_cut_between_packets_changes_a_message(ending: str, cuts: list[int], texts: list[str]) -> None:
    """However the bytes arrive and whatever ends lines, the messages are the same."""
    whole = "".join(f"data: {text}{ending}{ending}" for text in texts).encode()
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    chunks = [whole[a:b] for a, b in pairwise(edges)]
    assert [sent.data for sent in messages(chunks)] == texts
