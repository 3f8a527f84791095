"""Where people speak: edges, short words, and what is not speech."""

from __future__ import annotations

import io
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.media import sound, voice_activity
from autodub.media.voice_activity import detect, detect_samples
from autodub.model.errors import Cancelled, MediaError

Samples = npt.NDArray[np.float32]
RATE = 16_000

SENTENCES = (
    "Yes.",
    "Where did you put the keys?",
    "No.",
    "She said the meeting starts at noon, but nobody came.",
    "Good morning.",
    "Five hundred people asked for the same thing.",
    "Stop!",
    "What happened next surprised everyone in the room.",
    "Thank you very much for watching this video.",
    "His name was Frank.",
)


def level(samples: Samples, window: int = 80) -> npt.NDArray[np.float64]:
    """Level in dB per window."""
    count = len(samples) // window
    return 10 * np.log10(
        np.mean(samples[: count * window].reshape(count, window).astype(float) ** 2, axis=1) + 1e-12
    )


def trimmed(samples: Samples) -> Samples:
    """Speech without the faint ends (38 dB under its level), at -25 dB."""
    db = level(samples)
    speech = 10 * np.log10(np.mean(10 ** (db[db > db.max() - 25] / 10)))
    loud = np.flatnonzero(db > speech - 38)
    clip: Samples = samples[loud[0] * 80 : (loud[-1] + 1) * 80] / np.float32(10 ** ((speech + 25) / 20))
    return clip


@pytest.fixture(scope="module")
def clips() -> list[Samples]:
    """Ten trimmed sentences by three voices."""
    out = []
    for at, text in enumerate(SENTENCES):
        command = ["espeak-ng", "-v", ("en", "en+f3")[at % 2], "--stdout", text]
        data = subprocess.run(command, capture_output=True, check=True).stdout
        samples, rate = sound_of(data)
        out.append(trimmed(sound.resample(samples, rate, RATE)))
    return out


def sound_of(data: bytes) -> tuple[Samples, int]:
    """Mono samples of WAV bytes as espeak-ng streams them (its header lies about the length)."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    return samples, rate


def programme(
    clips: list[Samples], *, noise: float = -120.0, seed: int = 0
) -> tuple[Samples, list[tuple[int, int]]]:
    """Clips at known times (ms) in white noise of ``noise`` dB."""
    rng = np.random.default_rng(seed)
    at, times, places = RATE, [], []
    for clip in clips:
        at += int(rng.uniform(0.4, 1.5) * RATE)
        places.append(at)
        times.append((at // 16, (at + len(clip)) // 16))
        at += len(clip)
    samples = (10 ** (noise / 20) * rng.standard_normal(at + RATE)).astype(np.float32)
    for place, clip in zip(places, clips, strict=True):
        samples[place : place + len(clip)] += clip
    return samples, times


def chords(seconds: int) -> Samples:
    """Plucked chords with a hi-hat, at -20 dB."""
    rng = np.random.default_rng(1)
    out = np.zeros(seconds * RATE)
    beat = RATE // 2
    time = np.arange(beat) / RATE
    for at in range(2 * seconds):
        root = (220.0, 196.0, 174.6, 164.8)[(at // 4) % 4]
        for note in (1.0, 1.26, 1.5):
            for h in range(1, 6):
                out[at * beat : (at + 1) * beat] += (
                    np.exp(-3 * time) * np.sin(2 * np.pi * root * note * h * time) / h
                )
        out[at * beat : (at + 1) * beat] += 0.5 * np.exp(-40 * time) * rng.standard_normal(beat)
    return (0.1 * out / np.sqrt(np.mean(out**2))).astype(np.float32)


def test_onsets_and_offsets_of_clean_speech(clips: list[Samples]) -> None:
    """In clean sound onsets are unbiased (median < 10 ms), 95 % within 60 ms, no clip is missed."""
    samples, times = programme(clips)
    spans = detect_samples(samples)
    onsets, offsets = [], []
    for start, end in times:
        inside = [span for span in spans if span.end > start and span.start < end]
        assert inside, f"the clip at {start} ms was missed"
        onsets.append(inside[0].start - start)
        offsets.append(inside[-1].end - end)
    assert abs(np.median(onsets)) < 10
    assert np.percentile(np.abs(onsets), 95) < 60
    assert abs(np.median(offsets)) < 25
    assert all(any(span.end > a and span.start < b for a, b in times) for span in spans)


def test_onsets_in_noise(clips: list[Samples]) -> None:
    """With noise 20 dB below the speech onsets stay within 20 ms on the median, and nothing else is found."""
    samples, times = programme(clips, noise=-45.0)
    spans = detect_samples(samples)
    onsets = [next(s.start for s in spans if s.end > start and s.start < end) - start for start, end in times]
    assert abs(np.median(onsets)) < 20
    assert np.percentile(np.abs(onsets), 90) < 120
    assert all(any(span.end > a and span.start < b for a, b in times) for span in spans)


@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_one_short_word(clips: list[Samples], gain: float) -> None:
    """A single "Yes." is found where it is, loud or quiet."""
    samples, [(start, end)] = programme(clips[:1])
    (span,) = detect_samples(samples * np.float32(gain))
    assert abs(span.start - start) <= 60
    assert abs(span.end - end) <= 100


def test_what_is_not_speech() -> None:
    """Silence, noise, tones and music hold no speech."""
    rng = np.random.default_rng(0)
    time = np.arange(10 * RATE) / RATE
    for samples in (
        np.zeros(10 * RATE),
        0.1 * rng.standard_normal(10 * RATE),
        0.3 * np.sin(2 * np.pi * 440 * time),
        chords(20),
    ):
        assert detect_samples(samples.astype(np.float32)) == ()


def test_speech_over_music(clips: list[Samples]) -> None:
    """Sentences 15 dB above music are found, the music between them is not."""
    samples, times = programme(clips[1::2])
    mixed = samples + chords(len(samples) // RATE + 1)[: len(samples)] * np.float32(0.1)
    spans = detect_samples(mixed)
    truth = np.zeros(len(samples) // 160 + 1, bool)
    found = truth.copy()
    for start, end in times:
        truth[start // 10 : end // 10] = True
    for span in spans:
        found[span.start // 10 : span.end // 10] = True
    assert np.sum(truth & found) / np.sum(truth | found) > 0.8


@pytest.mark.parametrize("length", [0, 1, 159, 511, 512, 2560, 163_840, 163_841])
def test_any_length(length: int) -> None:
    """Sounds of any length, with none, one or just over one block, are taken."""
    assert detect_samples(np.zeros(length, np.float32)) == ()


def test_a_file_is_the_same_as_an_array(clips: list[Samples], tmp_path: Path) -> None:
    """Streaming a file over several blocks gives the array's spans, tells progress and can be stopped."""
    samples, _ = programme(clips)
    path = tmp_path / "speech.wav"
    sound.store(samples, RATE, path)
    seen: list[float] = []
    assert detect(path, progress=seen.append) == detect_samples(samples)
    assert len(seen) >= 2
    assert seen[-1] == 1.0
    assert seen == sorted(seen)

    def stop(_: float) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        detect(path, progress=stop)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    """A sound of another rate or in stereo is refused with what to do."""
    path = tmp_path / "x.wav"
    sound.store(np.zeros(4410, np.float32), 44_100, path)
    with pytest.raises(MediaError, match="44100 Hz") as caught:
        detect(path)
    assert "ffmpeg" in caught.value.hint
    sound.store(np.zeros((1600, 2), np.float32), RATE, path)
    with pytest.raises(MediaError, match="2 channel"):
        detect(path)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1), st.floats(-70, -10)), min_size=0, max_size=20),
    st.integers(0, 511),
)
def test_spans_follow_the_conventions(parts: list[tuple[int, float, float]], short: int) -> None:
    """For any model output spans are sorted, on the grid, inside, 50 ms or longer, 100 ms apart."""
    probabilities = np.concatenate(
        [np.full(n, p, np.float32) for n, p, _ in parts] or [np.zeros(0, np.float32)]
    )
    frames = max(0, len(probabilities) * 512 - short)
    levels = np.concatenate([np.full(n, v, np.float32) for n, _, v in parts] or [np.zeros(0, np.float32)])
    count = max(0, frames) // 160
    levels = np.resize(levels, count) if len(levels) else np.zeros(count, np.float32)
    spans = voice_activity._spans(probabilities, levels, frames)
    limit = count * 10
    for span in spans:
        assert 0 <= span.start < span.end <= limit
        assert span.start % 10 == span.end % 10 == 0
        assert span.duration >= 50
    for left, right in pairwise(spans):
        assert right.start - left.end >= 100
