"""Dubs of addresses: the sound first, the picture beside everything else, and what becomes of either."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from autodub.engines import registry
from autodub.engines.roles import EngineOptions, Info, Readiness
from autodub.gateway.cancel import Cancel
from autodub.infra import settings
from autodub.media.probe import probe
from autodub.model.calls import Download
from autodub.model.errors import AutodubError, BadOption, EngineCannot, Rejected, UnknownLanguage
from autodub.model.media import Source
from autodub.model.request import DubRequest
from autodub.model.speech import Segment, Transcript
from autodub.model.time import Span
from autodub.pipeline.dub import dub
from autodub.testing.fakes import FakeTranslator
from autodub.testing.script import Give, Proceed, Script

ADDRESS = "https://example.org/film"


class Web:
    """A site with one film. ``before`` is called with every request and may wait or raise."""

    def __init__(self, film: Path, folder: Path) -> None:
        self.title, self.asked = "A film", []
        self.files = {"sound": folder / "sound.m4a", 240: film, 120: folder / "small.mp4"}
        for argv, name in ((["-vn", "-c", "copy"], "sound"), (["-vf", "scale=80:-2", "-c:a", "copy"], 120)):
            subprocess.run(
                ["ffmpeg", "-v", "error", "-i", str(film), *argv, str(self.files[name])], check=True
            )

    def before(self, request: Download, work: Any) -> None:
        """Nothing."""

    def downloader(self) -> type[Any]:
        """The engine that fetches from here."""
        web = self

        class Fetch:
            class Options(EngineOptions):
                height: int = Field(240, description="Lines.")

            def __init__(self, options: Any, _context: Any) -> None:
                self.options = options

            @classmethod
            def describe(cls) -> Info:
                return Info("web", "downloader", "1", "", lanes=2)

            def readiness(self) -> Readiness:
                return Readiness("ready", "")

            def download(self, request: Download, work: Any) -> Source:
                web.asked.append(request)
                web.before(request, work)
                whole = request.having is not None
                kept = work.scratch / ("film.mp4" if whole else "sound.m4a")
                kept.write_bytes(web.files[self.options.height if whole else "sound"].read_bytes())
                blob = work.keep(kept)
                path = work.path(blob)
                return Source(
                    str(path), blob.digest, probe(path), web.title, (blob,), ADDRESS, is_whole=whole
                )

        return Fetch


@pytest.fixture
def web(stage, film, tmp_path):
    """A site to dub from with ``stage.dub``."""
    site = Web(film, tmp_path)
    stage.engines["downloader"] = "web"
    real = stage.dub
    stage.dub = lambda **more: real(**({"source": ADDRESS} | more))
    with registry.registered("downloader", "web", site.downloader()):
        yield site


def test_another_picture_is_another_dub(stage, web, counting):
    """Who asks for a smaller picture of the same sound gets it, and nobody is asked again for the rest."""
    assert probe(stage.dub().output).video[0].width == 160
    counting()
    small = stage.dub(options={"downloader": {"height": "120"}})
    assert probe(small.output).video[0].width == 80
    assert not small.reused
    assert not counting()
    assert stage.dub(options={"downloader": {"height": "120"}}).reused


def test_a_language_is_the_same_by_any_name(stage, web):
    """The source's language given by name is the one given by tag: nothing is fetched or made again."""
    stage.dub()
    asked = len(web.asked)
    assert stage.dub(spoken="English", target="Spanish").reused
    assert len(web.asked) == asked


@pytest.mark.parametrize(
    "title",
    ["\u6f22" * 200, "\U00020000" * 90, "../../etc/passwd", ". . .", "-rf\n\x1b[2J"],
    ids=["long", "longer", "path", "dots", "option"],
)
def test_any_title_is_a_file_name(stage, web, monkeypatch, tmp_path, title):
    """Whatever a site calls its film, all files are written, in this folder, under printable names."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    web.title = title
    dubbed = stage.dub(output=None, start=500, end=16_000)
    files = [dubbed.output, dubbed.project, dubbed.receipt_path, dubbed.report, *dubbed.subtitles]
    assert {path.parent for path in files} == {place}
    assert len(list(place.iterdir())) == len(files)
    assert all(path.name.isprintable() and path.name[0] not in "-." for path in files)


class Watched(Script):
    """Tells when it was asked first, and answers only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = threading.Event(), threading.Event()

    def play(self, request: Any, work: Any) -> Give | Proceed:
        self.begun.set()
        self.may.wait(20)
        return super().play(request, work)


def test_a_picture_that_cannot_be_had_stops_the_dub_before_more_is_spent(stage, web, monkeypatch):
    """What is being paid for just then is kept, nothing else is begun, and the error is the picture's."""
    translator = stage.scripts["translator"] = Watched()
    monkeypatch.setattr(FakeTranslator, "describe", _paid(FakeTranslator))
    refused = threading.Event()

    def before(request: Download, _work: Any) -> None:
        if request.having is not None and not refused.is_set():
            assert translator.begun.wait(20)
            refused.set()
            threading.Timer(0.8, translator.may.set).start()
            raise Rejected("The site gives no picture.")

    web.before = before
    with pytest.raises(Rejected, match="no picture"):
        stage.dub()
    assert not stage.asked("synthesizer")
    paid = {repr(request) for request in stage.asked("translator")}
    assert paid
    dubbed = stage.dub()
    assert all(line.status == "spoken" for line in dubbed.receipt.lines)
    asked = [repr(request) for request in stage.asked("translator")]
    assert len(asked) == len(set(asked))  # nothing was translated twice
    assert paid <= set(asked)


def _paid(kind: type[Any]) -> Any:
    real = kind.describe()
    facts = {name: getattr(real, name) for name in real.__dataclass_fields__} | {"paid": True}
    return classmethod(lambda _cls: Info(**facts))


def test_a_range_of_an_address_is_that_range(stage, web):
    """From 5 to 12 seconds of an address are seven seconds of sound and picture."""
    dubbed = stage.dub(start=5000, end=12_000)
    found = probe(dubbed.output)
    assert found.video
    assert abs(found.duration - 7000) <= 150


def test_a_pair_nobody_translates_is_refused_before_voices_are_made(stage, web):
    """A language found out by listening that the translator does not know stops the dub with that reason."""

    class Narrow(FakeTranslator):
        def route(self, source: str, target: str) -> str:
            raise EngineCannot(f"{source} to {target} is not known here.")

    stage.scripts["transcriber"] = Script([Give(Transcript("de", (Segment(Span(500, 4500), "Guten Tag."),)))])
    with (
        registry.registered("translator", "narrow", Narrow),
        pytest.raises(EngineCannot, match="de to es"),
    ):
        stage.dub(spoken=None, engines=stage.engines | {"translator": "narrow"})
    assert not stage.asked("translator")
    assert not stage.asked("synthesizer")


def test_a_source_that_speaks_the_target_is_refused_when_that_is_heard(stage, web):
    """Found out by listening, the language to dub into is said to be spoken already; nobody translates."""
    stage.scripts["transcriber"] = Script([Give(Transcript("es", (Segment(Span(500, 4500), "Hola."),)))])
    with pytest.raises(UnknownLanguage, match="already speaks"):
        stage.dub(spoken=None)
    assert not stage.asked("translator")


def test_two_dubs_of_an_address_at_once_fetch_and_make_everything_once(stage, web):
    """Side by side they share all calls and write what each alone would have written."""
    results: dict[str, Any] = {}

    def one(name: str) -> None:
        try:
            results[name] = dub(
                DubRequest(
                    ADDRESS, "es", spoken="en", engines=stage.engines,
                    output=str(stage.folder / f"{name}.mp4"),
                ),
                settings=settings.load(environ={}, data_dir=stage.data),
            )  # fmt: skip
        except AutodubError as problem:
            results[name] = problem

    with stage.engines_registered():
        threads = [threading.Thread(target=one, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results["one"].output.read_bytes() == results["two"].output.read_bytes()
    assert len(web.asked) == 2
    asked = [repr(request) for request in stage.asked("synthesizer")]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    "role", ["downloader", "detector", "transcriber", "separator", "translator", "synthesizer"]
)
def test_a_stop_during_any_stage_ends_the_dub_and_loses_nothing(stage, web, role):
    """Whoever stops while an engine works gets Cancelled; going on afterwards, all that was done is kept."""
    cancel, is_first = Cancel(), threading.Event()

    class Stops(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if not is_first.is_set():
                is_first.set()
                cancel.request()
                while True:
                    threading.Event().wait(0.01)
                    work.check()
            return Proceed()

    script = Stops()
    if role == "downloader":
        web.before = lambda request, work: script.play(request, work) if request.having else None
    else:
        stage.scripts[role] = script
    before = set(threading.enumerate())
    with pytest.raises(AutodubError) as caught:
        stage.dub(cancel=cancel)
    assert caught.value.code == "cancelled"
    left = [t for t in set(threading.enumerate()) - before if t.is_alive() and not t.name.startswith("load")]
    for thread in left:
        thread.join(60)  # libraries may be on their way in still
    assert not [thread.name for thread in left if thread.is_alive()]
    done = {name: [repr(r) for r in stage.asked(name)] for name in stage.scripts if name != role}
    stage.dub()
    for name, requests in done.items():
        again = [repr(request) for request in stage.asked(name)][len(requests) :]
        assert not set(requests[:-4]) & set(again), name


def test_a_price_table_that_is_wrong_leaves_nothing_open(stage, tmp_path, monkeypatch):
    """The store is closed again when the dub is refused before it begins."""
    from autodub.gateway.store import Store

    closed = []
    real = Store.close
    monkeypatch.setattr(Store, "close", lambda self: (closed.append(self), real(self)))
    bad = tmp_path / "prices.toml"
    bad.write_text("this is no table", "utf-8")
    with pytest.raises(BadOption):
        dub(
            DubRequest(str(stage.film), "es"),
            settings=settings.load(environ={"AUTODUB_PRICES": str(bad)}, data_dir=stage.data),
        )
    assert len(closed) == 1
