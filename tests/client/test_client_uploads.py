"""Uploads: a small file at once, a large one in pieces that survive broken connections."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from autodub.client import ApiError, BadFile, BadRequest, Client, Unreachable, local, uploads
from autodub.infra import server_settings, settings
from autodub.jobs.platform import Platform
from autodub.web.app import create_app

SRT = "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\nLine {n}.\n\n" for n in range(1, 20))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """The server's platform."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    platform = Platform(
        known, server_settings.load(known, environ={}, given={"spare": 0, "check_engines": False})
    )
    yield platform
    platform.close()


class Shaky(httpx.WSGITransport):
    """The server, over a connection that breaks before or after what was sent has arrived."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(app=create_app(platform))
        self.breaks: list[str] = []
        self.seen: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.method)
        how = self.breaks.pop(0) if request.method == "PATCH" and self.breaks else ""
        if how == "before":
            raise httpx.WriteError("reset")
        answer = super().handle_request(request)
        if how == "after":
            answer.close()
            raise httpx.ReadError("reset")
        return answer


@pytest.fixture
def transport(platform: Platform) -> Shaky:
    """The way to the server."""
    return Shaky(platform)


@pytest.fixture
def server(transport: Shaky) -> Iterator[Client]:
    """A client that does not wait."""
    with Client("http://127.0.0.1", transport=transport, sleep=lambda _: None) as client:
        yield client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A subtitle file with a name of many scripts."""
    file = tmp_path / "Größe, 大きさ.srt"
    file.write_text(SRT)
    return file


def test_a_small_file_is_sent_at_once(server: Client, transport: Shaky, file: Path) -> None:
    """One request; the name arrives as it is."""
    told: list[tuple[int, int | None]] = []
    sent = server.uploads.send(file, kind="subtitles", progress=lambda *both: told.append(both))
    assert (sent.name, sent.kind, sent.state) == (file.name, "subtitles", "ready")
    assert sent.size == sent.received == len(SRT)
    assert (transport.seen, told) == (["POST"], [(len(SRT), len(SRT))])
    assert [one.id for one in server.uploads.list()] == [sent.id]
    server.uploads.delete(sent.id)
    assert list(server.uploads.list()) == []


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large, and pieces are small."""
    monkeypatch.setattr(uploads, "SMALL", 0)
    monkeypatch.setattr(uploads, "PIECE", 100)


@pytest.mark.usefixtures("pieces")
def test_a_large_file_is_sent_in_pieces(server: Client, file: Path) -> None:
    """All of it arrives, and how far it is is told."""
    told: list[int] = []
    sent = server.uploads.send(file, kind="subtitles", progress=lambda done, _: told.append(done))
    assert (sent.state, sent.received, sent.info["lines"]) == ("ready", len(SRT), 19)
    assert told == [*range(100, len(SRT), 100), len(SRT)]


@pytest.mark.usefixtures("pieces")
def test_a_broken_connection_goes_on_where_it_broke(server: Client, transport: Shaky, file: Path) -> None:
    """Whether a piece had arrived or not: nothing is lost, and nothing sent twice counts."""
    transport.breaks = ["", "before", "after", "", "after", "before"]
    sent = server.uploads.send(file, kind="subtitles")
    assert (sent.state, sent.received, sent.info["lines"]) == ("ready", len(SRT), 19)
    assert transport.breaks == []


@pytest.mark.usefixtures("pieces")
def test_an_upload_that_was_given_up_is_resumed_by_its_id(
    server: Client, transport: Shaky, file: Path
) -> None:
    """Patience ends, the upload stays, and another call goes on with it."""
    transport.breaks = ["", ""] + ["before"] * 4
    with pytest.raises(Unreachable):
        server.uploads.send(file, kind="subtitles")
    (begun,) = server.uploads.list()
    assert (begun.state, begun.received) == ("receiving", 200)
    told: list[int] = []
    sent = server.uploads.send(file, resume=begun.id, progress=lambda done, _: told.append(done))
    assert (sent.id, sent.state, told[0]) == (begun.id, "ready", 300)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("breaks", [["", "", "", "", "after"], []])
def test_a_refused_upload_says_why_also_when_its_answer_was_lost(
    server: Client, transport: Shaky, tmp_path: Path, breaks: list[str]
) -> None:
    """With the last piece, or to whoever asks how far it is."""
    file = tmp_path / "notes.srt"
    file.write_text("These are only notes.\n" * 20)
    transport.breaks = breaks
    with pytest.raises(BadRequest, match="holds no subtitles"):
        server.uploads.send(file, kind="subtitles")
    (refused,) = server.uploads.list()
    with pytest.raises(BadRequest, match=r"was refused: notes\.srt holds no subtitles"):
        server.uploads.send(file, kind="subtitles", resume=refused.id)


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, Path]:
    """Files that cannot be sent."""
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    names = {"none": "none.mp4", "folder": ".", "empty": "empty.mp4", "pipe": "pipe.mp4", "odd": "a\0b.mp4"}
    names["under"] = "empty.mp4/x.mp4"
    return {what: tmp_path / name for what, name in names.items()}


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("none", "There is no file .*none.mp4. Check its name"), ("folder", "is a folder. Name one file"),
        ("empty", r"is empty \(0 bytes\). Its download"), ("pipe", "is no ordinary file. Save"),
        ("odd", "cannot be read: embedded null byte. Check its name"), ("under", "There is no file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_sent_is_an_error_of_the_clients(
    server: Client, transport: Shaky, broken: dict[str, Path], what: str, says: str
) -> None:
    """It says what, why and how to fix it, whatever it was to be, and nobody is asked anything."""
    file, link = broken[what], "https://youtu.be/dQw4w9WgXcQ"
    for send in (
        lambda: server.uploads.send(file),
        lambda: server.jobs.submit(file, "es"),
        lambda: server.jobs.check(link, "es", subtitles=file),
        lambda: server.jobs.submit(link, "es", subtitles=file),
        lambda: server.batches.submit("All", [link, file], ["es"]),
        lambda: server.estimates.ask(file, "es"),
        lambda: server.transcripts.bring("0" * 32, file),
    ):
        with pytest.raises(BadFile, match=says) as refused:
            send()
        assert (refused.value.status, refused.value.code) == (0, "bad_file")
    assert transport.seen == []


def test_a_file_that_may_not_be_read_is_one_too(
    server: Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its permissions are named."""

    def closed(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setattr(local, "open", closed, raising=False)  # root may read everything
    with pytest.raises(BadFile, match=r"cannot be read: Permission denied\. Check its name and its permis"):
        server.uploads.send(file)


@pytest.mark.usefixtures("pieces")
def test_what_is_no_such_file_is_refused_with_the_reason(server: Client, tmp_path: Path) -> None:
    """The server looks at what came, not at its name."""
    file = tmp_path / "notes.srt"
    file.write_text("These are only notes.\n" * 20)
    with pytest.raises(BadRequest):
        server.uploads.send(file, kind="subtitles")


def test_a_file_that_is_refused_at_once_says_why(server: Client, tmp_path: Path) -> None:
    """The same for a small one."""
    file = tmp_path / "talk.mp4"
    file.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(ApiError) as refused:
        server.uploads.send(file)
    assert refused.value.title
    assert 400 <= refused.value.status < 500


def test_nothing_is_sent_for_a_dub_that_would_be_refused(
    server: Client, transport: Shaky, tmp_path: Path
) -> None:
    """The server is asked first, for one dub, for a batch and for an estimate; subtitles wait, too."""
    film, words = tmp_path / "talk.mp4", tmp_path / "talk.srt"
    film.write_bytes(b"a film")
    words.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    for submit in (
        lambda: server.jobs.submit(film, "es", spoken="es", subtitles=words),
        lambda: server.batches.submit("All", [film], ["es"], spoken="es"),
        lambda: server.estimates.ask(film, "es", spoken="es"),
    ):
        with pytest.raises(BadRequest, match="both Spanish"):
            submit()
    assert transport.seen == ["POST"] * 3
    assert list(server.uploads.list()) == []
    job = server.jobs.submit("https://youtu.be/dQw4w9WgXcQ", "es", spoken="en", subtitles=words)
    assert job.state == "queued"
    assert [one.kind for one in server.uploads.list()] == ["subtitles"]
