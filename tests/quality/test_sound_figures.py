"""B1-B3, M1-M6 and V1-V3 against closed-form cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autodub.media import sound
from autodub.model.speech import Tone
from autodub.model.time import Span
from autodub.quality.comparison import Comparison, altered_on_purpose, compare
from autodub.quality.facts import LineFact, SoundFact, ToneFact, WindowFact
from autodub.quality.figures import Figure
from autodub.quality.residual import leak, residual_voice
from autodub.quality.runs import MeasuredLine
from autodub.quality.sound_metrics import difference_figures, level_figures, sound_figures, voice_figures

RATE = 8000


@pytest.fixture
def mix() -> np.ndarray:
    """Four seconds of stereo noise."""
    return np.random.default_rng(2).normal(0, 0.05, (4 * RATE, 2)).astype(np.float32)


def compared(out: np.ndarray, mix: np.ndarray, place: Path, **more: object) -> Comparison:
    """Both files, compared with the second second altered."""
    sound.store(out, RATE, place / "out.wav")
    sound.store(mix, RATE, place / "mix.wav")
    known: dict[str, object] = {
        "layout": "stereo", "source_layout": "stereo", "altered": [Span(1000, 2000)], "gain": 1.0,
    }  # fmt: skip
    return compare(place / "out.wav", place / "mix.wav", **(known | more))  # type: ignore[arg-type]


def test_null_of_an_untouched_file_is_bit_exact(mix: np.ndarray, tmp_path: Path) -> None:
    """What was altered on purpose does not count, whatever is there."""
    out = mix.copy()
    out[RATE : 2 * RATE] = 0
    got = compared(out, mix, tmp_path)
    assert got.null_db == -200
    assert got.quiet_ms == 4000 - 1000 - 2 * 50


def test_null_measures_added_noise(mix: np.ndarray, tmp_path: Path) -> None:
    """Noise 40 dB under the source gives -40 dB."""
    noise = np.random.default_rng(3).normal(0, 0.05 * 0.01, mix.shape)
    assert compared(mix + noise, mix, tmp_path).null_db == pytest.approx(-40, abs=0.2)


def test_null_knows_the_programme_gain(mix: np.ndarray, tmp_path: Path) -> None:
    """One static gain is no difference when it is known, or found; unknown to the test it is one."""
    out = mix * np.float32(0.5)
    assert compared(out, mix, tmp_path, gain=0.5).null_db < -120
    assert compared(out, mix, tmp_path, gain=None).null_db < -120
    assert compared(out, mix, tmp_path, gain=1.0).null_db == pytest.approx(-6.02, abs=0.01)
    assert compared(out, mix, tmp_path).level_db == pytest.approx(-6.02, abs=0.01)


def test_null_needs_somewhere_to_look(mix: np.ndarray, tmp_path: Path) -> None:
    """Altered from end to end, or of other channels: there is no null test, but loudness is measured."""
    assert compared(mix, mix, tmp_path, altered=[Span(0, 4000)]).null_db is None
    mono = compared(mix[:, :1], mix, tmp_path, layout="mono")
    assert (mono.null_db, mono.alike) == (None, False)
    assert mono.output_lufs < mono.source_lufs


def test_clipped_samples_are_counted(mix: np.ndarray, tmp_path: Path) -> None:
    """Samples beyond full scale, all channels."""
    out = mix.copy()
    out[100:103] = 1.5
    assert compared(out, mix, tmp_path).clipped == 6


def test_longer_output_is_metered_to_its_end(mix: np.ndarray, tmp_path: Path) -> None:
    """Files of different length are both read to their ends."""
    got = compared(np.concatenate([mix, mix]), mix, tmp_path)
    assert (got.output_frames, got.source_frames) == (8 * RATE, 4 * RATE)
    assert len(got.output) == 800


def test_alterations_without_a_record() -> None:
    """A stranger's dub may differ around speech and around clips, ducks included."""
    got = altered_on_purpose([Span(1000, 2000)], [Span(5000, 6000)], limit=10_000)
    assert got == (Span(900, 2170), Span(4700, 6950))


@pytest.mark.parametrize("left", [0.5, 0.178, 0.05])
def test_voice_left_in_the_background_is_estimated(left: float) -> None:
    """A voice left at a known amplitude is found within 2 dB under steady music."""
    rng = np.random.default_rng(4)
    syllables = np.repeat(rng.gamma(1.0, 0.01, 400), 10)
    power = syllables * rng.gamma(20, 1 / 20, 4000)
    ground = 0.001 + power * left**2
    got = leak(power * (1 - left) ** 2, ground, [Span(0, 40_000)])
    assert got == pytest.approx(20 * np.log10(left), abs=2)


def test_voice_that_was_not_removed_is_not_judged() -> None:
    """Nothing removed, or under a second of it: no figure."""
    assert leak(np.zeros(500), np.ones(500), [Span(0, 5000)]) is None
    assert leak(np.ones(500), np.ones(500), [Span(0, 500)]) is None


def test_residual_voice_reads_files_in_step(tmp_path: Path) -> None:
    """Halving a modulated voice in the background leaves -6 dB of it."""
    at = np.arange(16_000 * 5) / 16_000
    voice = 0.1 * np.sin(2 * np.pi * 180 * at) * (np.sin(2 * np.pi * 3 * at) > 0)
    sound.store(voice, 16_000, tmp_path / "speech.wav")
    sound.store(0.5 * voice, 16_000, tmp_path / "bed.wav")
    got = residual_voice(tmp_path / "speech.wav", tmp_path / "bed.wav", [Span(0, 5000)])
    assert got == pytest.approx(-6.02, abs=0.1)


def line(number: int, source: float | None, dub: float | None, status: str = "spoken") -> MeasuredLine:
    """A line with levels."""
    fact = LineFact(f"L{number}", "A", Span(0, 1), "x", status=status)  # type: ignore[arg-type]
    return MeasuredLine(fact, (), (), source_lufs=source, dub_lufs=dub)


def test_line_levels() -> None:
    """M1 averages sizes, M2 correlates; lines without both levels are counted, kept ones are not."""
    lines = [line(1, -20, -19), line(2, -25, -26), line(3, -30, -30), line(4, None, -20),
             line(5, -20, None, "kept original")]  # fmt: skip
    error, follows = level_figures(lines)
    assert error.value == pytest.approx(2 / 3)
    assert error.undefined == 1
    assert follows.value > 0.97
    assert level_figures(lines[:2])[1].value is None


def test_speech_against_background_per_window() -> None:
    """M3: windows with 0.3 s of dub count; each is held against its own target."""
    dub, bed = np.full(900, 1e-3), np.full(900, 1e-4)
    bed[300:600] = 1e-3
    windows = [WindowFact(0, 10.0, 10.0), WindowFact(3000, 0.0, 10.0)]
    share, least = difference_figures(dub, bed, [Span(0, 6000), Span(6000, 6200)], windows=windows)
    assert share.value == 0.5
    assert least.value == pytest.approx(0, abs=1e-6)
    assert least.count == 2
    assert difference_figures(None, None, [], windows=())[0].value is None


def test_silent_background_is_clear() -> None:
    """M3: over silence the difference is large and finite."""
    _, least = difference_figures(np.full(300, 1e-3), np.zeros(300), [Span(0, 3000)], windows=())
    assert 80 <= least.value <= 100


def figures(sound_fact: SoundFact | None, **more: object) -> dict[str, Figure]:
    """Sound figures of a made-up comparison."""
    known: dict[str, object] = {
        "output": np.ones(9), "source": np.ones(9), "output_lufs": -22.7, "source_lufs": -23.0,
        "output_peak_dbtp": -0.5, "clipped": 2, "output_frames": 1, "source_frames": 1, "null_db": -50.0,
        "level_db": -3.1, "quiet_ms": 1000, "alike": True, "lag": 0,
    }  # fmt: skip
    comparison = Comparison(**(known | more))  # type: ignore[arg-type]
    got = sound_figures(comparison, sound=sound_fact, lines=(), dub=None, bed=None, speech=(), residual=-31.0)
    return {one.id: one for one in got}


RECORD = SoundFact(
    source_lufs=-23.0, target_lufs=-23.5, output_peak_dbtp=-0.8, source_peak_dbtp=-2.0, clipped=5,
    source_clipped=5, null_db=-200.0, gain_db=-3.0, bed_change_db=0.02, dub_change_db=-0.1, bed_step_lu=0.4,
)  # fmt: skip


def test_programme_figures_use_target_and_record() -> None:
    """M5 and M6 hold the output against its target, its peak bound and the source's own clipping."""
    got = figures(RECORD)
    assert got["M5.loudness"].value == pytest.approx(0.8)
    assert got["M5.peak"].value == pytest.approx(0.2)
    assert got["M5.clipped"].value == 0
    assert got["M5.decoded_clipped"].value == 2
    assert got["M6.dub"].value == pytest.approx(0.1)
    assert got["M6.bed"].value == pytest.approx(0.02)
    assert (got["B1"].value, got["B1d"].value, got["B2"].value, got["B3"].value) == (-200, -50, -31, 0.4)


def test_loud_source_may_stay_loud() -> None:
    """M5: a source at full scale raises the bound of the true peak."""
    assert figures(replace(RECORD, source_peak_dbtp=0.0, gain_db=0.0))["M5.peak"].value == 0


def test_figures_without_a_record_say_so() -> None:
    """What only the renderer knows is undefined with the reason; the rest is taken from the files."""
    got = figures(None)
    assert got["B1"].reason == got["M5.peak"].reason == "the renderer's record is not at hand"
    assert got["M5.loudness"].value == pytest.approx(0.3)
    assert got["M6.bed"].value == pytest.approx(3.1)


def test_silent_programme_has_no_loudness_error() -> None:
    """Silence is undefined, not an infinity."""
    got = figures(None, output_lufs=float("-inf"), source_lufs=float("-inf"), output_peak_dbtp=float("-inf"))
    assert got["M5.loudness"].value is None
    assert got["M5.output"].value is None


def test_voice_figures_take_the_worst_speaker() -> None:
    """V1-V3: zero for the same voice, the worst speaker counts, unknown ones are left out and counted."""
    flat = tuple(0.0 for _ in range(20))
    same = Tone(120.0, 2.0, flat)
    octave = Tone(240.0, 4.0, flat)
    tones = [ToneFact("A", same, same), ToneFact("B", same, octave), ToneFact("C", same)]
    got = {one.id: one for one in voice_figures(tones, {"A": 1.0, "B": 4.0})}
    assert got["V1"].value == pytest.approx(12)
    assert got["V2"].value == pytest.approx(2)
    assert got["V3"].value == pytest.approx(0)
    assert got["V1"].undefined == 1
    assert got["V1"].parts["A"] == pytest.approx(0)
    assert got["M4.spectrum"].value == 4
    assert {one.id: one for one in voice_figures([], {})}["V1"].value is None
