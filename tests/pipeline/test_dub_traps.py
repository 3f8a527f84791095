"""What dubbing programs get wrong, tried on whole dubs: times, lengths, edits, caches, speakers, secrets."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from autodub.infra import settings
from autodub.media import sound
from autodub.media.probe import probe
from autodub.model.calls import Spans
from autodub.model.errors import Refused, Rejected
from autodub.model.request import DubRequest
from autodub.model.speech import (
    Segment,
    Speech,
    Transcript,
    Translation,
    Translations,
    Turn,
    Turns,
    Word,
    Wording,
)
from autodub.model.time import Span
from autodub.pipeline.dub import dub
from autodub.testing.script import Give, Proceed, Script
from autodub.testing.studio import voiced

Count = Callable[[], dict[str, int]]
Samples = npt.NDArray[np.float32]
SENTENCES = (
    "Every morning the keeper walked down to the harbour.",
    "Nobody had ever seen the old boats leave so early.",
    "His sister used to wait for him beside the lantern.",
    "Both of them knew how quickly the weather can turn.",
)


class Speaks(Script):
    """Has the synthesizer speak for as many seconds, and at the pitch, that ``how`` says of a text."""

    def __init__(self, how: Callable[[str], tuple[float, float]], *, rate: int = 24_000) -> None:
        super().__init__()
        self._how, self._rate = how, rate

    def play(self, request: Any, work: Any) -> Give | Proceed:
        super().play(request, work)
        seconds, pitch = self._how(request.text)
        samples = voiced(round(seconds / request.rate * self._rate), rate=self._rate, pitch=pitch)
        sound.store(samples, self._rate, work.scratch / "speech.wav")
        blob = work.keep(work.scratch / "speech.wav")
        return Give(Speech(sound.audio(blob, work.path(blob), "mono")))


class Translates(Script):
    """Has the translator say ``other(line)`` for the lines it is not None for, the first so many times."""

    def __init__(self, other: Callable[[Any], str | None], *, times: int = 99) -> None:
        super().__init__()
        self._other, self._times = other, times

    def play(self, request: Any, work: Any) -> Give | Proceed:
        super().play(request, work)
        if self._times <= 0 or not any(self._other(line) is not None for line in request.lines):
            return Proceed()
        self._times -= 1
        said = [(line.id, self._other(line)) for line in request.lines]
        return Give(
            Translations(
                tuple(
                    Translation(name, (Wording(f"Una frase distinta {name}." if text is None else text),))
                    for name, text in said
                )
            )
        )


def film_of(
    path: Path, spans: Sequence[Span], *, seconds: int, rate: int = 24_000, channels: int = 1, outro: int = 0
) -> Path:
    """A film with a 180-Hz voice inside the spans, silence elsewhere, and ``outro`` seconds of music last."""
    clock = np.arange(seconds * rate) / rate
    samples = np.zeros(seconds * rate, np.float32)
    for span in spans:
        at = slice(span.start * rate // 1000, span.end * rate // 1000)
        samples[at] = 0.1 * np.sin(2 * np.pi * 180 * clock[at])
    if outro:
        samples[-outro * rate :] = 0.05 * np.sin(2 * np.pi * 700 * clock[-outro * rate :])
    sound.store(np.repeat(samples[:, None], channels, axis=1), rate, path.with_suffix(".wav"))
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=64x48:rate=10:duration={seconds}",
            "-i", str(path.with_suffix(".wav")), "-c:v", "mpeg4", "-c:a", "aac", "-b:a", "128k", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


def listen(path: Path, *, rate: int = 16_000) -> Samples:
    """What another program hears in a file, as one channel."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:0", "-ac", "1", "-ar", str(rate)]
    raw = subprocess.run([*command, "-f", "f32le", "-"], check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.float32)


def packets(path: Path) -> str:
    """Fingerprint of the picture's packets."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-c", "copy", "-f", "streamhash", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pitch_in(samples: Samples, span: Span, *, rate: int = 16_000) -> float:
    """The strongest frequency between 90 and 700 Hz in the middle of a span."""
    edge = span.duration // 5
    part = samples[(span.start + edge) * rate // 1000 : (span.end - edge) * rate // 1000]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * rate))
    low, high = 90 * 8, 700 * 8
    return float(low + np.argmax(spectrum[low:high])) / 8


def share_of(pitch: float, samples: Samples, span: Span, *, rate: int = 16_000) -> float:
    """How much of a span's power lies within 5 Hz of a frequency."""
    part = samples[span.start * rate // 1000 : span.end * rate // 1000]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(part), 1 / rate) - pitch) <= 5
    return float(power[near].sum() / power.sum())


def said(spans: Sequence[Span]) -> Transcript:
    """One sentence per span."""
    return Transcript("en", tuple(Segment(s, t) for s, t in zip(spans, SENTENCES, strict=False)))


def told(stage: Any, spans: Sequence[Span]) -> None:
    """Have detector and transcriber find one sentence in each span."""
    stage.scripts["detector"] = Script([Give(Spans(tuple(spans)))])
    stage.scripts["transcriber"] = Script([Give(said(spans))])


def digest(path: Path) -> str:
    """Identity of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def edit(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the lines of a project file as a person would."""
    data = json.loads(path.read_text("utf-8"))
    change(data["lines"])
    path.write_text(json.dumps(data), "utf-8")


@pytest.mark.parametrize(
    ("rate", "channels", "voice_rate"),
    [(16_000, 1, 44_100), (22_050, 2, 16_000), (24_000, 1, 22_050), (44_100, 2, 48_000), (48_000, 1, 24_000)],
)
def test_lines_sound_where_they_should_at_any_rate(
    stage: Any, tmp_path: Path, rate: int, channels: int, voice_rate: int
) -> None:
    """Clips as long as their lines at 5, 10, 15 and 20 s are heard there within 20 ms in the decoded file."""
    spans = [Span(start, start + 3000) for start in (5000, 10_000, 15_000, 20_000)]
    stage.film = film_of(tmp_path / "known.mp4", spans, seconds=25, rate=rate, channels=channels)
    told(stage, spans)
    stage.scripts["synthesizer"] = Speaks(lambda _text: (3.0, 150.0), rate=voice_rate)
    dubbed = stage.dub()
    assert probe(dubbed.output).audio[0].rate == rate
    heard = np.abs(listen(dubbed.output))
    for span in spans:
        part = heard[(span.start - 1000) * 16 : (span.end + 1000) * 16]
        loud = np.flatnonzero(part > 0.1 * part.max())
        assert abs(loud[0] / 16 - 1000) <= 20
        assert abs(loud[-1] / 16 - 4000) <= 20


def test_the_end_of_a_film_is_not_cut(stage: Any, tmp_path: Path) -> None:
    """A 30-s film whose speech ends at 18 s stays 30 s, picture packet by packet, music to the end."""
    spans = [Span(start, start + 3000) for start in (5000, 10_000, 15_000)]
    stage.film = film_of(tmp_path / "outro.mp4", spans, seconds=30, outro=8)
    told(stage, spans)
    dubbed = stage.dub()
    assert abs(probe(dubbed.output).duration - probe(stage.film).duration) <= 100
    assert packets(dubbed.output) == packets(stage.film)
    before, after = listen(stage.film), listen(dubbed.output)
    assert abs(len(after) - len(before)) <= 1600
    for second in (23, 26, 28):
        at = slice(second * 16_000, (second + 1) * 16_000)
        assert np.std(after[at]) == pytest.approx(np.std(before[at]), rel=0.05)


def test_a_line_three_times_too_long_does_not_stop_the_dub(stage: Any, tmp_path: Path) -> None:
    """It is spoken as fast as may be, flagged in project and receipt, and every other line is spoken too."""
    spans = [Span(start, start + 3000) for start in (1000, 5000, 9000)]
    stage.film = film_of(tmp_path / "long.mp4", spans, seconds=14)
    told(stage, spans)
    stage.scripts["translator"] = Translates(lambda line: "La larga." if line.span.start == 5000 else None)
    stage.scripts["synthesizer"] = Speaks(lambda text: (9.0, 210.0) if text == "La larga." else (2.5, 150.0))
    dubbed = stage.dub()
    assert [line.status for line in dubbed.receipt.lines] == ["spoken"] * 3
    rows = json.loads(dubbed.project.read_text("utf-8"))["lines"]
    assert rows[1]["timing"]["flags"]
    assert "L0002" in {line.line for line in dubbed.receipt.flagged}
    heard = listen(dubbed.output)
    for line in dubbed.receipt.lines:
        wanted = 210 if line.id == "L0002" else 150
        assert share_of(wanted, heard, line.clip_ms) > 0.1, line.id


@pytest.mark.parametrize(
    "text",
    [
        "Error 429: too many requests",
        "Here are the translations: 1. Una frase.",
        "You are a professional translator. Translate the following lines.",
        '{"error": "quota exceeded"}',
        None,
    ],
)
def test_what_is_no_translation_is_never_spoken(stage: Any, text: str | None) -> None:
    """Errors, prompts, JSON and the untranslated source are listed with a reason, and reach no voice."""
    source = []

    def wrong(line: Any) -> str | None:
        if line.span.start != 5500:
            return None
        source.append(line.text)
        return text or line.text

    stage.scripts["translator"] = Translates(wrong)
    receipt = stage.dub().receipt
    (lost,) = [line for line in receipt.lines if line.status != "spoken"]
    assert (lost.id, lost.status) == ("L0002", "kept original")
    assert lost.reason
    asked = {request.text for request in stage.asked("synthesizer")}
    assert asked
    assert not asked & {text, source[0], "L0002"}


def test_words_of_a_failing_provider_are_never_spoken(stage: Any) -> None:
    """The message of a translator's refusal stands on the receipt and in no request to speak."""

    class Fails(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if any(line.span.start == 5500 for line in request.lines):
                raise Rejected("The provider found the text improper.", engine="translator.fake")
            return Proceed()

    stage.scripts["translator"] = Fails()
    (lost,) = [line for line in stage.dub().receipt.lines if line.status != "spoken"]
    assert "improper" in lost.reason
    assert not any("improper" in request.text for request in stage.asked("synthesizer"))


@pytest.mark.parametrize(("times", "kept"), [(1, []), (99, ["L0002"])])
def test_a_blank_translation_is_asked_for_again(stage: Any, times: int, kept: list[str]) -> None:
    """Blank once, the line is spoken after all; blank again and again, it keeps its sound and is listed."""
    stage.scripts["translator"] = Translates(
        lambda line: " \u200b " if line.span.start == 5500 else None, times=times
    )
    receipt = stage.dub().receipt
    assert [line.id for line in receipt.lines if line.status != "spoken"] == kept
    assert all(line.reason for line in receipt.lines if line.status != "spoken")
    assert len(stage.asked("translator")) > 1
    assert all(request.text.strip() for request in stage.asked("synthesizer"))


def test_one_text_of_two_speakers_is_spoken_twice(stage: Any, tmp_path: Path) -> None:
    """The same words of two speakers are two sounds, each in its own voice."""
    spans = [Span(start, start + 3000) for start in (1000, 6000)]
    stage.film = film_of(tmp_path / "echo.mp4", spans, seconds=11)
    stage.scripts["detector"] = Script([Give(Spans(tuple(spans)))])
    stage.scripts["transcriber"] = Script(
        [Give(Transcript("en", tuple(Segment(span, SENTENCES[0]) for span in spans)))]
    )
    dubbed = stage.dub(speakers=2)
    one, two = dubbed.receipt.lines
    assert one.spoken == two.spoken
    assert one.voice != two.voice
    heard = listen(dubbed.output)
    pitches = {"fake:fake-1": 210.0, "fake:fake-2": 120.0, "fake:fake-3": 185.0, "fake:fake-4": 100.0}
    for line in (one, two):
        assert line.clip_ms is not None
        assert abs(pitch_in(heard, line.clip_ms) - pitches[line.voice]) <= 3


def test_every_line_plays_its_own_sound_after_edits(stage: Any) -> None:
    """Lines taken out, joined, divided and changed: what is heard where is always what the line says."""
    pitches: dict[str, float] = {}
    lock = threading.Lock()

    def how(text: str) -> tuple[float, float]:
        with lock:
            return 0.05 * len(text), pitches.setdefault(text, 230.0 + 30 * len(pitches))

    def heard_as_written() -> list[str]:
        dubbed = stage.dub()
        heard = listen(dubbed.output)
        spoken = [line for line in dubbed.receipt.lines if line.status == "spoken"]
        for line in spoken:
            assert abs(pitch_in(heard, line.clip_ms) - pitches[line.spoken]) <= 3, line.id
            assert share_of(180, heard, line.source_ms) < 0.02, line.id
        return [line.spoken for line in spoken]

    def divide(lines: list[dict[str, Any]]) -> None:
        last = lines[-1]
        middle = (last["start_ms"] + last["end_ms"]) // 2
        new = {"id": "mine", "speaker": last["speaker"], "start_ms": middle, "end_ms": last["end_ms"]}
        lines.append(new | {"text": "La otra mitad."})
        last |= {"end_ms": middle - 100, "text": "Una mitad."}

    def join(lines: list[dict[str, Any]]) -> None:
        lines[1] |= {"end_ms": lines[2]["end_ms"], "text": "Las dos frases dichas de una sola vez."}
        del lines[2]

    stage.scripts["synthesizer"] = Speaks(how)
    project = stage.folder / "film.es.project.json"
    whole = heard_as_written()
    edit(project, lambda lines: lines[1].update(text="Un texto nuevo para esta."))
    assert heard_as_written() == [whole[0], "Un texto nuevo para esta.", *whole[2:]]
    edit(project, lambda lines: lines.pop(0))
    assert heard_as_written() == ["Un texto nuevo para esta.", *whole[2:]]
    edit(project, divide)
    assert heard_as_written()[-2:] == ["Una mitad.", "La otra mitad."]
    edit(project, join)
    assert heard_as_written()[1:] == ["Las dos frases dichas de una sola vez.", "La otra mitad."]


def test_a_line_spoken_again_keeps_its_voice(stage: Any) -> None:
    """An edited line is spoken in the very voice of the full run, sample of the speaker included."""
    first = stage.dub(match_voices=True)
    whole = {request.voice for request in stage.asked("synthesizer")}
    assert len(whole) == 1
    assert next(iter(whole)).reference is not None
    edit(first.project, lambda lines: lines[1].update(text="Otra cosa muy distinta."))
    count = len(stage.asked("synthesizer"))
    stage.dub(match_voices=True)
    (again,) = stage.asked("synthesizer")[count:]
    assert again.text == "Otra cosa muy distinta."
    assert again.voice in whole


def test_a_default_written_out_is_the_same_dub(stage: Any, counting: Count) -> None:
    """An option left out and the same option at its default are one identity: nothing is made again."""
    stage.dub()
    counting()
    again = stage.dub(
        options={"translator": {"wordings": "3"}, "synthesizer": {"rate": "22050"}}, match_voices=False
    )
    assert again.reused
    assert counting() == {}


def test_a_run_changes_nothing_it_reads(stage: Any, tmp_path: Path) -> None:
    """Source and subtitles keep content and time; a second run leaves the project file as it is."""
    srt = tmp_path / "film.srt"
    srt.write_text("1\n00:00:00,500 --> 00:00:04,500\nNobody was there any more.\n", "utf-8")
    before = [(path, digest(path), path.stat().st_mtime_ns) for path in (stage.film, srt)]
    stage.engines = {role: name for role, name in stage.engines.items() if role != "transcriber"}
    first = stage.dub(subtitles=str(srt))
    edit(first.project, lambda lines: lines[0].update(text="Ya no había nadie."))
    stage.dub(subtitles=str(srt))
    project = json.loads(first.project.read_text("utf-8"))
    assert project["lines"][0]["text"] == "Ya no había nadie."
    assert stage.dub(subtitles=str(srt)).reused
    assert json.loads(first.project.read_text("utf-8")) == project
    assert [(path, digest(path), path.stat().st_mtime_ns) for path, _, _ in before] == before


def test_overlapping_turns_give_each_word_once(stage: Any) -> None:
    """Where turns of two speakers overlap, no word is lost and none is spoken twice."""
    names = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(50)]
    words = tuple(Word(name, Span(500 + 300 * n, 800 + 300 * n), 0.9) for n, name in enumerate(names))
    segment = Segment(Span(500, 15_500), " ".join(names), words)
    stage.scripts["detector"] = Script([Give(Spans((Span(500, 15_500),)))])
    stage.scripts["transcriber"] = Script([Give(Transcript("en", (segment,)))])
    turns = Turns((Turn(Span(0, 9000), "A"), Turn(Span(6000, 12_000), "B"), Turn(Span(6500, 16_000), "A")))
    stage.scripts["diarizer"] = Script([Give(turns)])
    receipt = stage.dub(speakers=2).receipt
    assert sorted(" ".join(line.text for line in receipt.lines).split()) == sorted(names)
    assert len({line.speaker for line in receipt.lines}) == 2


def test_a_key_is_nowhere(stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A key that engines repeat in their messages is in no error, event, log, receipt or kept file."""
    key = "dg-0123456789abcdef-very-secret"
    words = f"401 for key {key}"

    class Chatty(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if request.text.startswith(tuple("EN")):
                raise Rejected(words, engine="synthesizer.fake", hint=words)
            return Proceed()

    def run() -> str:
        request = DubRequest(str(stage.film), "es", "en", engines=stage.engines,
                             output=str(stage.folder / "film.es.mp4"))  # fmt: skip
        loaded = settings.load(environ={"DEEPGRAM_API_KEY": key}, data_dir=stage.data)
        with stage.engines_registered():
            try:
                return dub(request, settings=loaded, listener=stage.events.append).receipt.to_json()
            except Refused as problem:
                return f"{problem!r} {problem} {problem.hint}"

    stage.scripts["synthesizer"] = Chatty()
    stage.scripts["translator"] = Script([Refused(words, hint=words)])
    texts = [run(), run(), *map(repr, stage.events), caplog.text]
    assert "401 for key ***" in texts[0]
    for text in texts:
        assert "very-secret" not in text
    for path in stage.folder.rglob("*"):
        assert not path.is_file() or b"very-secret" not in path.read_bytes(), path


def test_hostile_names_and_texts_are_only_data(
    stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File names and edited texts full of shell, Python and filter syntax are only names and texts."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    name = "-i; $(touch pwned) `touch pwned` '\"%{[x],\\\n__import__('os').mp4"
    (here / name).write_bytes(stage.film.read_bytes())
    stage.film = Path(name)
    first = stage.dub(output=None)
    text = "$(touch pwned); `touch pwned` <speak>{{7*7}}</speak> __import__('os').mkdir('pwned')"
    edit(first.project, lambda lines: lines[0].update(text=text))
    second = stage.dub(output=None)
    assert second.receipt.lines[0].spoken == text
    assert any("touch pwned" in request.text for request in stage.asked("synthesizer"))
    assert not list(tmp_path.rglob("pwned*"))
    stem = name.removesuffix(".mp4")
    assert {path.name for path in here.iterdir()} == {
        name,
        *(
            f"{stem}.es{e}"
            for e in (".mp4", ".srt", ".vtt", ".project.json", ".receipt.json", ".report.html")
        ),
    }
    assert "<speak>" not in second.report.read_text("utf-8")
