"""Uploads as jobs see them: whole or resumable, examined, kept while somebody needs them, gone afterwards."""

from __future__ import annotations

import errno
import io
import shutil
import threading
from collections.abc import Callable, Iterator
from hashlib import sha1, sha256
from typing import Any

import numpy
import pytest
import soundfile
from sqlalchemy import delete, select, update

from autodub.infra import process
from autodub.jobs import examining, receiving
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.receiving import Locked, WrongDigest, WrongOffset
from autodub.jobs.records import Actor
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import audit, uploads
from autodub.model.errors import (
    BadOption,
    BadSubtitles,
    Conflict,
    NotFound,
    QuotaExceeded,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedSource,
)

Opening = Callable[..., Platform]
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello there.\n"


def _wav(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    rate = 8000
    tone = numpy.sin(numpy.arange(round(seconds * rate)) * 0.2)
    soundfile.write(file, tone, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


WAV = _wav()


def _pieces(data: bytes, size: int = 4096) -> Iterator[bytes]:
    for first in range(0, len(data), size):
        yield data[first : first + size]


def _take(platform: Platform, name: str = "Talk.wav", data: bytes = WAV, **given: Any) -> str:
    return platform.uploads.take(LOCAL_ACTOR, name, _pieces(data), most=len(data), **given).id


def _files(platform: Platform) -> list[str]:
    """Names of everything in the folder of growing files and in the store."""
    folder = platform.settings.data_dir / "uploads"
    growing = [path.name for path in folder.glob("*")]
    return sorted(growing + [path.name for path in platform.store.blobs.files()])


def _set(platform: Platform, upload: str, **values: Any) -> None:
    with platform.sql.writing() as connection:
        connection.execute(update(uploads).where(uploads.c.id == upload).values(**values))


def test_a_file_that_came_whole_is_examined_and_kept(platform: Platform) -> None:
    """A job finds it ready, with what is in it; it lies in the store, and nowhere else."""
    found = platform.uploads.get(LOCAL_ACTOR, _take(platform, "My Talk.WAV"))
    assert (found.name, found.kind, found.state) == ("My Talk.WAV", "media", "ready")
    assert (found.size, found.received, found.why) == (len(WAV), len(WAV), "")
    assert found.info["container"] == "wav"
    assert found.info["seconds"] == pytest.approx(1.0)
    assert found.info["audio"] == [{"codec": "pcm_s16le", "channels": 1, "rate": 8000, "language": None}]
    assert _files(platform) == [sha256(WAV).hexdigest() + ".wav"]
    with platform.sql.reading() as connection:
        told = connection.execute(select(audit).where(audit.c.action == "upload.kept")).one()
    assert (told.subject, "Talk" in told.data) == (f"upload:{found.id}", False)


def test_subtitles_are_read_before_they_are_kept(platform: Platform) -> None:
    """By our own parser, up to a size that no subtitles have."""
    found = platform.uploads.get(LOCAL_ACTOR, _take(platform, "talk.srt", SRT))
    assert (found.kind, found.state) == ("subtitles", "ready")
    assert found.info == {"format": "srt", "lines": 1, "seconds": 2.0, "notes": []}
    for name, data, error in (
        ("talk.srt", b"no times at all", BadSubtitles), ("talk.vtt", b"WEBVTT\n", BadSubtitles),
        ("talk.srt", WAV, BadSubtitles), ("talk.srt", b"x" * 5_000_001, TooLarge),
        ("talk.txt", SRT, UnsupportedSource),
    ):  # fmt: skip
        with pytest.raises(error):
            _take(platform, name, data)
    with pytest.raises(UnsupportedSource, match="not media"):
        _take(platform, "talk.srt", SRT, kind="media")
    with pytest.raises(UnsupportedSource, match="not subtitles"):
        _take(platform, kind="subtitles")


def test_an_upload_goes_on_where_it_stopped(opening: Opening) -> None:
    """At another server over the same data, too: what is on the disk is what has come."""
    first = opening()
    begun = first.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    assert (begun.state, begun.received) == ("receiving", 0)

    def broken() -> Iterator[bytes]:
        yield WAV[:1000]
        yield WAV[1000:1500]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        first.uploads.receive(LOCAL_ACTOR, begun.id, broken(), offset=0)
    second = opening()
    assert second.uploads.get(LOCAL_ACTOR, begun.id).received == 1500
    for offset in (0, 1499, 1501):
        with pytest.raises(WrongOffset, match="1500 bytes"):
            second.uploads.receive(LOCAL_ACTOR, begun.id, [b"x"], offset=offset)
    half = second.uploads.receive(LOCAL_ACTOR, begun.id, [WAV[1500:2000]], offset=1500)
    assert (half.state, half.received) == ("receiving", 2000)
    done = second.uploads.receive(LOCAL_ACTOR, begun.id, _pieces(WAV[2000:]), offset=2000)
    assert (done.state, done.received) == ("ready", len(WAV))
    with pytest.raises(Conflict, match="ready"):
        second.uploads.receive(LOCAL_ACTOR, begun.id, [b"x"], offset=len(WAV))


def test_an_upload_whose_server_was_killed_at_the_end_is_finished(platform: Platform) -> None:
    """When all bytes are there, whoever looks at it has it examined; what is refused then says so."""
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    wrong = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=5)
    folder = platform.settings.data_dir / "uploads"
    (folder / f"{begun.id}.wav").write_bytes(WAV)
    (folder / f"{wrong.id}.wav").write_bytes(b"wrong")
    assert platform.uploads.get(LOCAL_ACTOR, begun.id).state == "ready"
    refused = platform.uploads.get(LOCAL_ACTOR, wrong.id)
    assert (refused.state, refused.received) == ("refused", 0)
    assert "Talk.wav is not a video or sound file" in refused.why
    assert _files(platform) == [sha256(WAV).hexdigest() + ".wav"]


def test_what_is_checked_comes_whole_or_not_at_all(platform: Platform) -> None:
    """With a digest nothing stays of a piece that broke off, or is not what was sent."""
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    piece, right = WAV[:3000], ("sha1", sha1(WAV[:3000]).digest())

    def broken() -> Iterator[bytes]:
        yield piece[:2000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        platform.uploads.receive(LOCAL_ACTOR, begun.id, broken(), offset=0, digest=right)
    with pytest.raises(WrongDigest):
        platform.uploads.receive(LOCAL_ACTOR, begun.id, [piece + b"x"], offset=0, digest=right)
    assert platform.uploads.get(LOCAL_ACTOR, begun.id).received == 0
    assert platform.uploads.receive(LOCAL_ACTOR, begun.id, [piece], offset=0, digest=right).received == 3000
    with pytest.raises(WrongDigest):
        platform.uploads.receive(LOCAL_ACTOR, begun.id, [b"x"], offset=3000, digest=right)
    assert platform.uploads.get(LOCAL_ACTOR, begun.id).received == 3000


def test_no_more_comes_than_was_announced(platform: Platform) -> None:
    """What is too much is refused while it comes, and what was there before stays."""
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=1000)
    platform.uploads.receive(LOCAL_ACTOR, begun.id, [WAV[:400]], offset=0)
    drawn: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            drawn.append(1)
            yield bytes(500)

    with pytest.raises(TooLarge):
        platform.uploads.receive(LOCAL_ACTOR, begun.id, endless(), offset=400)
    assert (platform.uploads.get(LOCAL_ACTOR, begun.id).received, len(drawn)) == (400, 2)
    drawn.clear()
    with pytest.raises(TooLarge):
        platform.uploads.take(LOCAL_ACTOR, "Talk.wav", endless(), most=1700)
    assert len(drawn) == 4
    assert len(_files(platform)) == 1


def test_one_at_a_time_sends_to_an_upload(platform: Platform) -> None:
    """Whoever comes beside is told to wait, in this process and in others; nobody deletes it meanwhile."""
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    seen: list[type] = []

    def slow() -> Iterator[bytes]:
        yield WAV[:100]
        for attempt in (
            lambda: platform.uploads.receive(LOCAL_ACTOR, begun.id, [b"x"], offset=100),
            lambda: platform.uploads.delete(LOCAL_ACTOR, begun.id),
        ):
            with pytest.raises(Locked):
                attempt()
            seen.append(Locked)
        _set(platform, begun.id, expires=1.0)
        assert platform.uploads.sweep(2.0) == []
        yield WAV[100:]

    assert platform.uploads.receive(LOCAL_ACTOR, begun.id, slow(), offset=0).state == "ready"
    assert seen == [Locked, Locked]


def test_many_who_send_at_once_do_not_mix(opening: Opening) -> None:
    """Of many who send the same piece one is taken at a time, and the file is what was sent."""
    platforms = [opening() for _ in range(3)]
    begun = platforms[0].uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))

    def send(platform: Platform) -> None:
        while True:
            known = platform.uploads.get(LOCAL_ACTOR, begun.id)
            if known.state == "ready":
                return
            try:
                piece = [WAV[known.received : known.received + 1000]]
                platform.uploads.receive(LOCAL_ACTOR, begun.id, piece, offset=known.received)
            except (Locked, WrongOffset, Conflict):
                continue

    threads = [threading.Thread(target=send, args=(platform,)) for platform in platforms * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _files(platforms[0]) == [sha256(WAV).hexdigest() + ".wav"]


def test_what_is_refused_leaves_nothing_but_why(platform: Platform) -> None:
    """Of a file sent at once not even that; of one sent in pieces a row that says it."""
    with pytest.raises(UnsupportedSource, match=r"Talk\.mp4"):
        _take(platform, "Talk.mp4", b"<html>no video</html>")
    assert platform.uploads.mine(LOCAL_ACTOR) == ([], 0)
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.mp4", size=len(WAV))
    with pytest.raises(UnsupportedSource, match="not what its ending says"):
        platform.uploads.receive(LOCAL_ACTOR, begun.id, _pieces(WAV), offset=0)
    (refused,), used = platform.uploads.mine(LOCAL_ACTOR)
    assert (refused.state, refused.size, used) == ("refused", 0, 0)
    assert "looks like a .wav file" in refused.why
    assert str(platform.settings.data_dir) not in refused.why
    assert _files(platform) == []
    with pytest.raises(BadOption, match="empty"):
        _take(platform, "Talk.wav", b"")
    assert _files(platform) == []


def test_a_file_over_which_the_server_stumbles_is_refused_too(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that cannot be read, a fault of ours: its sender is told, its bytes go, the list says why."""

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error", "/somewhere")

    monkeypatch.setattr(examining, "probe", broken)
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    with pytest.raises(UnsupportedSource, match="server made a mistake"):
        platform.uploads.receive(LOCAL_ACTOR, begun.id, _pieces(WAV), offset=0)
    (refused,), used = platform.uploads.mine(LOCAL_ACTOR)
    assert (refused.state, refused.size, used, _files(platform)) == ("refused", 0, 0, [])
    assert "could not be examined" in refused.why
    assert "somewhere" not in refused.why
    assert platform.uploads.get(LOCAL_ACTOR, begun.id) == refused
    (logged,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert logged.exc_info is not None
    caplog.clear()


def test_a_file_waits_for_a_server_that_cannot_examine_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a program is missing nothing is wrong with what came: once it is there the upload is ready."""
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    with monkeypatch.context() as patch:
        patch.setattr(process.shutil, "which", lambda _: None)
        with pytest.raises(Unavailable, match="cannot examine files now"):
            platform.uploads.receive(LOCAL_ACTOR, begun.id, _pieces(WAV), offset=0)
        assert platform.uploads.get(LOCAL_ACTOR, begun.id).state == "receiving"
    assert platform.uploads.get(LOCAL_ACTOR, begun.id).state == "ready"


def test_files_that_break_off_leave_nothing(platform: Platform) -> None:
    """A form whose connection breaks is no upload."""

    def broken() -> Iterator[bytes]:
        yield WAV[:1000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        platform.uploads.take(LOCAL_ACTOR, "Talk.wav", broken(), most=5000)
    assert (_files(platform), platform.uploads.mine(LOCAL_ACTOR)) == ([], ([], 0))


def test_a_user_has_room_for_so_much(opening: Opening) -> None:
    """Announced bytes count from the start; what is refused or deleted counts no more."""
    platform = opening(upload=3 * len(WAV), uploads=4 * len(WAV))
    with pytest.raises(TooLarge):
        platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=3 * len(WAV) + 1)
    for size in (0, -1):
        with pytest.raises(BadOption):
            platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=size)
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=3 * len(WAV))
    kept = _take(platform)
    assert platform.uploads.mine(LOCAL_ACTOR)[1] == 4 * len(WAV)
    with pytest.raises(QuotaExceeded):
        _take(platform)
    platform.uploads.delete(LOCAL_ACTOR, begun.id)
    _take(platform)
    platform.uploads.delete(LOCAL_ACTOR, kept)
    assert platform.uploads.mine(LOCAL_ACTOR)[1] == len(WAV)


def test_announcing_at_once_goes_not_over_the_limit(opening: Opening) -> None:
    """Many requests of one user at the same time have no more room than one after the other."""
    platform = opening(upload=100, uploads=450)
    got: list[bool] = []

    def begin() -> None:
        try:
            platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=100)
        except QuotaExceeded:
            got.append(False)
        else:
            got.append(True)

    threads = [threading.Thread(target=begin) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count(True) == 4
    assert len(_files(platform)) == 4


def test_uploads_under_way_are_limited_in_number(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Announcing costs nothing, so nobody may announce without end."""
    monkeypatch.setattr("autodub.jobs.uploads._OPEN", 2)
    for _ in range(2):
        platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=10)
    with pytest.raises(TooMany):
        platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=10)


def test_a_full_disk_is_told_without_its_place(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is looked for before anything comes; when it runs out nevertheless, what came can be resumed."""
    platform = opening()
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    usage = shutil.disk_usage("/")._replace(free=5)
    with monkeypatch.context() as patched:
        patched.setattr(receiving, "disk_usage", lambda _: usage)
        with pytest.raises(Unavailable, match="no room"):
            platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=6)

    def full() -> Iterator[bytes]:
        yield WAV[:500]
        raise OSError(errno.ENOSPC, "No space left on device", str(platform.settings.data_dir))

    with pytest.raises(Unavailable) as told:
        platform.uploads.receive(LOCAL_ACTOR, begun.id, full(), offset=0)
    assert str(platform.settings.data_dir) not in str(told.value)
    assert platform.uploads.get(LOCAL_ACTOR, begun.id).received == 500


def test_uploads_of_others_are_not_there(platform: Platform) -> None:
    """Neither to look at, nor to send to, nor to delete; an admin's neither."""
    upload = _take(platform)
    other = Actor("other", "other", "admin")
    for attempt in (
        lambda: platform.uploads.get(other, upload),
        lambda: platform.uploads.receive(other, upload, [b"x"], offset=0),
        lambda: platform.uploads.delete(other, upload),
        lambda: platform.uploads.get(LOCAL_ACTOR, "0" * 32),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert platform.uploads.mine(other) == ([], 0)
    assert platform.uploads.get(LOCAL_ACTOR, upload).state == "ready"


def test_a_job_keeps_what_it_uses(platform: Platform) -> None:
    """An upload outlives its time while a job uses it, cannot be deleted, and goes with the last such job."""
    upload, beside = _take(platform), _take(platform, "talk.srt", SRT)
    spec = JobSpec(upload=upload, subtitles=beside, target="es", spoken="en")
    first, second = (platform.jobs.submit(LOCAL_ACTOR, spec)[0].id for _ in range(2))
    for used in (upload, beside):
        with pytest.raises(Conflict, match="2 of your jobs use this upload"):
            platform.uploads.delete(LOCAL_ACTOR, used)
        _set(platform, used, expires=1.0)
    assert platform.uploads.sweep(2.0) == []
    assert all(one.expires > 2.0 for one in platform.uploads.mine(LOCAL_ACTOR)[0])  # not with every sweep
    for job in (first, second):
        assert len(_files(platform)) == 2
        platform.jobs.delete(LOCAL_ACTOR, job)
        platform.erasing.erase(job)
    assert (_files(platform), platform.uploads.mine(LOCAL_ACTOR)) == ([], ([], 0))


def test_what_nobody_used_is_removed_after_its_time(opening: Opening) -> None:
    """Complete or not; sending more gives it more time."""
    platform = opening(upload_hours=1.0)
    begun = platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=len(WAV))
    ready = platform.uploads.get(LOCAL_ACTOR, _take(platform))
    assert ready.expires - ready.created == pytest.approx(3600, abs=30)
    _set(platform, begun.id, expires=5.0)
    platform.uploads.receive(LOCAL_ACTOR, begun.id, [WAV[:10]], offset=0)
    assert platform.uploads.sweep(ready.created + 60) == []
    assert set(platform.uploads.sweep(ready.expires + 60)) == {begun.id, ready.id}
    assert (_files(platform), platform.uploads.mine(LOCAL_ACTOR)) == ([], ([], 0))


def test_the_same_content_is_kept_as_long_as_one_upload_has_it(platform: Platform) -> None:
    """Two uploads share one file; deleting one leaves it to the other."""
    first, second = _take(platform), _take(platform, "Other.wav")
    platform.uploads.delete(LOCAL_ACTOR, first)
    assert len(_files(platform)) == 1
    platform.uploads.delete(LOCAL_ACTOR, second)
    assert _files(platform) == []


def test_what_belongs_to_no_row_is_found_and_removed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of users that were deleted, and of processes that were killed; what is under way is left alone."""
    gone, begun = _take(platform), platform.uploads.begin(LOCAL_ACTOR, "Talk.wav", size=10)
    ready = _take(platform, "talk.srt", SRT)
    folder = platform.settings.data_dir / "uploads"
    stray = folder / f"{'a' * 32}.mp4"
    stray.write_bytes(b"x")
    with platform.sql.writing() as connection:
        connection.execute(delete(uploads).where(uploads.c.id == gone))
    assert platform.uploads.search() == sorted([gone, "a" * 32])
    assert stray.exists()  # its row may be about to be written
    monkeypatch.setattr(receiving, "_STRAY", -60.0)
    platform.uploads.search()
    assert _files(platform) == sorted([sha256(SRT).hexdigest() + ".srt", f"{begun.id}.wav"])
    assert platform.uploads.get(LOCAL_ACTOR, ready).state == "ready"


def test_looking_at_a_file_ends_after_its_time(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a file could keep its reader busy."""
    monkeypatch.setattr(examining, "_PATIENCE", -1.0)
    with pytest.raises(UnsupportedSource, match="could not be examined"):
        _take(platform)
    assert _files(platform) == []
