"""Waveforms and the original file over HTTP: what an editor draws and plays beside the dub."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
from flask.testing import FlaskClient
from sqlalchemy import update

from autodub.infra import codec
from autodub.jobs import origins
from autodub.jobs.deriving import Check
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.results import Item, Result
from autodub.jobs.tables import jobs
from autodub.media import peaks
from autodub.media.probe import probe
from autodub.model.media import Audio, Blob
from autodub.model.time import Span
from autodub.pipeline.finished import Making, Parts, remember
from autodub.quality.facts import DubFacts
from finished_jobs import finished

RATE = 16_000


class Desk:
    """A finished job with a film of two seconds, its source, its stems and its dialogue."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform, self.folder, self.job = platform, folder, finished(platform)
        self.voice = numpy.zeros((2 * RATE, 1), dtype="float32")
        self.voice[RATE : RATE + RATE // 2] = 0.5
        source = self.film("source", self.voice)
        media = self.film("dub", numpy.roll(self.voice, -RATE // 2))
        stream = probe(source).audio[0].index
        self.source, self.media = self.keep(source), self.keep(media)
        mix, background = self.sound("mix", self.voice), self.sound("background", self.voice * 0)
        dialogue = self.sound("dialogue", self.voice * 0.5).blob
        place = platform.folder(self.job)
        place.mkdir(parents=True)
        parts = Parts(mix, background, (Span(900, 1600),))
        (place / "stems.json").write_text(codec.dump(parts), "utf-8")
        facts = DubFacts("en", "es", RATE, 2 * RATE)
        remember(
            platform.store,
            self.media,
            Making(facts, None, 0, None, stream, self.source.digest),
        )
        origins.note(place, self.media, platform.settings, self.job)
        files = {"media": self.item("Talk.es.mkv", self.media), "dialogue": self.item("d.flac", dialogue)}
        self.put(result=Result(files=files).model_dump_json(), finished=1.0)

    def film(self, name: str, samples: Any) -> Path:
        """A film with this sound."""
        path, own = self.folder / f"{name}.mkv", self.folder / f"{name}.flac"
        soundfile.write(own, samples, RATE)
        subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10", "-i", own, "-t", "2",
             "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac", path], check=True,
        )  # fmt: skip
        return path

    def sound(self, name: str, samples: Any) -> Audio:
        """A sound of the store."""
        path = self.folder / f"{name}.wav"
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        return Audio(self.keep(path), RATE, 1, len(samples), "mono")

    def keep(self, path: Path) -> Blob:
        """A file as the job's."""
        blob = self.platform.store.blobs.keep(path)
        self.platform.store.pin(self.job, blob)
        return blob

    def item(self, name: str, blob: Blob) -> Item:
        """A file as a result names it."""
        return Item(name=name, digest=blob.digest, size=blob.size, suffix=blob.suffix)

    def put(self, **values: Any) -> None:
        """Change the job's row."""
        with self.platform.sql.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.id == self.job).values(**values))

    @property
    def url(self) -> str:
        """Where the job is."""
        return f"/api/v1/jobs/{self.job}"


@pytest.fixture
def desk(platform: Platform, tmp_path: Path) -> Desk:
    """One finished job."""
    return Desk(platform, tmp_path)


def places(found: dict[str, Any]) -> tuple[int, int, int]:
    """How many values there are, and the first and last that are not silent."""
    heard = [place for place, value in enumerate(found["peaks"]) if value > 3]
    return len(found["peaks"]), heard[0], heard[-1]


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        ("source", (100, 50, 74)), ("original", (100, 50, 74)), ("dialogue", (100, 50, 74)),
        ("media", (100, 25, 49)),
    ],
)  # fmt: skip
def test_every_track_is_drawn_on_the_same_clock(
    client: FlaskClient, desk: Desk, track: str, expected: tuple[int, int, int]
) -> None:
    """Fifty values a second, from sounds and films alike; whoever has them is not sent them again."""
    answer = client.get(f"{desk.url}/peaks?track={track}")
    assert answer.status_code == 200
    found = answer.get_json()
    assert (found["track"], found["rate"], found["seconds"], found["most"]) == (track, 50, 2.0, 127)
    assert places(found) == expected
    assert abs(max(found["peaks"]) - (32 if track == "dialogue" else 64)) <= 1
    again = client.get(f"{desk.url}/peaks?track={track}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    few = client.get(
        f"{desk.url}/peaks?track={track}&rate=5", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert len(few.get_json()["peaks"]) == 10


def test_the_source_is_drawn_from_its_file_where_its_sound_was_pruned(
    client: FlaskClient, desk: Desk
) -> None:
    """It looks the same."""
    parts = desk.platform.exports.parts(desk.job)
    assert parts is not None
    desk.platform.store.blobs.path(parts.mix.blob).unlink()
    assert places(client.get(f"{desk.url}/peaks?track=source").get_json()) == (100, 50, 74)
    assert client.get(f"{desk.url}/peaks?track=original").status_code == 404


def test_a_track_that_is_not_there_is_not_found(client: FlaskClient, desk: Desk) -> None:
    """Stems of what was not taken apart, anything before there is a result, tracks nobody knows."""
    (desk.platform.folder(desk.job) / "stems.json").unlink()
    assert client.get(f"{desk.url}/peaks?track=background").status_code == 404
    desk.put(result=None, state="processing")
    for track in ("source", "media", "dialogue"):
        assert client.get(f"{desk.url}/peaks?track={track}").status_code == 404
    assert client.get(f"{desk.url}/peaks?track=loud").status_code == 422
    assert client.get(f"{desk.url}/peaks?rate=0").status_code == 422


def test_a_long_waveform_is_made_beside(
    client: FlaskClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """202 says when to ask again; two who ask make it once, and it is the job's until that goes."""
    go, made = threading.Event(), []
    real = peaks.of_stream

    def slow(*given: Any, check: Check, **named: Any) -> Any:
        made.append(given)
        while not go.wait(0.01):
            check()
        return real(*given, check=check, **named)

    monkeypatch.setattr(peaks, "of_stream", slow)
    for _ in range(2):
        answer = client.get(f"{desk.url}/peaks?track=media&wait=0.01")
        assert (answer.status_code, answer.get_json()["state"]) == (202, "making")
        assert int(answer.headers["Retry-After"]) > 0
    go.set()
    assert places(client.get(f"{desk.url}/peaks?track=media").get_json()) == (100, 25, 49)
    desk.platform.deriving.forget()  # as after a restart
    assert client.get(f"{desk.url}/peaks?track=media").status_code == 200
    assert len(made) == 1
    desk.platform.jobs.delete(LOCAL_ACTOR, desk.job)
    desk.platform.erasing.erase(desk.job)
    desk.platform.store.collect()
    left = {path.name[:64] for path in desk.platform.store.blobs.files()}
    assert desk.source.digest not in left
    assert not [path for path in desk.platform.store.blobs.files() if path.suffix == ".bin"]


def test_stems_are_made_beside_as_well(
    client: FlaskClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that takes long is 202, too, and never asked of a second thread."""
    go = threading.Event()
    real = desk.platform.exports.stem

    def slow(job: str, kind: str) -> Blob:
        go.wait(30)
        return real(job, kind)

    monkeypatch.setattr(desk.platform.exports, "stem", slow)
    answer = client.get(f"{desk.url}/files/background?wait=0.01")
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    assert client.head(f"{desk.url}/files/background?wait=0").status_code == 202
    go.set()
    found = client.get(f"{desk.url}/files/background")
    assert (found.status_code, found.mimetype) == (200, "audio/flac")


def test_the_original_is_played_beside_the_dub(client: FlaskClient, desk: Desk) -> None:
    """As it came, in parts, under the job's name; it is in the list and not in the archive."""
    answer = client.get(f"{desk.url}/files/source")
    path = desk.platform.store.blobs.path(desk.source)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, path.read_bytes(), "video/x-matroska")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Talk.mkv"'
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    part = client.get(f"{desk.url}/files/source", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (206, path.read_bytes()[:10])
    begins = {one["kind"]: one["begins"] for one in client.get(f"{desk.url}/files").get_json()["files"]}
    assert begins["source"] == 0.0
    note = desk.platform.folder(desk.job) / "source.json"
    note.write_text(note.read_text().replace('"start":0', '"start":1500'))
    begins = {one["kind"]: one["begins"] for one in client.get(f"{desk.url}/files").get_json()["files"]}
    assert (begins["source"], begins["media"]) == (1.5, 0.0)
    path.unlink()
    assert client.get(f"{desk.url}/files/source").status_code == 404
    assert json.loads(note.read_text())["start"] == 1500
    origins.note(note.parent, desk.media, desk.platform.settings, desk.job)
    assert not note.exists()
