"""Tests of rendering: what is mixed where, how loud, and what is left alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mix_scene import Scene, background, dialogue, voice

from autodub.media import placing, sound
from autodub.media.loudness import Meter
from autodub.media.render import Rendered
from autodub.model.errors import Cancelled, MediaError
from autodub.model.media import Timeline
from autodub.model.time import Span


@pytest.fixture(scope="module")
def dubbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Rendered, np.ndarray, np.ndarray]:
    """A dialogue over music, dubbed."""
    scene = dialogue(tmp_path_factory.mktemp("dialogue"), seconds=24)
    return scene, *scene.render()


Dubbed = tuple[Scene, Rendered, np.ndarray, np.ndarray]


def test_outside_speech_the_output_is_the_source(dubbed: Dubbed) -> None:
    """Every sample outside the reported spans equals the source's, and the null test says so."""
    scene, done, out, _ = dubbed
    alone = np.ones(scene.frames, dtype=bool)
    for span in done.altered:
        alone[span.start * 48 : span.end * 48] = False
    assert alone.sum() > 2 * scene.rate
    assert np.array_equal(out[alone], scene.mix[alone])
    assert done.null_db == -math.inf
    assert done.null_frames >= alone.sum()
    assert done.bed_change == 0.0
    assert done.programme_gain == 0.0


def test_loudness_matches_the_source(dubbed: Dubbed) -> None:
    """The programme is within 0.5 LU of the source and below its true peak (or -1 dBTP), nothing clips."""
    _, done, out, _ = dubbed
    meter = Meter(48_000, 2, "stereo")
    meter.add(out)
    assert done.output_lufs == pytest.approx(meter.integrated(), abs=1e-3)
    assert done.true_peak == pytest.approx(meter.true_peak(), abs=0.05)
    assert abs(done.output_lufs - done.source_lufs) <= 0.5
    assert done.true_peak <= max(done.source_true_peak, -1.0)
    assert done.clipped == 0


def test_lines_sound_as_loud_as_the_originals(dubbed: Dubbed) -> None:
    """Each line is within 1.5 LU of its original's level, measured on the same channels."""
    _, done, _, _ = dubbed
    assert len(done.lines) == 4
    for line in done.lines:
        assert line.source is not None
        assert line.dub is not None
        assert abs(line.dub - line.source) <= 1.5
        assert line.edges[0] < 0


def test_source_levels_are_the_voices_not_the_mixes(dubbed: Dubbed) -> None:
    """The level of a source line is that of the voice stem, background taken off."""
    scene, done, _, _ = dubbed
    ground, _ = sound.load(scene.background or Path())
    meter = Meter(48_000, 2, "stereo")
    meter.add((scene.mix - ground)[1 * 48_000 : 4 * 48_000])
    assert done.lines[0].source == pytest.approx(meter.integrated(), abs=1.0)


def test_the_dub_does_not_depend_on_the_bed(dubbed: Dubbed) -> None:
    """M6: what the mix adds to the bed is the dub stem, at the same level."""
    _, done, _, _ = dubbed
    assert done.dub_with_bed == pytest.approx(done.dub_without_bed, abs=0.01)


def test_bed_file_is_what_is_in_the_output_besides_the_dub(tmp_path: Path) -> None:
    """The 16-kHz bed has the programme's length and equals the output where no clip sounds."""
    scene = dialogue(tmp_path)
    done, out, bed = scene.render()
    assert len(bed) == round(scene.frames / 3)
    down = sound.resample(np.ascontiguousarray(out.mean(axis=1)), 48_000, 16_000)
    silent = np.ones(len(bed), dtype=bool)
    for placement in scene.placements:
        silent[placement.start // 3 - 200 : (placement.start + placement.frames) // 3 + 200] = False
    assert np.abs(bed - down)[silent].max() < 1e-4
    assert np.abs(bed - down)[~silent].max() > 0.05
    assert done.frames == scene.frames


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_clips_land_on_their_sample(tmp_path: Path, rate: int) -> None:
    """At 5, 10, 15 and 20 s, from clips at other rates: the click is where it was planned, to the sample."""
    scene = Scene(tmp_path, rate=rate, channels=1, layout="mono")
    starts = [5 * rate + 1, 10 * rate, 15 * rate + 7, 20 * rate - 3]
    for index, start in enumerate(starts):
        own = (16_000, 22_050, rate, 48_000)[index]
        click = np.zeros(own // 2, dtype=np.float32)
        click[own // 4] = 0.5
        scene.line(start, click, rate=own)
    scene.programme(np.zeros((22 * rate, 1)))
    done, out, _ = scene.render()
    assert len(out) == 22 * rate
    for index, start in enumerate(starts):
        own = (16_000, 22_050, rate, 48_000)[index]
        here = np.abs(out[start : start + rate // 2, 0])
        assert abs(int(here.argmax()) - own // 4 * rate / own) <= 0.5 + 0.5 * (own % 4 > 0)
    assert done.null_db == 0.0 or done.null_db == -math.inf


def test_a_full_rate_clip_is_placed_unchanged_but_for_its_edges(tmp_path: Path) -> None:
    """At the programme's own rate, with no line to match, the samples in the mix are the clip's."""
    scene = Scene(tmp_path, channels=1, layout="mono")
    clip = voice(1.0, 48_000)
    scene.line(12_345, clip, gain=-6.0)
    scene.programme(np.zeros((96_000, 1)))
    _, out, _ = scene.render()
    inner = slice(12_345 + 1_000, 12_345 + 47_000)
    np.testing.assert_allclose(out[inner, 0], clip[1_000:47_000] * 10 ** (-6 / 20), atol=1e-6)
    assert np.abs(out[12_345, 0]) < 1e-3
    assert not out[:12_345].any()
    assert not out[12_345 + 48_000 :].any()


def test_pauses_and_stretch_fill_exactly_the_planned_frames(tmp_path: Path) -> None:
    """Silence goes in where it was asked for, samples come out where it was negative, the length is exact."""
    scene = Scene(tmp_path, channels=1, layout="mono")
    tone = np.full(24_000, 0.25, dtype=np.float32)
    placed = scene.line(1_000, tone, pauses=((8_000, 4_800), (16_000, -2_400)))
    slowed = scene.line(60_000, voice(1.0, 22_050), rate=22_050, stretch=0.96)
    assert placed.frames == 24_000 + 4_800 - 2_400
    assert slowed.frames == 50_000
    scene.programme(np.zeros((120_000, 1)))
    _, out, _ = scene.render()
    assert not out[1_000 + 8_000 : 1_000 + 12_800].any()
    assert (np.abs(out[1_000 + 1_000 : 1_000 + 7_500, 0] - 0.25) < 1e-6).all()
    assert (out[1_000 + 26_400 :][: 60_000 - 27_400] == 0).all()
    (sounding,) = np.nonzero(out[30_000:, 0])
    assert sounding[0] + 30_000 >= 60_000
    assert 109_000 < sounding[-1] + 30_000 < 110_000


def test_overlapping_clips_add_up(tmp_path: Path) -> None:
    """Two clips at the same place sound together."""
    scene = Scene(tmp_path, channels=1, layout="mono")
    scene.line(10_000, np.full(20_000, 0.2, dtype=np.float32))
    scene.line(20_000, np.full(20_000, 0.1, dtype=np.float32))
    scene.programme(np.zeros((48_000, 1)))
    _, out, _ = scene.render()
    assert out[15_000, 0] == pytest.approx(0.2, abs=1e-6)
    assert out[25_000, 0] == pytest.approx(0.3, abs=1e-6)
    assert out[35_000, 0] == pytest.approx(0.1, abs=1e-6)


def test_whisper_and_shout_keep_their_order(tmp_path: Path) -> None:
    """R15: lines 12 dB apart in the source stay clearly apart in the dub, in the same order."""
    scene = dialogue(tmp_path, seconds=29, ratio=12.0, gains=(0.0, -12.0, 6.0))
    done, _, _ = scene.render()
    source = np.array([line.source for line in done.lines], dtype=float)
    dub = np.array([line.dub for line in done.lines], dtype=float)
    assert np.corrcoef(source, dub)[0, 1] > 0.9
    assert np.ptp(dub) > 6


def test_full_scale_source_and_dub_do_not_clip(tmp_path: Path) -> None:
    """R12: a full-scale programme with a full-scale dub has no clipped sample and no higher true peak."""
    scene = Scene(tmp_path)
    ground = background(8, 48_000)
    ground *= np.float32(0.999) / np.abs(ground).max()
    loud = voice(3.0, 48_000)
    scene.line(2 * 48_000, loud / np.abs(loud).max(), gain=9.0)
    scene.programme(ground)
    done, out, _ = scene.render()
    assert np.abs(out).max() <= 1.0
    assert done.clipped == 0
    assert done.true_peak <= max(done.source_true_peak, -1.0) + 0.05
    assert done.limited_frames > 0
    assert done.null_db == -math.inf


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6), ("quad", 4)])
def test_layouts_are_kept(tmp_path: Path, layout: str, channels: int) -> None:
    """R14: rate, channels and length stay; the dub goes into the dialogue channels and no other."""
    scene = Scene(tmp_path, rate=16_000, channels=channels, layout=layout)
    ground = background(6, 16_000, channels=channels)
    speech = voice(2.0, 16_000)
    mix = ground.copy()
    dialogue_channels = {"mono": [0], "stereo": [0, 1], "5.1": [2], "quad": [0, 1]}[layout]
    for channel in dialogue_channels:
        mix[32_000:64_000, channel] += speech
    scene.line(32_000, voice(1.9, 16_000, seed=3), span=Span(2000, 4000))
    scene.programme(mix, ground)
    done, out, _ = scene.render()
    assert out.shape == mix.shape
    assert (done.rate, done.channels, done.frames) == (16_000, channels, len(mix))
    middle = slice(40_000, 56_000)
    if done.duck_max == 0:
        for channel in range(channels):
            moved = np.abs(out[middle, channel] - ground[middle, channel]).max() > 0.01
            assert moved == (channel in dialogue_channels)
    assert done.null_db == -math.inf


def test_what_is_kept_stays_original(tmp_path: Path) -> None:
    """Inside a kept span the gate is shut: the source comes through unchanged where no clip is."""
    scene = dialogue(tmp_path, seconds=24)
    scene.placements, scene.lines = scene.placements[:1], scene.lines[:1]
    _, out, _ = scene.render(keep=(Span(11_000, 14_500),))
    kept = slice(11_000 * 48, 14_500 * 48)
    assert np.array_equal(out[kept], scene.mix[kept])
    replaced = slice(7_000 * 48, 8_000 * 48)
    assert not np.array_equal(out[replaced], scene.mix[replaced])


def test_nothing_to_dub_gives_the_source_back(tmp_path: Path) -> None:
    """Without speech and clips the output is the source, and every sample passes the null test."""
    scene = Scene(tmp_path)
    scene.programme(background(3, 48_000))
    done, out, _ = scene.render()
    assert np.array_equal(out, scene.mix)
    assert done.null_frames == scene.frames
    assert done.null_db == -math.inf
    assert done.altered == ()
    assert done.bed_step is None


def test_silence_and_nothing_are_rendered(tmp_path: Path) -> None:
    """A silent and an empty programme come back as they are, with loudness -inf."""
    for frames in (48_000, 0):
        scene = Scene(tmp_path)
        scene.programme(np.zeros((frames, 2)))
        done, out, bed = scene.render()
        assert out.shape == (frames, 2)
        assert len(bed) == frames // 3
        assert done.source_lufs == done.output_lufs == -math.inf


def test_without_a_separator_the_voice_is_lowered(tmp_path: Path) -> None:
    """No background file: the mix is 15 dB down while the source speaks, untouched elsewhere."""
    scene = dialogue(tmp_path)
    scene.background = None
    scene.placements, scene.lines = [], []
    _, out, _ = scene.render()
    speaking = slice(2 * 48_000, 3 * 48_000)
    np.testing.assert_allclose(out[speaking], scene.mix[speaking] * 10 ** (-15 / 20), rtol=1e-4, atol=1e-6)


def test_duck_reaches_the_wanted_difference(tmp_path: Path) -> None:
    """Loud music: the bed comes down until the dub is 10 LU above it; quiet music is left alone."""
    for ratio, ducks in ((2.0, True), (25.0, False)):
        folder = tmp_path / str(ducks)
        folder.mkdir()
        done, _, _ = dialogue(folder, ratio=ratio).render(clear_speech=True)
        assert (done.duck_max > 1) == ducks
        assert (done.ducked != ()) == ducks
        for window in done.windows:
            assert window.difference >= 9.0
            assert window.target == 10.0


def test_an_explicit_target_is_met_by_one_static_gain(tmp_path: Path) -> None:
    """-23 LUFS: the whole programme is turned down by the same factor, also outside speech."""
    scene = dialogue(tmp_path)
    done, out, _ = scene.render(target_lufs=-30.0)
    assert done.output_lufs == pytest.approx(-30.0, abs=0.5)
    quiet = slice(0, 30_000)
    factor = np.float32(10 ** (done.programme_gain / 20))
    np.testing.assert_allclose(out[quiet], scene.mix[quiet] * factor, rtol=1e-6)
    assert done.null_db == -math.inf
    assert done.bed_change == pytest.approx(
        done.programme_gain, abs=1e-3
    ) or done.bed_change == pytest.approx(0.0)


def test_clips_are_only_held_while_they_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long programme never has more than the clips near one block in memory."""
    scene = Scene(tmp_path, rate=8_000, channels=1, layout="mono")
    for index in range(40):
        scene.line(index * 16_000, voice(1.0, 8_000, seed=index % 3))
    scene.programme(np.zeros((40 * 16_000, 1)))
    most = 0
    original = placing.Stem.read

    def watched(self: placing.Stem, start: int, frames: int) -> object:
        nonlocal most
        found = original(self, start, frames)
        most = max(most, len(self._near))
        return found

    monkeypatch.setattr(placing.Stem, "read", watched)
    monkeypatch.setattr("autodub.media.loudness._BLOCK", 32_000)
    scene.render()
    assert 0 < most <= 4


def test_block_size_does_not_change_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same mix comes out whatever the block size."""
    scene = dialogue(tmp_path, ratio=3.0)
    _, out, bed = scene.render()
    monkeypatch.setattr("autodub.media.loudness._BLOCK", 60_000)
    _, again, bed_again = scene.render()
    np.testing.assert_allclose(again, out, atol=1e-6)
    np.testing.assert_allclose(bed_again, bed, atol=1e-4)


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """A plan, clip or background of another length, or a clip beyond the end: a sentence each."""
    scene = dialogue(tmp_path)
    good = Timeline(scene.rate, scene.frames, tuple(scene.placements))
    with pytest.raises(MediaError, match="plan is for"):
        scene.render(timeline=replace(good, frames=scene.frames + 1))
    late = replace(scene.placements[0], start=scene.frames - 10)
    with pytest.raises(MediaError, match="does not fit on the programme"):
        scene.render(timeline=replace(good, placements=(late,)))
    wrong = replace(scene.placements[0], frames=scene.placements[0].frames + 1)
    with pytest.raises(MediaError, match="were planned"):
        scene.render(timeline=replace(good, placements=(wrong,)))
    with pytest.raises(MediaError, match="background"):
        scene.render(background=scene.files["L0000"])
    sound.store(np.zeros(100, dtype=np.float32), 22_050, scene.files["L0001"])
    with pytest.raises(MediaError, match="100 samples"):
        scene.render()


def test_cancelling_leaves_no_output(tmp_path: Path) -> None:
    """A request to stop during the mix passes through, and no half file stays behind."""
    scene = dialogue(tmp_path)
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls > 4:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        scene.render(check=stop)
    assert not (tmp_path / "out.wav").exists()
    assert not (tmp_path / "bed.wav").exists()


def test_progress_runs_from_zero_to_one(tmp_path: Path) -> None:
    """Progress never goes back and ends at 1."""
    seen: list[float] = []
    dialogue(tmp_path).render(progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_a_loud_source_is_matched_although_the_dub_is_limited(tmp_path: Path) -> None:
    """Over a heavily compressed voice near full scale the peaky dub is limited, and still as loud."""
    scene = dialogue(tmp_path)
    squashed = np.tanh(6.0 * scene.mix) * np.float32(0.85)
    ground, _ = sound.load(scene.background or Path())
    scene.programme(squashed, ground)
    done, out, _ = scene.render()
    assert done.limited_frames > 0
    assert abs(done.output_lufs - done.source_lufs) <= 0.5
    assert done.true_peak <= max(done.source_true_peak, -1.0) + 0.05
    assert np.abs(out).max() <= 1.0


def test_a_programme_in_rf64_is_rendered(tmp_path: Path) -> None:
    """The large-file form of WAV is read like any other."""
    import soundfile

    scene = dialogue(tmp_path)
    _, plain, _ = scene.render()
    soundfile.write(tmp_path / "large.wav", scene.mix, scene.rate, format="RF64", subtype="FLOAT")
    assert (tmp_path / "large.wav").read_bytes()[:4] == b"RF64"
    _, out, _ = scene.render(mix=tmp_path / "large.wav")
    assert np.array_equal(out, plain)


def test_bed_of_surround_is_its_centre(tmp_path: Path) -> None:
    """Speech is looked for in the centre where there is one, so that is the bed to subtract."""
    scene = Scene(tmp_path, rate=16_000, channels=6, layout="5.1")
    ground = background(2, 16_000, channels=6)
    scene.programme(ground)
    _, _, bed = scene.render()
    assert np.abs(bed - ground[:, 2]).max() < 1e-4
