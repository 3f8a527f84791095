"""Waveforms: the largest magnitude of each fiftieth of a second, however the sound comes."""

from __future__ import annotations

import itertools
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from autodub.media import peaks, sound
from autodub.media.probe import probe
from autodub.model.errors import MediaError


def nothing() -> None:
    """Nobody stops."""


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("block", [1, 77, 4096, 1 << 20])
def test_every_fiftieth_has_its_largest_sample(rate: int, block: int) -> None:
    """Whatever the blocks, values are those of the whole taken apart at fiftieths; the rest counts, too."""
    samples = np.random.default_rng(rate).uniform(-1, 1, (rate // 4 + 13, 2)).astype(np.float32)
    if block == 1:
        samples = samples[: rate // 20]
    found = peaks.Peaks(rate)
    for begin in range(0, len(samples), block):
        found.add(samples[begin : begin + block])
    edges = [-(-number * rate // 50) for number in range(len(samples) * 50 // rate + 2)]
    parts = [np.abs(samples[a:b]).max() for a, b in itertools.pairwise(edges) if a < len(samples)]
    assert found.values().tolist() == np.rint(np.array(parts, dtype=np.float32) * 127).astype(int).tolist()


def test_silence_and_nothing() -> None:
    """No sound has no value; silence has zeros; what is too loud is full."""
    assert peaks.Peaks(8000).values().tolist() == []
    quiet = peaks.Peaks(8000)
    quiet.add(np.zeros((800, 1), dtype=np.float32))
    assert quiet.values().tolist() == [0] * 5
    loud = peaks.Peaks(8000)
    loud.add(np.full((160, 1), -3, dtype=np.float32))
    assert loud.values().tolist() == [127]


def test_fewer_values_keep_the_peaks() -> None:
    """Each stands for the largest of those it takes the place of; none is lost."""
    values = np.arange(101, dtype=np.uint8)
    assert peaks.fewer(values, 10).tolist() == [*range(4, 100, 5), 100]
    assert peaks.fewer(values, 1).tolist() == [49, 99, 100]
    assert peaks.fewer(values, 50) is values
    assert len(peaks.fewer(values, 33)) == 67
    assert peaks.fewer(values[:0], 3).tolist() == []


def test_a_file_and_a_stream_of_it_look_alike(tmp_path: Path) -> None:
    """Our own sound, and the same decoded from a media file, cut where a range was dubbed."""
    rate = 16_000
    samples = np.zeros((3 * rate, 2), dtype=np.float32)
    samples[rate : rate + rate // 2, 1] = 0.5
    own = tmp_path / "own.wav"
    sound.store(samples, rate, own)
    expected = np.zeros(150, dtype=np.uint8)
    expected[50:75] = 64
    assert peaks.of_sound(own, check=nothing).tolist() == expected.tolist()
    media = tmp_path / "media.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-i", own, "-c:a", "flac", media], check=True)
    info = probe(media)
    assert peaks.of_stream(media, info, info.audio[0], check=nothing).tolist() == expected.tolist()
    part = peaks.of_stream(media, info, info.audio[0], start=500, end=1200, check=nothing)
    assert part.tolist() == expected[25:60].tolist()


def test_a_long_programme_takes_little_memory(tmp_path: Path) -> None:
    """Twenty minutes pass through, and no more than some blocks are held."""
    media = tmp_path / "long.flac"
    source = ["-f", "lavfi", "-i", "sine=frequency=200:sample_rate=16000", "-t", "1200"]
    subprocess.run(["ffmpeg", "-v", "error", *source, media], check=True)
    info = probe(media)
    tracemalloc.start()
    found = peaks.of_stream(media, info, info.audio[0], check=nothing)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 60_000
    assert most < 16 << 20


def test_what_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    """And nothing hangs: the thread that listens ends with the program."""
    media = tmp_path / "a.wav"
    sound.store(np.zeros(8000, dtype=np.float32), 8000, media)
    info = probe(media)
    media.write_bytes(b"nothing of the kind")
    with pytest.raises(MediaError):
        peaks.of_stream(media, info, info.audio[0], check=nothing)


def test_somebody_who_stops_is_heard(tmp_path: Path) -> None:
    """Between blocks of our own files, and while a program decodes."""
    media = tmp_path / "a.wav"
    sound.store(np.zeros(8000, dtype=np.float32), 8000, media)

    def stop() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        peaks.of_sound(media, check=stop)
    info = probe(media)
    with pytest.raises(KeyError):
        peaks.of_stream(media, info, info.audio[0], check=stop)
