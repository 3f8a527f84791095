"""Stems: the dub alone as a render writes it, and the original taken apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from mix_scene import Scene, dialogue

from autodub.media.flac import FlacWriter
from autodub.media.loudness import Meter
from autodub.media.stems import write_stem
from autodub.model.errors import Cancelled, Gone, OutputProblem


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A dialogue over music."""
    return dialogue(tmp_path_factory.mktemp("stems"), seconds=14)


def written(scene: Scene, out: Path, which: str) -> np.ndarray:
    """One stem, as 24-bit numbers."""
    assert scene.background is not None
    done: list[float] = []
    write_stem(
        which, mix=scene.folder / "mix.wav", background=scene.background, spans=scene.spans,
        layout=scene.layout, out=out, check=lambda: None, progress=done.append,
    )  # type: ignore[arg-type] # fmt: skip
    assert done[-1] == 1.0
    info = soundfile.info(out)
    assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_24", scene.rate)
    samples: np.ndarray = soundfile.read(out, dtype="float64", always_2d=True)[0]
    return samples


def test_the_dub_alone_is_what_the_mix_has_on_top(scene: Scene, tmp_path: Path) -> None:
    """The dialogue is as long as the programme, silent where nobody speaks, as loud as in the mix."""
    path = tmp_path / "dialogue.flac"
    done, out, _ = scene.render(dialogue=path)
    alone, rate = soundfile.read(path, dtype="float64")
    assert (rate, alone.shape) == (scene.rate, (scene.frames,))
    spoken = np.zeros(scene.frames, dtype=bool)
    for placement in scene.placements:
        spoken[placement.start : placement.start + placement.frames] = True
    assert np.abs(alone[~spoken]).max() == 0.0
    assert np.array_equal(scene.render()[1], out), "asking for it changes nothing else"
    meter = Meter(scene.rate, 1, "mono")
    meter.add(alone[:, np.newaxis].astype(np.float32))
    assert meter.integrated() == pytest.approx(done.dub_without_bed, abs=1.5)


def test_a_dialogue_is_the_same_file_every_time(scene: Scene, tmp_path: Path) -> None:
    """Two renders of the same mix write the same bytes."""
    scene.render(dialogue=tmp_path / "a.flac")
    scene.render(dialogue=tmp_path / "b.flac")
    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()


def test_background_and_original_add_up_to_the_mix(scene: Scene, tmp_path: Path) -> None:
    """Outside speech the background is the mix; inside, the voices are in the other stem; nothing is lost."""
    under = written(scene, tmp_path / "m.flac", "background")
    voices = written(scene, tmp_path / "v.flac", "original")
    assert np.abs(under + voices - scene.mix).max() < 2**-22
    silent = np.abs(voices).max(axis=1) == 0.0
    assert np.abs(under[silent] - scene.mix[silent]).max() <= 2**-24
    middle = scene.spans[0].start * scene.rate // 1000 + scene.rate
    assert np.abs(voices[middle : middle + scene.rate]).max() > 0.05
    assert 0.2 < silent.mean() < 0.9


def test_what_is_too_loud_is_clipped(tmp_path: Path) -> None:
    """Samples beyond full scale become full scale, and never wrap around."""
    for bits in (16, 24):
        path = tmp_path / f"{bits}.flac"
        with FlacWriter(path, rate=48_000, channels=1, bits=bits) as file:  # type: ignore[arg-type]
            file.write(np.array([1.5, -1.5, 0.25], dtype=np.float32))
            file.silence(2)
        samples, _ = soundfile.read(path)
        assert samples == pytest.approx([1.0, -1.0, 0.25, 0.0, 0.0], abs=2.0 ** (1 - bits))


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """Without room the error says so, and nothing is left behind."""
    path = tmp_path / "full.flac"
    path.symlink_to("/dev/full")
    noise = np.random.default_rng(1).uniform(-1, 1, 1 << 20).astype(np.float32)
    with pytest.raises(OutputProblem, match=r"full\.flac cannot be written"):
        write_all(path, noise)
    assert not path.is_symlink()
    with pytest.raises(OutputProblem, match="cannot be written"):
        write_all(tmp_path / "no" / "such.flac", noise)


def write_all(path: Path, samples: np.ndarray) -> None:
    """A whole FLAC at once."""
    with FlacWriter(path, rate=48_000, channels=1) as file:
        for _ in range(4):
            file.write(samples)


def test_a_stop_leaves_no_stem(scene: Scene, tmp_path: Path) -> None:
    """A request to stop ends the writing, and a file that is gone is called gone."""

    def stop() -> None:
        raise Cancelled("Stopped.")

    more = {"spans": scene.spans, "layout": "stereo", "out": tmp_path / "s.flac", "progress": lambda _: None}
    with pytest.raises(Cancelled):
        write_stem(
            "original", mix=scene.folder / "mix.wav", background=scene.background, check=stop, **more
        )  # type: ignore[arg-type] # fmt: skip
    assert not (tmp_path / "s.flac").exists()
    with pytest.raises(Gone):
        write_stem(
            "original", mix=scene.folder / "mix.wav", background=tmp_path / "none.wav",
            check=lambda: None, **more,
        )  # type: ignore[arg-type] # fmt: skip
