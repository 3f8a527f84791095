"""The fakes do what their scripts say, exactly and repeatably."""

import threading

import numpy as np
import pytest

from autodub.gateway.cancel import Cancel
from autodub.gateway.work import CallWork
from autodub.model.calls import (
    Clone,
    Detect,
    Diarize,
    ListVoices,
    Separate,
    Synthesize,
    Transcribe,
    Translate,
)
from autodub.model.errors import Busy, Cancelled, EngineCannot, Gone
from autodub.model.media import Blob
from autodub.model.speech import Line, Voice
from autodub.model.time import Span
from autodub.testing import fakes
from autodub.testing.script import Give, Hang, Proceed, Script
from autodub.testing.studio import Studio, bursts, voiced


@pytest.fixture
def studio():
    """A studio of the test's own."""
    with Studio() as studio:
        yield studio


def _work(studio, cancel=None):
    return CallWork(
        studio.store.blobs,
        cancel=cancel or Cancel(),
        listener=studio.events.append,
        stage="speak",
        clock=lambda: 0.0,
    )


def test_speech_is_exactly_as_long_as_scripted(studio):
    """Scripted seconds at rate 1, divided by rate and pace, to the sample."""
    voice = Voice("fake", "v", "es", pace=1.25)
    engine = fakes.FakeSynthesizer(durations={"hola": 2.0})
    for rate in (0.8, 1.0, 1.3):
        audio = studio.call(engine, "synthesize", Synthesize("hola", voice, rate)).audio
        assert audio.frames == round(2.0 / (rate * 1.25) * 22_050)
    assert np.abs(studio.samples(audio)).max() > 0.05


def test_speech_has_the_pitch_of_its_voice(studio):
    """The strongest component of a voice at 200 Hz is at 200 Hz."""
    voice = Voice("fake", "v", "es", pitch=200.0)
    audio = studio.call(fakes.FakeSynthesizer(), "synthesize", Synthesize("a" * 40, voice)).audio
    spectrum = np.abs(np.fft.rfft(studio.samples(audio)[:, 0]))
    assert np.argmax(spectrum) * audio.rate / audio.frames == pytest.approx(200.0, abs=6.0)


def test_a_translator_offers_several_lengths(studio):
    """Natural first, then a shorter and a longer wording, each with its loss."""
    lines = (
        Line("L1", Span(0, 900), "The quick brown foxes jumped", "S1"),
        Line("L2", Span(1000, 1100), "!", "S1"),
    )
    one, two = studio.call(fakes.FakeTranslator(), "translate", Translate(lines, "en", "es")).lines
    natural, shorter, longer = one.wordings
    assert len(shorter.text) < len(natural.text) < len(longer.text)
    assert (natural.loss, shorter.loss, longer.loss) == (0.0, 0.2, 0.1)
    assert "quick" not in natural.text
    assert two.wordings[0].text.strip()
    single = fakes.FakeTranslator(fakes.FakeTranslator.Options(wordings=1))
    assert len(studio.call(single, "translate", Translate(lines, "en", "es")).lines[0].wordings) == 1
    with pytest.raises(EngineCannot):
        single.route("es", "es")


def test_a_transcript_covers_the_spans(studio):
    """One segment per span, words inside it, the language as asked."""
    speech = studio.audio(bursts((Span(0, 1000),), length=4000), 16_000)
    spans = (Span(0, 1000), Span(2000, 2100))
    found = studio.call(fakes.FakeTranscriber(), "transcribe", Transcribe(speech, "fr", spans))
    assert found.language == "fr"
    assert [segment.span for segment in found.segments] == list(spans)
    assert [word.span.end for word in found.segments[0].words][-1] == 1000


def test_speakers_take_turns_as_told(studio):
    """As many speakers as the request says; one when it does not."""
    speech = studio.audio(bursts((), length=4000), 16_000)
    spans = tuple(Span(k * 1000, k * 1000 + 500) for k in range(4))
    engine = fakes.FakeDiarizer()
    assert {t.speaker for t in studio.call(engine, "diarize", Diarize(speech, spans)).turns} == {"S1"}
    two = studio.call(engine, "diarize", Diarize(speech, spans, speakers=2)).turns
    assert [turn.speaker for turn in two] == ["S1", "S2", "S1", "S2"]


def test_the_separator_hushes_spans_only(studio):
    """Silence inside the spans, the same samples outside, across block edges and channels."""
    mix = voiced(200_000, rate=44_100, pitch=100)[:, None].repeat(2, axis=1)
    audio = studio.audio(mix, 44_100, layout="stereo", subtype="FLOAT")
    bed = studio.call(fakes.FakeSeparator(), "separate", Separate(audio, (Span(1000, 2000),))).background
    out = studio.samples(bed)
    assert np.all(out[44_100:88_200] == 0)
    assert np.array_equal(out[:44_100], mix[:44_100])
    assert np.array_equal(out[88_200:], mix[88_200:])
    assert (bed.rate, bed.channels, bed.layout) == (44_100, 2, "stereo")


def test_detector_and_cloner(studio):
    """Speech in four of five seconds; a cloned voice carries its sample and an id of its own."""
    speech = studio.audio(bursts((), length=7000), 16_000)
    spans = studio.call(fakes.FakeDetector(), "detect", Detect(speech)).spans
    assert spans == (Span(500, 4500), Span(5500, 7000))
    base = studio.call(fakes.FakeSynthesizer(), "list_voices", ListVoices("es")).voices[0]
    voice = studio.call(fakes.FakeCloner(), "clone", Clone(base, speech, spans, "S1"))
    assert voice.reference == speech
    assert voice.id != base.id


def test_a_script_plays_its_steps_in_order(studio):
    """Failure, crash, given answer, then normal; every request is on record."""
    script = Script([Busy("later"), KeyError("bug"), Give("nonsense"), Proceed()])
    engine = fakes.FakeSynthesizer(script=script)
    request = Synthesize("hola", Voice("fake", "v", "es"))
    with pytest.raises(Busy):
        engine.synthesize(request, _work(studio))
    with pytest.raises(KeyError):
        engine.synthesize(request, _work(studio))
    assert engine.synthesize(request, _work(studio)) == "nonsense"
    assert engine.synthesize(request, _work(studio)).audio.frames > 0
    assert engine.synthesize(request, _work(studio)).audio.frames > 0
    assert script.requests == [request] * 5


def test_a_hang_lasts_until_released(studio):
    """A hanging call is deaf to a request to stop and goes on when released."""
    script = Script([Hang()])
    engine, cancel = fakes.FakeDetector(script=script), Cancel()
    speech = studio.audio(bursts((), length=1000), 16_000)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(engine.detect(Detect(speech), _work(studio, cancel)))
    )
    thread.start()
    cancel.request()
    thread.join(0.1)
    assert thread.is_alive()
    script.release()
    thread.join(5)
    assert len(found) == 1


def test_a_delay_hears_a_request_to_stop(studio):
    """A slow fake stops when asked."""
    cancel = Cancel()
    cancel.request()
    with pytest.raises(Cancelled):
        fakes.FakeDetector(script=Script(delay=60.0)).detect(None, _work(studio, cancel))


def test_work_tells_of_vanished_files_and_measures(studio):
    """A blob nobody has is Gone; units add up; progress is clipped and not told too often."""
    work = _work(studio)
    with pytest.raises(Gone):
        work.path(Blob("0" * 64, 1, ".wav"))
    work.meter("characters", 2)
    work.meter("characters", 3)
    assert work.usage == (("characters", 5.0),)
    for step in range(100):
        work.progress(step / 100)
    work.progress(1.7, "done")
    assert [event.fraction for event in studio.events] == [0.0, 1.0]
    assert studio.events[-1].message == "done"
    folder = work.scratch
    assert folder.is_dir()
    assert work.scratch == folder
    work.close()
    assert not folder.exists()


def test_abandoned_work_is_refused(studio):
    """After it was given up, an attempt can neither keep files nor report."""
    work = _work(studio)
    path = work.scratch / "late.wav"
    path.write_bytes(b"x")
    work.abandon()
    for late in (lambda: work.keep(path), lambda: work.progress(0.5), work.check, lambda: work.scratch):
        with pytest.raises(Cancelled, match="given up"):
            late()
    work.close()
