"""Real recordings through the library: a man in his office, one outdoors, two women on the telephone."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from autodub import Dubbed, Event, dub
from autodub.media.probe import probe
from autodub.model.speech import Turn
from autodub.quality.diarization import read_rttm, score

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


class Place:
    """One folder for all dubs here: what was decoded and separated for one serves the next."""

    def __init__(self, folder: Path, media: Path) -> None:
        self.folder, self.media = folder, media
        self.events: list[Event] = []

    def dub(self, source: str, name: str, **wishes: Any) -> Dubbed:
        """Dub a recording into Spanish; the events are of this run."""
        self.events = []
        return dub(
            self.media / source, to="es", spoken="en", data_dir=self.folder / "data",
            output=str(self.folder / name), listener=self.events.append, **wishes,
        )  # fmt: skip

    def office(self, name: str, **wishes: Any) -> Dubbed:
        """Dub the man in his office with his true subtitles."""
        subtitles = str(self.media / "talking-head-office.srt")
        return self.dub("talking-head-office.mp4", name, subtitles=subtitles, **wishes)

    def made(self) -> Counter[str]:
        """How many answers of each verb were made, not found, in the last run."""
        done = [event.data for event in self.events if event.kind == "call.finished"]
        return Counter(str(data["verb"]) for data in done if not data["kept"])


@pytest.fixture(scope="module")
def place(shared_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder to dub the recordings into."""
    return Place(tmp_path_factory.mktemp("real"), shared_media)


def packets(path: Path) -> str:
    """Every packet of the picture: presentation time, length, bytes."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:V", "-c", "copy", "-f", "framemd5", "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def digest(path: Path) -> str:
    """Identity of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_sound(dubbed: Dubbed) -> None:
    """What holds for every dub, whatever was said: all lines, no drift, no damage, the source's loudness."""
    receipt = dubbed.receipt
    count = receipt.line_count
    assert count.total == count.spoken == count.heard > 0
    assert receipt.value("T8.samples") == 0
    assert receipt.value("T18") == 0
    assert (receipt.value("B1") or 0) <= -90
    assert (receipt.value("M5.loudness") or 0) <= 0.5
    assert receipt.value("M5.clipped") == receipt.value("M5.decoded_clipped") == 0
    assert abs(receipt.durations.difference_ms) <= 33
    assert (receipt.value("R1.onset.p50") or 0) <= 40


def test_given_subtitles_are_spoken(place: Place) -> None:
    """With true subtitles each cue is one line, translated and spoken where it was said."""
    dubbed = place.office("office.mp4")
    assert_sound(dubbed)
    lines = dubbed.receipt.lines
    assert [line.text for line in lines] == [
        "Good morning, my name is Jordi Mas.",
        "I am from Barcelona.",
        "And I love this city.",
    ]
    assert "Barcelona" in lines[1].spoken
    assert lines[1].spoken != lines[1].text
    for line, start in zip(lines, (1250, 5280, 7690), strict=True):
        assert line.dub_ms is not None
        assert abs(line.dub_ms.start - start) <= 150
    assert packets(dubbed.output) == packets(place.media / "talking-head-office.mp4")
    assert dubbed.receipt.durations.difference_picture_frames == 0


def test_heard_with_pocketsphinx(place: Place) -> None:
    """Without subtitles pocketsphinx finds the same stretches of speech, and all of them are spoken."""
    dubbed = place.dub("talking-head-office.mp4", "heard.mp4", engines={"transcriber": "sphinx"})
    assert_sound(dubbed)
    assert {engine.name for engine in dubbed.receipt.engines} >= {"sphinx", "apertium", "espeak"}
    assert "my name is" in " ".join(line.text for line in dubbed.receipt.lines).lower()
    covered = [(line.source_ms.start, line.source_ms.end) for line in dubbed.receipt.lines]
    for second in (3.3, 6.0, 8.2):  # inside each of the three sentences
        assert any(start <= 1000 * second <= end for start, end in covered)


def test_sound_shorter_than_the_picture(place: Place, tmp_path: Path) -> None:
    """An edit list hides what follows the sound: the dub is as long, its picture the same packets."""
    source = place.media / "talking-head-noisy.mp4"
    before = digest(source), source.stat().st_mtime_ns
    srt = tmp_path / "said.srt"
    srt.write_text(
        "1\n00:00:00,000 --> 00:00:02,600\nI do not know what this is.\n\n"
        "2\n00:00:03,200 --> 00:00:09,950\nWe have seen the puzzle and both of them.\n",
        "utf-8",
    )
    dubbed = place.dub("talking-head-noisy.mp4", "noisy.mp4", subtitles=str(srt))
    assert_sound(dubbed)
    assert packets(dubbed.output) == packets(source)
    was, now = probe(source), probe(dubbed.output)
    assert abs(now.duration - was.duration) <= 34
    assert abs((now.video[0].duration or 0) - (was.video[0].duration or 0)) <= 34
    assert abs((now.audio[0].duration or 0) - now.duration) <= 100
    assert now.audio[0].channels == 2
    assert (digest(source), source.stat().st_mtime_ns) == before


def test_two_speakers_of_a_sound_file(place: Place, record_property: Any) -> None:
    """Sound in, sound out; two women are told apart well enough, and each gets a voice of her own."""
    dubbed = place.dub("two-speakers.wav", "two.wav", speakers=2, engines={"transcriber": "sphinx"})
    assert_sound(dubbed)
    info = probe(dubbed.output)
    assert (info.video, len(info.audio), info.duration) == ((), 1, 30_000)
    lines = dubbed.receipt.lines
    assert len({line.voice for line in lines}) == len({line.speaker for line in lines}) == 2
    truth = read_rttm((place.media / "two-speakers.rttm").read_text("utf-8"))
    found = [Turn(line.source_ms, line.speaker) for line in lines]
    for collar in (0, 250):
        result = score(truth, found, programme=30_000, collar=collar)
        assert result.error_rate is not None
        record_property(f"der_collar_{collar}", round(result.error_rate, 4))
        print(f"diarization error, collar {collar} ms: {100 * result.error_rate:.1f} %")
    assert score(truth, found, programme=30_000).error_rate <= 0.35  # type: ignore[operator]


def test_editing_one_line_makes_one_synthesis(place: Place) -> None:
    """One text changed in the project is one synthesis, its trim and one render; no other line moves."""
    first = place.office("edited.mp4")
    before = {line.id: (line.clip_ms, line.spoken) for line in first.receipt.lines}
    data = json.loads(first.project.read_text("utf-8"))
    data["lines"][1]["text"] = "Vivo en Barcelona."
    first.project.write_text(json.dumps(data), "utf-8")
    second = place.office("edited.mp4")
    assert place.made() == {"synthesize": 1, "trim": 1, "produce": 1}
    assert_sound(second)
    after = {line.id: (line.clip_ms, line.spoken) for line in second.receipt.lines}
    assert after.pop("L0002")[1] == "Vivo en Barcelona."
    del before["L0002"]
    assert after == before
    assert place.office("edited.mp4").reused
    assert place.made() == {}


def test_killed_dubs_go_on_where_they_were(
    shared_media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at three random instants, each resumed dub ends in the same bytes and makes no answer twice."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(ROOT)
    from benchmarks import kill

    source = shared_media / "talking-head-office.mp4"
    whole, wanted = kill.uninterrupted(source, tmp_path)
    assert set(wanted) == {"dub.mp4", "dub.srt", "dub.vtt"}
    instants = random.Random(20)
    killed: list[dict[str, Any]] = []
    while len(killed) < 3:
        trial = kill.trial(source, tmp_path, after=instants.uniform(0.1, 0.95) * whole, wanted=wanted)
        assert trial["finished"], trial["error"]
        assert trial["identical"]
        assert (trial["again"], trial["torn"]) == (0, 0)
        if trial["killed"]:
            killed.append(trial)
        else:  # over before its instant came: a dub takes less than the first one took
            whole = min(whole, trial["after_s"])
            assert whole > 0.2, "no dub runs for long enough to be killed"
    assert any(trial["kept"] for trial in killed)
