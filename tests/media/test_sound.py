"""Sound files written, read, described and resampled."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.media import sound
from autodub.model.errors import Gone, MediaError, OutputProblem
from autodub.model.media import Audio, Blob


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_float_round_trip_is_exact(tmp_path: Path, channels: int, rate: int) -> None:
    """float32 samples survive bit for bit, beyond full scale too, at any rate and channel count."""
    samples = np.random.default_rng(1).standard_normal((1001, channels)).astype(np.float32)
    sound.store(samples, rate, tmp_path / "x.wav")
    loaded, found = sound.load(tmp_path / "x.wav")
    assert found == rate
    assert np.array_equal(loaded, samples)


def test_sixteen_bits_round_and_saturate(tmp_path: Path) -> None:
    """16-bit files are rounded to the nearest step and clipped instead of wrapped."""
    samples = np.array([0.0, 0.5, -1.5, 1.5, 1.4 / 32768], dtype=np.float32)
    sound.store(samples, 16000, tmp_path / "x.wav", subtype="PCM_16")
    loaded, _ = sound.load(tmp_path / "x.wav")
    assert (loaded[:, 0] * 32768).tolist() == [0, 16384, -32768, 32767, 1]


def test_other_programs_read_our_files(tmp_path: Path) -> None:
    """Another program agrees on format, rate, layout and length, and an odd data size is padded."""
    sound.store(np.zeros((4801, 6), np.float32), 48000, tmp_path / "six.wav")
    sound.store(np.zeros(3, np.float32), 8000, tmp_path / "odd.wav", subtype="PCM_16")
    command = ["ffprobe", "-v", "warning", "-of", "csv=p=0", "-show_entries"]
    entries = "stream=codec_name,sample_rate,channels,channel_layout,duration_ts"
    run = subprocess.run([*command, entries, tmp_path / "six.wav"], capture_output=True, text=True)
    assert run.stdout.strip() == "pcm_f32le,48000,6,5.1,4801"
    assert run.stderr == ""
    assert (tmp_path / "odd.wav").stat().st_size % 2 == 0
    assert sound.load(tmp_path / "odd.wav")[0].shape == (3, 1)


def test_large_files_become_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file past the 32-bit limit is RF64, and readers see its full length."""
    monkeypatch.setattr(sound, "_LIMIT", 1000)
    samples = np.random.default_rng(2).standard_normal((600, 2)).astype(np.float32)
    with sound.Writer(tmp_path / "x.wav", rate=48000, channels=2) as writer:
        writer.write(samples[:100])
        writer.write(samples[100:])
    raw = (tmp_path / "x.wav").read_bytes()
    assert raw[:4] == b"RF64"
    assert int.from_bytes(raw[28:36], "little") == 600 * 8
    monkeypatch.undo()
    # The tests' small limit also went into the 32-bit fields; standard readers want them all ones there.
    patched = raw.replace((1000).to_bytes(4, "little"), b"\xff\xff\xff\xff")
    (tmp_path / "x.wav").write_bytes(patched)
    assert np.array_equal(sound.load(tmp_path / "x.wav")[0], samples)


def test_blocks_are_the_file(tmp_path: Path) -> None:
    """Blocks joined are the whole file, and reads past the end are short instead of wrong."""
    samples = np.arange(10, dtype=np.float32)[:, None] / 16
    sound.store(samples, 8000, tmp_path / "x.wav")
    with sound.Reader(tmp_path / "x.wav") as reader:
        assert [len(block) for block in reader.blocks(4)] == [4, 4, 2]
        assert np.array_equal(np.concatenate(list(reader.blocks(3))), samples)
        assert np.array_equal(reader.read(8, 100), samples[8:])
        assert reader.read(10, 5).shape == (0, 1)
        assert reader.read(50, -1).shape == (0, 1)
        with pytest.raises(ValueError, match="before the start"):
            reader.read(-1, 5)
    assert np.array_equal(sound.load(tmp_path / "x.wav", start=2, frames=3)[0], samples[2:5])


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    """A vanished file and one that is no sound are told apart, with a hint each."""
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(Gone, match="vanished"):
        sound.Reader(tmp_path / "nothing.wav")
    with pytest.raises(MediaError, match="cannot be read as sound"):
        sound.Reader(tmp_path / "text.wav")


def test_wrong_shapes_and_values_are_refused(tmp_path: Path) -> None:
    """Samples of the wrong shape or that are not numbers never reach a file, which is then removed."""
    path = tmp_path / "x.wav"
    with (
        pytest.raises(ValueError, match=r"expected \(n, 2\)"),
        sound.Writer(path, rate=8000, channels=2) as w,
    ):
        w.write(np.zeros(5, np.float32))
    assert not path.exists()
    with pytest.raises(MediaError, match="not numbers"):
        sound.store(np.array([0.0, np.nan], np.float32), 8000, path)
    assert not path.exists()


def test_unwritable_places(tmp_path: Path) -> None:
    """A folder that does not exist is an output problem."""
    with pytest.raises(OutputProblem, match=r"cannot be written: No such file"):
        sound.Writer(tmp_path / "no" / "x.wav", rate=8000, channels=1)


def test_no_room(tmp_path: Path) -> None:
    """Running into a size limit while writing is an output problem, and the partial file goes away."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputProblem, match="largest file size"):
            sound.store(np.zeros((100_000, 2), np.float32), 48000, tmp_path / "x.wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "x.wav").exists()


def test_description(tmp_path: Path) -> None:
    """A kept file is described by its own header."""
    sound.store(np.zeros((500, 2), np.float32), 44100, tmp_path / "x.wav")
    blob = Blob("0" * 64, 1, ".wav")
    described = sound.audio(blob, tmp_path / "x.wav", "stereo")
    assert described == Audio(blob, rate=44100, channels=2, frames=500, layout="stereo")


RATES = st.sampled_from([8000, 11025, 16000, 22050, 24000, 44100, 48000, 96000])


@settings(deadline=None, max_examples=40)
@given(frames=st.integers(0, 3000), source=RATES, target=RATES, channels=st.sampled_from([0, 2]))
def test_resampled_length(frames: int, source: int, target: int, channels: int) -> None:
    """Resampling gives round(n · target / source) samples of the same shape and type."""
    samples = np.zeros((frames, channels) if channels else frames, np.float32)
    out = sound.resample(samples, source, target)
    assert out.dtype == np.float32
    assert out.shape[1:] == samples.shape[1:]
    assert abs(len(out) - frames * target / source) <= 0.5


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100])
def test_resampling_keeps_onsets(rate: int) -> None:
    """A click stays at its time within one sample, whatever the rates (R3)."""
    samples = np.zeros(rate, np.float32)
    samples[rate // 2] = 1.0
    out = sound.resample(samples, rate, 48000)
    assert abs(int(np.argmax(np.abs(out))) - (rate // 2) * 48000 / rate) <= 1
