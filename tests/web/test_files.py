"""Results over HTTP: names and types that harm nobody, parts for players, sound, stems and an archive."""

from __future__ import annotations

import io
import json
import subprocess
import tracemalloc
import zipfile
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.http import http_date

from autodub.infra import codec
from autodub.jobs import exports
from autodub.jobs.naming import safe_name
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.results import Item, Result
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs
from autodub.media.probe import probe
from autodub.model.errors import NotFound
from autodub.model.media import Audio
from autodub.model.time import Span
from autodub.pipeline.finished import Parts
from autodub.web import archive
from autodub.web.files import disposition

MADE = 1_700_000_000.5
REPORT = "<!doctype html><style>p{color:red}</style><script>alert(1)</script><p>Report</p>"


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of picture and sound."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10", "-f", "lavfi", "-i",
            "sine=frequency=300", "-t", "2", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", path,
        ],
        check=True,
    )  # fmt: skip
    return path


class Desk:
    """Finished jobs with whatever files a test gives them."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def job(self, **files: tuple[str, bytes]) -> str:
        """A completed job: kind -> (name, content)."""
        spec = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es")
        job = self.platform.jobs.submit(LOCAL_ACTOR, spec)[0].id
        items = {}
        for kind, (name, content) in files.items():
            with self.platform.store.blobs.scratch() as scratch:
                path = scratch / f"file{Path(name).suffix}"
                path.write_bytes(content)
                blob = self.platform.store.blobs.keep(path)
            self.platform.store.pin(job, blob)
            items[kind] = Item(name=name, digest=blob.digest, size=blob.size, suffix=blob.suffix)
        values = {"state": "completed", "finished": MADE, "result": Result(files=items).model_dump_json()}
        with self.platform.sql.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job).values(**values))
        return job

    def erase(self, job: str) -> None:
        """Delete a job with everything of it, as the sweeper does."""
        self.platform.jobs.delete(LOCAL_ACTOR, job)
        self.platform.erasing.erase(job)


@pytest.fixture
def desk(platform: Platform) -> Desk:
    """Finished jobs."""
    return Desk(platform)


def test_files_are_listed_with_names_types_and_places(client: FlaskClient, desk: Desk, film: Path) -> None:
    """Also what will be made only when somebody asks for it; a job without a result has none."""
    job = desk.job(media=("Talk.es.mp4", film.read_bytes()), srt=("Talk.es.srt", b"1\n"))
    found = client.get(f"/api/v1/jobs/{job}/files").get_json()
    digest = sha256(film.read_bytes()).hexdigest()
    assert found["files"][0] == {
        "kind": "media", "name": "Talk.es.mp4", "type": "video/mp4", "size": film.stat().st_size,
        "digest": digest, "path": f"/api/v1/jobs/{job}/files/media", "begins": 0.0,
    }  # fmt: skip
    assert [(one["kind"], one["name"], one["size"]) for one in found["files"]] == [
        ("media", "Talk.es.mp4", film.stat().st_size), ("srt", "Talk.es.srt", 2),
        ("audio", "Talk.es.m4a", None),
    ]  # fmt: skip
    assert all(client.head(one["path"]).status_code == 200 for one in found["files"])
    assert client.get(f"/api/v1/jobs/{desk.job()}/files").get_json()["files"] == []


def test_a_file_is_sent_whole_as_it_is(client: FlaskClient, desk: Desk, film: Path) -> None:
    """With its length, its digest, a name to save it by, and nothing a browser could run."""
    job = desk.job(media=("Talk.es.mp4", film.read_bytes()))
    answer = client.get(f"/api/v1/jobs/{job}/files/media")
    head = client.head(f"/api/v1/jobs/{job}/files/media")
    assert (answer.status_code, answer.data, head.data) == (200, film.read_bytes(), b"")
    digest = sha256(film.read_bytes()).hexdigest()
    for got in (answer, head):
        headers = got.headers
        assert int(headers["Content-Length"]) == film.stat().st_size
        assert (headers["ETag"], headers["Content-Type"]) == (f'"{digest}"', "video/mp4")
        assert headers["Content-Disposition"] == 'attachment; filename="Talk.es.mp4"'
        assert headers["Accept-Ranges"] == "bytes"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "private" in headers["Cache-Control"]
        assert headers["Last-Modified"] == http_date(MADE)
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_parts_are_sent_to_players_that_seek(client: FlaskClient, desk: Desk) -> None:
    """The beginning, the middle, the end, everything from somewhere on; never beyond the end."""
    data = bytes(range(256)) * 4
    url = f"/api/v1/jobs/{desk.job(media=('a.mp4', data))}/files/media"
    for asked, start, end in (
        ("0-0", 0, 1), ("0-99", 0, 100), ("1000-", 1000, 1024), ("-24", 1000, 1024), ("5-9999", 5, 1024),
        ("-9999", 0, 1024), ("1023-1023", 1023, 1024), ("2000-3000,0-4", 0, 1024),
    ):  # fmt: skip
        answer = client.get(url, headers={"Range": f"bytes={asked}"})
        if "," in asked:  # parts out of order are not understood: the whole
            assert (answer.status_code, answer.data) == (200, data)
            continue
        assert (answer.status_code, answer.data) == (206, data[start:end])
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/1024"
        assert int(answer.headers["Content-Length"]) == end - start
    head = client.head(url, headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.headers["Content-Length"]) == (200, "1024")


def test_several_parts_come_in_one_answer(client: FlaskClient, desk: Desk) -> None:
    """Each with its place in the file; what lies beyond the end is left out."""
    data = bytes(range(256))
    url = f"/api/v1/jobs/{desk.job(media=('a.mp4', data))}/files/media"
    answer = client.get(url, headers={"Range": "bytes=0-3,10-12,250-999"})
    assert answer.status_code == 206
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    whole = message_from_bytes(f"Content-Type: {answer.content_type}\r\n\r\n".encode() + answer.data)
    parts = whole.get_payload()
    assert [part["Content-Range"] for part in parts] == [
        "bytes 0-3/256", "bytes 10-12/256", "bytes 250-255/256",
    ]  # fmt: skip
    assert [part.get_payload(decode=True) for part in parts] == [data[0:4], data[10:13], data[250:]]
    assert {part.get_content_type() for part in parts} == {"video/mp4"}
    one = client.get(url, headers={"Range": "bytes=2-3,900-999"})
    assert (one.status_code, one.headers["Content-Range"], one.data) == (206, "bytes 2-3/256", data[2:4])


def test_parts_that_are_not_there_or_not_understood(client: FlaskClient, desk: Desk) -> None:
    """A part beyond the end is refused with the size; nonsense and floods are answered with the whole."""
    data = bytes(2000)
    url = f"/api/v1/jobs/{desk.job(media=('a.mp4', data), srt=('a.srt', b''))}/files/media"
    answer = client.get(url, headers={"Range": "bytes=2000-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */2000")
    assert answer.get_json()["code"] == "range_not_satisfiable"
    flood = ",".join(f"{2 * place}-{2 * place}" for place in range(900))
    for nonsense in ("bytes=", "bytes=b-", "bytes=9-2", "lines=0-1", "bytes=0-0,0-0", f"bytes={flood}", "-"):
        assert client.get(url, headers={"Range": nonsense}).status_code == 200
    empty = client.get(url.replace("media", "srt"), headers={"Range": "bytes=0-1"})
    assert (empty.status_code, empty.headers["Content-Range"]) == (416, "bytes */0")


def test_a_part_belongs_to_the_file_it_began_with(client: FlaskClient, desk: Desk) -> None:
    """A download that is resumed of a file made anew meanwhile gets the whole; what is known is not sent."""
    data = b"some content"
    url = f"/api/v1/jobs/{desk.job(media=('a.mp4', data))}/files/media"
    etag, part = client.head(url).headers["ETag"], {"Range": "bytes=5-"}
    for known, status in ((etag, 206), ('"other"', 200), (http_date(MADE), 206), (http_date(MADE + 60), 200)):
        answer = client.get(url, headers=part | {"If-Range": known})
        assert (answer.status_code, answer.data) == (status, data[5:] if status == 206 else data)
    for headers, status in (
        ({"If-None-Match": etag}, 304), ({"If-None-Match": '"other"'}, 200), ({"If-Match": '"other"'}, 412),
        ({"If-Modified-Since": http_date(MADE)}, 304),
    ):  # fmt: skip
        answer = client.get(url, headers=headers)
        assert (answer.status_code, answer.data) == (status, data if status == 200 else b"")


def test_the_report_runs_nothing_wherever_it_is_opened(client: FlaskClient, desk: Desk) -> None:
    """It is saved unless somebody wants to look at it, and even then only its styles count."""
    url = f"/api/v1/jobs/{desk.job(report=('a.report.html', REPORT.encode()))}/files/report"
    saved, shown = client.get(url), client.get(f"{url}?inline=1")
    assert saved.headers["Content-Disposition"] == 'attachment; filename="a.report.html"'
    assert shown.headers["Content-Disposition"] == 'inline; filename="a.report.html"'
    for answer in (saved, shown):
        policy = {one.split()[0]: one for one in answer.headers["Content-Security-Policy"].split("; ")}
        assert policy["sandbox"] == "sandbox"
        assert policy["default-src"] == "default-src 'none'"
        assert policy["style-src"] == "style-src 'unsafe-inline'"
        assert "script-src" not in policy
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("said", "safe"),
    [
        ("Talk.es.mp4", "Talk.es.mp4"),
        ("../../etc/passwd.mp4", "passwd.mp4"),
        ("C:\\Windows\\a.mp4", "a.mp4"),
        ("a\0b\r\nSet-Cookie: x.mp4", "a b Set-Cookie_ x.mp4"),
        ("\u202egpj.mp4", "gpj.mp4"),
        ('a"b;c|d?.mp4', "a_b;c_d_.mp4"),
        ("CON.mp4", "_CON.mp4"),
        ("com1.tar.mp4", "_com1.tar.mp4"),
        ("..mp4", "mp4"),
        (" . ", "file"),
        ("...", "file"),
        ("\u202e", "file"),
        ("", "file"),
        ("日本語.mp4", "日本語.mp4"),
        ("می\u200cخواهم.mp4", "می\u200cخواهم.mp4"),
        ("x" * 10_000 + ".mp4", "x" * 150 + ".mp4"),
        ("語" * 10_000 + ".mp4", "語" * 66 + ".mp4"),
        ("a." + "b" * 500, "a." + "b" * 148),
    ],
)
def test_names_are_made_harmless(said: str, safe: str) -> None:
    """One line, no path, no device, nothing unseen, and not too long for any file system."""
    assert safe_name(said, otherwise="file") == safe
    assert len(safe.encode()) <= 255


def test_names_are_told_to_old_and_new_browsers() -> None:
    """In ASCII for those, as they are for these; never a quote or a line that would end the header."""
    assert disposition("a b.mp4", inline=False) == 'attachment; filename="a b.mp4"'
    assert (
        disposition("Café.mp4", inline=True)
        == "inline; filename=\"Cafe.mp4\"; filename*=UTF-8''Caf%C3%A9.mp4"
    )
    assert disposition("日本.mp4", inline=False) == (
        "attachment; filename=\"file.mp4\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.mp4"
    )
    assert disposition("a%22.mp4", inline=False) == (
        "attachment; filename=\"a_22.mp4\"; filename*=UTF-8''a%2522.mp4"
    )


def test_names_of_old_results_are_made_harmless_again(client: FlaskClient, desk: Desk) -> None:
    """Whatever a row says, it is neither a path nor a header of its own."""
    job = desk.job(srt=('../x"\r\nEvil: 1\u202e.srt', b"1\n"))
    answer = client.get(f"/api/v1/jobs/{job}/files/srt")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="x_ Evil_ 1.srt"'
    assert "Evil" not in answer.headers


def test_what_is_not_there_is_not_found(client: FlaskClient, desk: Desk, platform: Platform) -> None:
    """Unknown kinds, jobs without results, jobs that were deleted, files that vanished."""
    job = desk.job(media=("a.mp4", b"content"))
    other = desk.job()
    for path in (
        f"{job}/files/stems", f"{other}/files/media", f"{other}/files.zip", f"{'0' * 32}/files",
        f"{'0' * 32}/files/media", f"{'0' * 32}/files.zip", f"{job}/files/background",
    ):  # fmt: skip
        assert client.get(f"/api/v1/jobs/{path}").status_code == 404
    for path in ("../media", "..%2fmedia", "%2e%2e", "media/..", "MEDIA", "a.b"):
        assert client.get(f"/api/v1/jobs/{job}/files/{path}").status_code in (404, 422)
    for path in platform.store.blobs.files():
        path.unlink()
    answer = client.get(f"/api/v1/jobs/{job}/files/media")
    assert (answer.status_code, answer.get_json()["hint"]) == (404, "Retry the job: it is made again.")
    assert str(platform.settings.data_dir) not in answer.text


def test_the_sound_alone_is_copied_out_once(
    client: FlaskClient, desk: Desk, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not encoded again, and kept as the job's: when the job goes, so does its sound."""
    job = desk.job(media=("Talk.es.mp4", film.read_bytes()))
    url = f"/api/v1/jobs/{job}/files/audio"
    answer = client.get(url)
    assert (answer.status_code, answer.mimetype) == (200, "audio/mp4")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Talk.es.m4a"'
    store = desk.platform.store
    listed = client.get(f"/api/v1/jobs/{job}/files").get_json()["files"][-1]
    assert listed["size"] == len(answer.data)
    made = next(path for path in store.blobs.files() if path.name.startswith(listed["digest"]))
    info = probe(made)
    assert ([one.codec for one in info.audio], info.video) == (["aac"], ())
    assert info.duration == pytest.approx(2000, abs=60)
    monkeypatch.setattr(exports.ffmpeg, "call", None)  # would fail
    assert client.get(url, headers={"Range": "bytes=0-3"}).data == answer.data[:4]
    desk.platform.deriving.forget()  # as after a restart
    assert client.get(url).data == answer.data
    desk.erase(job)
    store.collect()
    assert list(store.blobs.files()) == []


def test_a_file_of_sound_is_its_own_sound(client: FlaskClient, desk: Desk) -> None:
    """Nothing has to be made of it."""
    job = desk.job(media=("Talk.es.mp3", b"content"))
    assert client.get(f"/api/v1/jobs/{job}/files/audio").data == b"content"


def test_what_is_made_of_a_job_deleted_meanwhile_does_not_stay(
    desk: Desk, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked is told that the job is gone, and no byte of it is left."""
    job = desk.job(media=("Talk.es.mp4", film.read_bytes()))
    found = desk.platform.exports
    real = found._sound

    def sound(record: Any) -> Any:
        made = real(record)
        desk.erase(job)
        return made

    monkeypatch.setattr(found, "_sound", sound)
    with pytest.raises(NotFound):
        found.one(LOCAL_ACTOR, job, "audio")
    desk.platform.store.collect()
    assert list(desk.platform.store.blobs.files()) == []


def test_stems_are_written_when_somebody_asks(
    client: FlaskClient, desk: Desk, film: Path, tmp_path: Path
) -> None:
    """Background and voices of the original, which add up to it; none where nothing was taken apart."""
    job = desk.job(media=("Talk.es.mp4", film.read_bytes()))
    rate = 16_000
    noise = numpy.random.default_rng(7)
    mix = noise.normal(0, 0.1, (2 * rate, 2)).astype("float32")
    audios = []
    for name, samples in (("mix", mix), ("background", mix * 0.5)):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, samples, rate, subtype="FLOAT")
        blob = desk.platform.store.blobs.keep(path)
        desk.platform.store.pin(job, blob)
        audios.append(Audio(blob, rate, 2, len(samples), "stereo"))
    folder = desk.platform.folder(job)
    folder.mkdir(parents=True)
    assert client.get(f"/api/v1/jobs/{job}/files/background").status_code == 404
    (folder / "stems.json").write_text(codec.dump(Parts(audios[0], audios[1], (Span(500, 1500),))))
    kinds = [one["kind"] for one in client.get(f"/api/v1/jobs/{job}/files").get_json()["files"]]
    assert kinds == ["media", "audio", "background", "original"]
    parts = []
    for kind, name in (("background", "Talk.es.background.flac"), ("original", "Talk.es.voices.flac")):
        answer = client.get(f"/api/v1/jobs/{job}/files/{kind}")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        parts.append(soundfile.read(io.BytesIO(answer.data), dtype="float32")[0])
    assert numpy.abs(parts[0] + parts[1] - mix).max() < 1e-5
    assert numpy.abs(parts[1][rate // 2 : rate]).max() > 0.05
    desk.erase(job)
    desk.platform.store.collect()
    assert list(desk.platform.store.blobs.files()) == []


def test_everything_comes_in_one_archive(client: FlaskClient, desk: Desk) -> None:
    """Every file once, under its own name, whole; two of one name are told apart."""
    files = {
        "media": ("Talk.es.mp4", bytes(range(256)) * 2000), "srt": ("Talk.es.srt", b"1\n" * 900),
        "vtt": ("Talk.es.srt", b"WEBVTT"), "project": ("Räume.json", json.dumps({"a": 1}).encode()),
    }  # fmt: skip
    job = desk.job(**files)
    answer = client.get(f"/api/v1/jobs/{job}/files.zip")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Talk.es.zip"'
    assert (answer.mimetype, answer.headers["X-Content-Type-Options"]) == ("application/zip", "nosniff")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == {
            "Talk.es.mp4": files["media"][1], "Talk.es.srt": files["srt"][1], "Talk.es (2).srt": b"WEBVTT",
            "Räume.json": files["project"][1],
        }  # fmt: skip
        assert found.getinfo("Talk.es.srt").compress_size < 900
        assert found.getinfo("Talk.es.mp4").compress_type == zipfile.ZIP_STORED
        assert found.getinfo("Talk.es.mp4").date_time[0] == 2023
    head = client.head(f"/api/v1/jobs/{job}/files.zip")
    assert (head.status_code, head.data) == (200, b"")


def test_large_files_are_sent_in_little_memory(client: FlaskClient, desk: Desk) -> None:
    """Neither a download nor an archive holds a file whole."""
    job = desk.job(media=("a.mp4", bytes(1 << 25)))
    for path in ("files/media", "files.zip"):
        answer = client.get(f"/api/v1/jobs/{job}/{path}", buffered=False)
        tracemalloc.start()
        assert sum(len(chunk) for chunk in answer.iter_encoded()) >= 1 << 25
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        answer.close()
        assert most < 4 << 20


def test_files_of_more_than_4_gib_fit_into_an_archive(tmp_path: Path) -> None:
    """The archive's format says so before their content is written."""
    small = tmp_path / "a.mp4"
    small.write_bytes(b"content")
    data = b"".join(archive.zipped([("a.mp4", small.open("rb"), 5 << 30)], made=0.0))
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.read("a.mp4") == b"content"
        assert found.getinfo("a.mp4").date_time[:3] == (1980, 1, 1)
    assert data[4:6] == b"\x2d\x00"  # needs version 4.5, that of ZIP64
