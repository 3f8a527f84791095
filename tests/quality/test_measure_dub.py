"""Measuring finished files: a small programme is rendered, encoded, decoded and judged for real."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from autodub.media import sound
from autodub.media.render import render
from autodub.media.rendered import Rendered
from autodub.media.survey import survey
from autodub.media.voice_activity import detect
from autodub.model.errors import Cancelled, UnsupportedSource
from autodub.model.media import Audio, Blob, Clip, Placement, Timeline
from autodub.model.speech import Line, Segment, Transcript
from autodub.model.time import Span
from autodub.quality.facts import DubFacts, LineFact
from autodub.quality.measure import SourceSound, measure
from autodub.quality.receipt import Receipt
from autodub.quality.rendering import sound_fact, with_levels

RATE = 48_000
SECONDS = 22
SAID = (
    (2.0, "The sea was calm and quiet all morning long.", "El mar estuvo tranquilo toda la mañana."),
    (8.0, "Nobody knew where the old captain had gone to.", "Nadie sabía adónde había ido el viejo capitán."),
    (14.0, "We waited for him until the sun went down.", "Lo esperamos hasta que el sol se puso."),
)  # fmt: skip


def speak(text: str, voice: str, path: Path) -> np.ndarray:
    """Espeak's rendering of a text at 48 kHz with 30 ms of silence around it, at a speaking level."""
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", path, text], check=True)
    samples, rate = sound.load(path)
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.01)
    trimmed = np.pad(samples[loud[0] : loud[-1], 0], rate // 33)
    out = sound.resample(trimmed, rate, RATE)
    return (out * (0.1 / np.sqrt(np.mean(out**2)))).astype(np.float32)


@dataclass(frozen=True)
class Made:
    """Everything a pipeline would know about the small dub."""

    source: Path
    mix: Path
    background: Path
    speech: Path
    out: Path
    bed: Path
    dub: Path
    facts: DubFacts
    rendered: Rendered


def encode(wav: Path, out: Path, *codec: str, picture: bool = True) -> Path:
    """A finished file of a sound and, where wanted, a generated picture."""
    seconds = str(SECONDS)
    video = ["-f", "lavfi", "-t", seconds, "-i", "testsrc=size=160x90:rate=25", "-c:v", "mpeg4"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-i", wav, *video[: len(video) * picture], *codec, out], check=True
    )
    return out


def narrowed(wav: Path, out: Path) -> Path:
    """16 kHz mono of a sound file."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", wav, "-ac", "1", "-ar", "16000", out], check=True)
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A dub of three lines over music, rendered by the real renderer and encoded as AAC in MP4."""
    place = tmp_path_factory.mktemp("dub")
    at = np.arange(SECONDS * RATE) / RATE
    rng = np.random.default_rng(3)
    music = 0.02 * sum(np.sin(2 * np.pi * f * at + p) for f, p in ((220, 0), (277.2, 1), (329.6, 2)))
    music = music * (1 + 0.3 * np.sin(2 * np.pi * 0.4 * at)) + rng.normal(0, 0.0015, len(at))
    ground = np.stack([music, 0.8 * music], axis=1).astype(np.float32)
    mix = ground.copy()
    placements, lines, facts, clips = [], [], [], {}
    for number, (start, english, spanish) in enumerate(SAID):
        first = round(start * RATE)
        voice = speak(english, "en-us", place / "en.wav")
        mix[first : first + len(voice)] += voice[:, np.newaxis]
        clip = speak(spanish, "es", place / "es.wav")
        path = place / f"clip{number}.wav"
        sound.store(clip, RATE, path)
        blob = Blob(f"{number}", path.stat().st_size, ".wav")
        clips[blob.digest] = path
        name, span = f"L{number + 1:04}", Span(round(start * 1000), round(start * 1000 + len(voice) / 48))
        audio = Audio(blob, RATE, 1, len(clip))
        placements.append(Placement(name, first, len(clip), Clip(audio, 1.0)))
        lines.append(Line(name, span, english, "A"))
        facts.append(
            LineFact(
                name, "A", span, english, spanish, voice="espeak:es", rate_hz=RATE, planned_start=first,
                placed_start=first, frames=len(clip), syllables=15.0 + number, source_syllables=13.0 + number,
                clip_seconds=len(clip) / RATE, predicted_seconds=len(clip) / RATE * 1.05,
            )
        )  # fmt: skip
    paths = {key: place / f"{key}.wav" for key in ("mix", "background", "speech", "out", "bed")}
    sound.store(mix, RATE, paths["mix"])
    sound.store(ground, RATE, paths["background"])
    narrowed(paths["mix"], paths["speech"])
    speech = detect(paths["speech"])
    known = {"mix": paths["mix"], "background": paths["background"], "spans": speech, "keep": ()}
    rendered = render(
        **known, source=survey(**known, layout="stereo"),
        timeline=Timeline(RATE, len(mix), tuple(placements)), clip_path=lambda blob: clips[blob.digest],
        out=paths["out"], bed16=paths["bed"], target_lufs=None, layout="stereo", bed_is_estimate=False,
        lines=lines,
    )  # fmt: skip
    return Made(
        source=encode(paths["mix"], place / "source.mp4", "-c:a", "aac", "-b:a", "192k"),
        mix=paths["mix"],
        background=paths["background"],
        speech=paths["speech"],
        out=paths["out"],
        bed=paths["bed"],
        dub=encode(paths["out"], place / "dub <b>.mp4", "-c:a", "aac", "-b:a", "192k"),
        facts=DubFacts(
            "en", "es", RATE, len(mix), with_levels(facts, rendered), speech, sound=sound_fact(rendered),
            picture_copied=True,
        ),
        rendered=rendered,
    )  # fmt: skip


@pytest.fixture(scope="module")
def receipt(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Receipt:
    """The receipt of that dub."""
    scratch = tmp_path_factory.mktemp("scratch")
    known = SourceSound(made.mix, made.speech, "stereo")
    got = measure(made.dub, made.source, facts=made.facts, bed=made.bed, sound=known, scratch=scratch)
    assert list(scratch.iterdir()) == []
    return got


def test_onsets_are_found_where_they_were_placed(receipt: Receipt) -> None:
    """Speech detected in the encoded file starts where the plan put it."""
    assert receipt.metric("R1.onset.p95").count == 3
    assert receipt.value("R1.onset.p50") <= 40
    assert receipt.value("R1.onset.p95") <= 120
    assert receipt.value("T8.samples") == 0


def test_every_line_is_heard(receipt: Receipt) -> None:
    """All lines are accounted for and nothing is violated."""
    assert (receipt.line_count.total, receipt.line_count.heard) == (3, 3)
    assert receipt.violations == ()
    assert receipt.value("T1.file") > 0.7


def test_background_is_found_in_the_file(receipt: Receipt) -> None:
    """The encoded file holds the background in step, and the codec's residue is far below it."""
    assert receipt.method.delay_samples == 0
    assert receipt.method.residue_db < -20


def test_null_tests(receipt: Receipt) -> None:
    """Before encoding the output is the source bit for bit outside speech; the codec adds what it adds."""
    assert receipt.value("B1") == -200
    assert -80 < receipt.value("B1d") < -15


def test_programme_loudness_is_kept(receipt: Receipt, made: Made) -> None:
    """The decoded file is as loud as the renderer says, and as the source."""
    assert receipt.value("M5.output") == pytest.approx(made.rendered.output_lufs, abs=0.2)
    assert receipt.value("M5.loudness") <= 0.5
    assert receipt.value("M5.clipped") == 0


def test_line_levels_agree_with_the_renderer(receipt: Receipt) -> None:
    """The level of a line in the finished file is what the renderer meant, and near the source's."""
    assert receipt.value("M1") < 2
    assert all(row.dub_lufs is not None for row in receipt.lines)


def test_perfect_separation_leaves_no_voice(receipt: Receipt) -> None:
    """With the true background, little of the voice is found in it."""
    assert receipt.value("B2") < -15


def test_lengths_are_equal(receipt: Receipt) -> None:
    """Output and source are as long as each other."""
    assert receipt.value("D1.frames") <= 1
    assert receipt.durations.sound_equal


def test_receipt_is_json(receipt: Receipt) -> None:
    """The receipt is valid JSON without infinities, spans as pairs, every metric defined in words."""
    data = json.loads(receipt.to_json())
    assert data["format"] == "autodub.receipt/1"
    assert data["curves"]["dub_speech_ms"][0][0] >= 1900
    assert all(metric["definition"] for metric in data["metrics"])
    assert set(data["undefined"]) == {m["id"] for m in data["metrics"] if m["value"] is None}


def test_shifted_dub_is_caught(made: Made, tmp_path: Path) -> None:
    """A file whose dub comes 200 ms late is reported as such, however the plan reads."""
    late = tuple(
        replace(f, placed_start=f.placed_start - 9600, planned_start=f.planned_start - 9600)
        for f in made.facts.lines
    )
    got = measure(
        made.dub, made.source, facts=replace(made.facts, lines=late), bed=made.bed,
        sound=SourceSound(made.mix, made.speech, "stereo"), scratch=tmp_path,
    )  # fmt: skip
    assert 160 <= got.value("R1.onset.p50") <= 260


def test_muted_line_is_caught(made: Made, tmp_path: Path) -> None:
    """A line that is not in the finished file is a violation, named with its line."""
    samples, rate = sound.load(made.out)
    ground, _ = sound.load(made.background)
    samples[7 * rate : 13 * rate] = ground[7 * rate : 13 * rate]
    sound.store(samples, rate, tmp_path / "muted.wav")
    got = measure(
        tmp_path / "muted.wav", made.source, facts=made.facts, bed=made.bed,
        sound=SourceSound(made.mix, made.speech, "stereo"), scratch=tmp_path,
    )  # fmt: skip
    assert [(v.kind, v.line) for v in got.violations] == [("silent", "L0002")]
    assert got.verdict == "below"
    assert got.flagged[0].line == "L0002"


def test_wrong_background_is_not_used(made: Made, tmp_path: Path) -> None:
    """A background of another programme is refused with a note, and the whole file is listened to."""
    rng = np.random.default_rng(0)
    sound.store(rng.normal(0, 0.05, SECONDS * 16_000), 16_000, tmp_path / "bed.wav", subtype="PCM_16")
    got = measure(
        made.dub, made.source, facts=made.facts, bed=tmp_path / "bed.wav",
        sound=SourceSound(made.mix, made.speech, "stereo"), scratch=tmp_path,
    )  # fmt: skip
    assert got.method.stem.startswith("the whole sound")
    assert got.value("M3.least") is None


def test_stranger_measures_from_two_files(made: Made, tmp_path: Path) -> None:
    """Without any record there are figures for the file, and reasons for those that need lines."""
    got = measure(made.dub, made.source, scratch=tmp_path)
    assert got.value("T1.file") > 0.6
    assert got.value("M5.loudness") < 0.6
    assert got.metric("T8.slope").reason.startswith("drift takes 8 lines")
    assert got.metric("T18").reason == "it takes a transcript of the source"
    assert got.summary.endswith("lines were not looked at.")
    assert got.line_count.total == 0


def test_stranger_has_no_rows_of_a_record(made: Made, tmp_path: Path) -> None:
    """What only the renderer or the planner could know is no row of a stranger's receipt."""
    got = measure(made.dub, made.source, scratch=tmp_path)
    ids = {metric.id for metric in got.metrics}
    assert not ids & {"T9.natural", "T8.samples", "T18.cut", "R1.onset.p95", "B1", "M5.clipped", "V1"}
    assert {"T1.file", "T6.onset.p95", "T18", "B1d", "M5.loudness"} <= ids


def test_stranger_measures_lines_of_a_transcript(made: Made, tmp_path: Path) -> None:
    """A transcript of the source gives onset errors per line."""
    segments = tuple(Segment(fact.source, fact.text) for fact in made.facts.lines)
    got = measure(made.dub, made.source, transcript=Transcript("en", segments), scratch=tmp_path)
    assert got.line_count.heard == 3
    assert got.value("T6.onset.p95") < 300
    assert got.value("T18.silent") == 0
    assert got.value("L1") == got.value("L2") == 1


def test_silent_track_is_no_dub(made: Made, tmp_path: Path) -> None:
    """A dub without a sound speaks no line, and its receipt says that nothing was dubbed."""
    sound.store(np.zeros((SECONDS * RATE, 2), dtype=np.float32), RATE, tmp_path / "dub.wav")
    segments = tuple(Segment(fact.source, fact.text) for fact in made.facts.lines)
    got = measure(tmp_path / "dub.wav", made.source, transcript=Transcript("en", segments), scratch=tmp_path)
    assert (got.line_count.spoken, got.line_count.left_out, got.line_count.heard) == (0, 3, 0)
    assert got.value("L1") == 0
    assert [violation.kind for violation in got.violations] == ["silent"] * 3
    assert got.verdict == "nothing"
    assert got.summary.startswith("Nothing was dubbed: no speech is heard in the file")


def test_dub_that_keeps_every_line_is_not_praised(made: Made, tmp_path: Path) -> None:
    """The verdict does not get better by speaking nothing."""
    facts = replace(
        made.facts,
        lines=tuple(
            replace(fact, status="kept original", reason="it could not be spoken", frames=0)
            for fact in made.facts.lines
        ),
    )
    known = SourceSound(made.mix, made.speech, "stereo")
    got = measure(made.source, made.source, facts=facts, sound=known, scratch=tmp_path)
    assert (got.verdict, got.summary) == ("nothing", "Nothing was dubbed: all 3 lines keep the original.")
    assert got.value("L1") == got.value("L2") == 0


def test_silence_has_nothing_to_dub(tmp_path: Path) -> None:
    """A source nobody speaks in is not praised for its dub either."""
    sound.store(np.zeros((3 * RATE, 1), dtype=np.float32), RATE, tmp_path / "quiet.wav")
    quiet = tmp_path / "quiet.wav"
    got = measure(quiet, quiet, facts=DubFacts("und", "es", RATE, 3 * RATE), scratch=tmp_path)
    assert (got.verdict, got.summary) == (
        "nothing",
        "Nothing was dubbed: no speech was found in the source.",
    )


def test_padding_of_an_encoder_is_no_failure(made: Made, tmp_path: Path) -> None:
    """MP3 and AAC pad their last frame; without a picture up to 50 ms are let pass, and no more."""
    dub = encode(made.out, tmp_path / "dub.mp3", "-b:a", "192k", picture=False)
    source = encode(made.mix, tmp_path / "source.wav", picture=False)
    got = measure(dub, source, scratch=tmp_path)
    assert 0 < got.value("D1.sound") <= 50
    assert got.metric("D1.sound").standing == "lead"
    assert got.metric("D1.frames") is None
    samples, rate = sound.load(made.out)
    sound.store(samples[: -rate // 10], rate, tmp_path / "short.wav")
    assert measure(tmp_path / "short.wav", source, scratch=tmp_path).metric("D1.sound").standing == "below"


def test_priming_of_matroska_is_no_lateness(made: Made, tmp_path: Path) -> None:
    """Matroska starts the picture later instead of cutting the codec's priming; times are the picture's."""
    dub = encode(made.out, tmp_path / "dub.mkv", "-c:a", "aac", "-b:a", "128k")
    got = measure(
        dub, made.source, facts=made.facts, bed=made.bed,
        sound=SourceSound(made.mix, made.speech, "stereo"), scratch=tmp_path,
    )  # fmt: skip
    assert got.value("R1.onset.p95") <= 40
    assert abs(got.method.delay_samples) <= 16
    assert got.value("B1d") < -20


def test_source_against_itself_is_perfect(made: Made, tmp_path: Path) -> None:
    """A file measured against itself overlaps fully, is as loud, and nulls."""
    got = measure(made.source, made.source, scratch=tmp_path)
    assert got.value("T1.file") == 1
    assert got.value("B1d") == -200
    assert got.value("M5.loudness") == 0
    assert (got.verdict, got.summary) == ("nothing", "The sound is the source's own: nothing was dubbed.")


def test_source_against_itself_keeps_time(made: Made, tmp_path: Path) -> None:
    """Cues a little off the speech do not make a file late against itself."""
    off = (-250, 180, 90)
    segments = tuple(
        Segment(Span(fact.source.start + by, fact.source.end + by), fact.text)
        for fact, by in zip(made.facts.lines, off, strict=True)
    )
    got = measure(made.source, made.source, transcript=Transcript("en", segments), scratch=tmp_path)
    assert [row.onset_error_ms for row in got.lines] == [0, 0, 0]
    assert [row.end_error_ms for row in got.lines] == [0, 0, 0]
    assert got.value("L1") == 0  # all heard, and none of it dubbed


def test_encoded_again_is_still_the_source(made: Made, tmp_path: Path) -> None:
    """Another codec and another level do not make a dub of the source's own sound."""
    copy = encode(made.mix, tmp_path / "copy.mp4", "-af", "volume=0.5", "-c:a", "aac", "-b:a", "64k")
    got = measure(copy, made.source, scratch=tmp_path)
    assert got.summary == "The sound is the source's own: nothing was dubbed."
    assert measure(made.dub, made.source, scratch=tmp_path).verdict != "nothing"


def test_text_is_no_dub(made: Made, tmp_path: Path) -> None:
    """A file that is not media is refused in a sentence."""
    (tmp_path / "dub.mp4").write_text("hello")
    with pytest.raises(UnsupportedSource):
        measure(tmp_path / "dub.mp4", made.source, scratch=tmp_path)


def test_measuring_can_be_cancelled(made: Made, tmp_path: Path) -> None:
    """Asking to stop stops, and leaves nothing behind."""

    def stop() -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        measure(made.dub, made.source, facts=made.facts, bed=made.bed, scratch=tmp_path, check=stop)
    assert list(tmp_path.iterdir()) == []
