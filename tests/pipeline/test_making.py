"""A dub made in the store: nothing is written elsewhere, edits come as text, and a title hides the path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from autodub.gateway.store import Store
from autodub.infra import settings
from autodub.model.errors import (
    AutodubError,
    BadProject,
    EngineCannot,
    Gone,
    OutputProblem,
    Rejected,
    Unreachable,
    UnsupportedSource,
)
from autodub.model.media import Blob
from autodub.model.request import DubRequest
from autodub.pipeline.dub import dub
from autodub.pipeline.estimating import foretell
from autodub.pipeline.making import Made, make
from autodub.pipeline.stems import stem
from autodub.testing.script import Give, Proceed, Script

Count = Callable[[], dict[str, int]]


class Server:
    """The stage as a server uses it: its source is an upload, and a file of the store."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.settings = settings.load(environ={}, data_dir=stage.data)
        self.upload = self.keep(stage.film)

    def keep(self, file: Path) -> Path:
        """A file taken into the store; its path there."""
        store = Store(self.stage.data)
        with store.blobs.scratch() as folder:
            blob = store.blobs.keep(Path(shutil.copy(file, folder)))
        store.close()
        return store.blobs.path(blob)

    def request(self, **wishes: Any) -> DubRequest:
        """A request for a dub of the upload."""
        asked: dict[str, Any] = {
            "source": str(self.upload), "target": "es", "spoken": "en", "engines": self.stage.engines,
            "title": "Great Talk.mp4",
        }  # fmt: skip
        return DubRequest(**(asked | wishes))

    def make(self, *, edits_text: str | None = None, owner: str | None = None, **wishes: Any) -> Made:
        """Make a dub of the upload."""
        with self.stage.engines_registered():
            return make(
                self.request(**wishes), settings=self.settings, listener=self.stage.events.append,
                edits_text=edits_text, owner=owner,
            )  # fmt: skip

    def bytes(self, blob: Blob) -> bytes:
        """What is in a file of the store."""
        store = Store(self.stage.data)
        store.close()
        return store.blobs.path(blob).read_bytes()

    def text(self, made: Made, kind: str) -> str:
        """One of the texts of a dub."""
        return self.bytes(made.files[kind][1]).decode()


@pytest.fixture
def server(stage: Any) -> Server:
    """A server with one upload."""
    return Server(stage)


def everything(folder: Path) -> set[Path]:
    """All paths under a folder, those of its data directory left out."""
    return {path for path in folder.rglob("*") if "data" not in path.relative_to(folder).parts}


def test_nothing_is_written_outside_the_store(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making a dub leaves the folders of user and server as they were, and every file in the store."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    before = everything(tmp_path), set(server.upload.parent.iterdir())
    made = server.make()
    assert (everything(tmp_path), set(server.upload.parent.iterdir())) == before
    assert {kind: name for kind, (name, _) in made.files.items()} == {
        "media": "Great Talk.es.mp4", "srt": "Great Talk.es.srt", "vtt": "Great Talk.es.vtt",
        "receipt": "Great Talk.es.receipt.json", "report": "Great Talk.es.report.html",
        "project": "Great Talk.es.project.json", "dialogue": "Great Talk.es.dialogue.flac",
    }  # fmt: skip
    assert all(len(server.bytes(blob)) == blob.size > 0 for _, blob in made.files.values())
    assert not made.reused
    assert server.make().reused


def test_made_and_delivered_are_the_same_file(server: Server) -> None:
    """The film in the store is, byte for byte, the one that a dub of the same file delivers."""
    made = server.make()
    assert server.stage.dub().output.read_bytes() == server.bytes(made.done.media)


def test_no_path_of_the_machine_is_shown(server: Server) -> None:
    """With a title, project, receipt, report and events name the source by it and show no path."""

    class Refusing(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if request.text == self.requests[0].text:  # type: ignore[attr-defined]
                raise Rejected(f"Not with what lies in {server.upload}.")
            return Proceed()

    server.stage.scripts["synthesizer"] = Refusing()
    made = server.make()
    assert made.receipt.line_count.kept_original == 1
    shown = [server.text(made, kind) for kind in ("project", "receipt", "report")]
    shown += [event.message for event in server.stage.events]
    for text in shown:
        assert str(server.stage.folder) not in text
        assert server.upload.name not in text
    assert json.loads(shown[0])["source"] == "Great Talk.mp4"
    assert made.receipt.source == "Great Talk.mp4"
    assert made.receipt.dub == "Great Talk.es.mp4"


@pytest.mark.parametrize("fault", ["silent", "text", "subtitles"])
def test_errors_say_the_title(server: Server, fault: str, tmp_path: Path) -> None:
    """A refusal names the upload by its title, never by its place in the store."""
    wishes: dict[str, Any] = {}
    if fault == "subtitles":
        wishes["subtitles"] = str(tmp_path / "secret" / "mine.srt")
    else:
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(b"no film at all" if fault == "text" else b"")
        wishes["source"] = str(server.keep(bad))
    with pytest.raises(AutodubError) as caught:
        server.make(**wishes)
    assert str(tmp_path) not in str(caught.value)
    assert ("mine.srt" if fault == "subtitles" else "Great Talk.mp4") in str(caught.value)


def test_a_crash_in_a_dub_of_an_owner_names_no_place(server: Server) -> None:
    """Whoever asks through a server, with a title or without, is told of no folder of its machine."""

    class Crashing(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            raise RuntimeError(f"something in {server.stage.folder} broke")

    server.stage.scripts["transcriber"] = Crashing()
    with pytest.raises(AutodubError) as caught:
        server.make(title=None, owner="a-job")
    assert "crashed (RuntimeError)" in str(caught.value)
    said = [event.message for event in server.stage.events] + [str(caught.value)]
    assert not [text for text in said if str(server.stage.folder) in text]


def test_a_second_language_of_the_same_upload_reuses_the_first_half(server: Server, counting: Count) -> None:
    """Whatever the upload is called the second time, nobody listens to it again."""
    server.make()
    counting()
    server.make(target="fr", title="Another name.mkv")
    assert set(counting()) == {"translator", "synthesizer"}


def test_another_title_is_another_receipt_and_the_same_work(server: Server, counting: Count) -> None:
    """The same upload under another name asks no engine, and its papers carry the new name."""
    first = server.make()
    counting()
    second = server.make(title="New name.mp4")
    assert counting() == {}
    assert second.done.media == first.done.media
    assert second.receipt.source == "New name.mp4"


def test_edits_come_as_text(server: Server, counting: Count) -> None:
    """An edited project text speaks the edited line only, and its text stands in the new project."""
    first = server.make()
    data = json.loads(server.text(first, "project"))
    data["lines"][1]["text"] = "Otra cosa muy distinta."
    counting()
    second = server.make(edits_text=json.dumps(data))
    assert counting() == {"synthesizer": 1}
    assert json.loads(server.text(second, "project"))["lines"][1]["text"] == "Otra cosa muy distinta."
    assert second.done.media != first.done.media
    assert server.make(edits_text=server.text(second, "project")).reused


def test_edits_that_cannot_be_understood_are_refused(server: Server, counting: Count) -> None:
    """A project text that is broken, or of another language, is refused before anybody is asked."""
    first = json.loads(server.text(server.make(), "project"))
    first["lines"][0]["text"] = "Cambiado."
    counting()
    with pytest.raises(BadProject):
        server.make(edits_text="{")
    with pytest.raises(BadProject, match=r"Great Talk\.fr\.project\.json belongs to another"):
        server.make(edits_text=json.dumps(first), target="fr")
    assert counting() == {}


@pytest.mark.parametrize(
    ("title", "wanted", "name"),
    [
        ("Talk.MKV", None, "Talk.es.mkv"),
        ("../../etc/pass:wd.mp4", None, "etc pass wd.es.mp4"),
        ("Talk v1.5", None, "Talk v1.5.es.mp4"),
        ("", None, "video.es.mp4"),
        ("Talk.mp4", "/nowhere/at/all/Mine.mkv", "Mine.mkv"),
    ],
)
def test_names_come_from_title_and_source(server: Server, title: str, wanted: str | None, name: str) -> None:
    """The name of the output is a plain name; its ending is the title's, or else the source's."""
    made = server.make(title=title, output=wanted)
    assert made.name == name


def test_a_kind_of_file_that_cannot_be_written_is_refused(server: Server, counting: Count) -> None:
    """An ending nobody can write is refused before anybody is asked."""
    with pytest.raises(OutputProblem):
        server.make(output="Talk.xyz")
    assert counting() == {}


def test_a_titled_source_is_never_written_over(server: Server) -> None:
    """A dub that is delivered leaves the file it was made from alone, whatever the title says."""
    source = server.stage.folder / "mine.mp4"
    shutil.copy(server.stage.film, source)
    before = source.read_bytes()
    with server.stage.engines_registered(), pytest.raises(OutputProblem, match="what you gave"):
        dub(server.request(source=str(source), output=str(source), overwrite=True), settings=server.settings)
    assert source.read_bytes() == before


def test_an_estimate_shows_the_title_and_needs_no_place(server: Server) -> None:
    """What a dub of an upload would cost is told under its title, without a folder to write to."""
    with server.stage.engines_registered():
        foretold = foretell(server.request(), settings=server.settings)
    assert foretold.title == "Great Talk.mp4"


def test_a_source_that_is_not_there_is_refused_by_its_title(server: Server) -> None:
    """A file that is gone from the store is an error about the upload's name."""
    with pytest.raises(UnsupportedSource, match=r"Great Talk\.mp4"):
        server.make(source=str(server.upload.with_name("0" * 64 + ".mp4")))


def test_deleting_the_only_job_leaves_no_byte(server: Server) -> None:
    """Of two jobs with one upload each takes what only it had; after the second nothing is left at all."""
    store = Store(server.stage.data)
    upload = Blob(server.upload.name[:64], server.upload.stat().st_size, server.upload.suffix)
    store.pin("one", upload)
    store.pin("two", upload)
    one = server.make(owner="one")
    data = json.loads(server.text(one, "project"))
    data["lines"][0]["text"] = "Otra cosa."
    server.make(owner="one", edits_text=json.dumps(data))
    two = server.make(owner="two", target="fr")
    assert store.release("one").answers > 0
    assert not store.blobs.has(one.done.media)
    assert len(server.bytes(two.done.media)) == two.done.media.size
    assert server.make(owner="two", target="fr").reused
    store.release("two")
    store.collect()
    assert list(store.blobs.files()) == []
    assert store.stats().answers == 0
    store.close()
    assert all(path.suffix in ("", ".sqlite") for path in everything_in(server.stage.data))


def everything_in(data: Path) -> set[Path]:
    """Every file of a data directory that is not a database's own or a lock."""
    own = (".sqlite-wal", ".sqlite-shm", ".lock", ".use")
    return {path for path in data.rglob("*") if path.is_file() and not path.name.endswith(own)}


def test_a_degraded_dub_is_pinned_too(server: Server) -> None:
    """The files of a dub that will be made anew when asked for again are there as long as its owner wants."""

    class Away(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if request.text == self.requests[0].text:  # type: ignore[attr-defined]
                raise Unreachable("Not there.")
            return Proceed()

    server.stage.scripts["synthesizer"] = Away()
    made = server.make(owner="one")
    assert made.receipt.line_count.kept_original == 1
    store = Store(server.stage.data)
    store.collect()
    store.prune(max_bytes=0)
    store.close()
    assert all(len(server.bytes(blob)) == blob.size for _, blob in made.files.values())


def test_stems_of_the_original_and_the_dub_alone(server: Server, tmp_path: Path) -> None:
    """The dub's speech is one of the files; the original's stems are written when asked for, once."""
    made = server.make(owner="one")
    name, blob = made.files["dialogue"]
    assert name == "Great Talk.es.dialogue.flac"
    store = Store(server.stage.data)
    source = soundfile.info(store.blobs.path(made.done.stems.mix.blob)) if made.done.stems else None
    assert source is not None
    dialogue = soundfile.info(store.blobs.path(blob))
    assert (dialogue.samplerate, dialogue.frames) == (source.samplerate, source.frames)
    files = [
        stem(made.done.stems, which, settings=server.settings, owner="one")
        for which in ("background", "original")
    ]
    loud = []
    for file in files:
        samples, rate = soundfile.read(store.blobs.path(file), always_2d=True)
        assert (rate, len(samples), samples.shape[1]) == (source.samplerate, source.frames, source.channels)
        loud.append(float(abs(samples).max()))
    assert stem(made.done.stems, "background", settings=server.settings, owner="one") == files[0]
    store.release("one")
    store.collect()
    assert not any(store.blobs.has(file) for file in files)
    with pytest.raises(Gone):
        stem(made.done.stems, "background", settings=server.settings, owner="one")
    store.close()


def test_where_the_voices_stay_in_there_are_no_stems(server: Server) -> None:
    """A dub over lowered original sound says that it has no stems, and still has its own speech alone."""
    server.stage.scripts["separator"] = Script([Rejected("No.")])
    engines = {role: name for role, name in server.stage.engines.items() if role != "separator"}
    made = server.make(engines=engines)
    assert made.done.dialogue is not None
    assert made.done.stems is None
    with pytest.raises(EngineCannot, match="no stems"):
        stem(made.done.stems, "original", settings=server.settings)
