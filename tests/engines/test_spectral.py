"""Tests of the spectral separator as an engine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from autodub.engines.roles import EngineContext
from autodub.engines.spectral import Spectral, SpectralOptions
from autodub.media import sound
from autodub.model.calls import Separate
from autodub.model.errors import Cancelled
from autodub.model.media import Audio, Blob
from autodub.model.time import Span


class Desk:
    """A call's work: files in one folder, messages kept, cancelled when told to."""

    def __init__(self, folder: Path, *, cancelled: bool = False) -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.store = folder / "store"
        self.store.mkdir()
        self.cancelled = cancelled
        self.messages: list[str] = []
        self.fractions: list[float] = []

    def path(self, blob: Blob) -> Path:
        return self.store / f"{blob.digest}{blob.suffix}"

    def keep(self, path: Path) -> Blob:
        data = path.read_bytes()
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data), path.suffix)
        path.rename(self.path(blob))
        return blob

    def progress(self, fraction: float, message: str = "") -> None:
        self.check()
        self.fractions.append(fraction)
        if message:
            self.messages.append(message)

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled("stopped")

    def meter(self, unit: str, amount: float) -> None:
        raise AssertionError("a local engine consumes nothing that is billed")


def engine(tmp_path: Path, **options: float) -> Spectral:
    """The engine with some options set."""
    return Spectral(SpectralOptions.model_validate(options), EngineContext({}, tmp_path))


def mix(desk: Desk) -> tuple[Audio, np.ndarray]:
    """Four seconds of stereo noise with a loud tone in the middle of it."""
    rng = np.random.default_rng(0)
    samples = (rng.standard_normal((64_000, 2)) * 0.01).astype(np.float32)
    samples[24_000:40_000] += 0.3 * np.sin(np.arange(16_000) * 0.3).astype(np.float32)[:, np.newaxis]
    sound.store(samples, 16_000, desk.scratch / "mix.wav")
    blob = desk.keep(desk.scratch / "mix.wav")
    return Audio(blob, 16_000, 2, 64_000, "stereo"), samples


def test_background_fits_the_mix_and_lost_the_tone(tmp_path: Path) -> None:
    """The answer has the mix's rate, channels and length; what only sounds during speech is gone."""
    desk = Desk(tmp_path)
    audio, samples = mix(desk)
    stems = engine(tmp_path).separate(Separate(audio, (Span(1500, 2500),)), desk)
    out, _ = sound.load(desk.path(stems.background.blob))
    assert (stems.background.rate, stems.background.channels, stems.background.frames) == (16_000, 2, 64_000)
    assert stems.background.layout == "stereo"
    assert stems.notes == ()
    assert np.sqrt(np.mean(np.square(out[26_000:38_000]))) < 0.02
    assert np.array_equal(out[:20_000], samples[:20_000])
    assert desk.fractions[-1] == 1.0


def test_no_gap_is_announced(tmp_path: Path) -> None:
    """Speech without a pause: a sentence in the progress and on the stems says what was done instead."""
    desk = Desk(tmp_path)
    audio, _ = mix(desk)
    stems = engine(tmp_path).separate(Separate(audio, (Span(0, 4000),)), desk)
    assert len(stems.notes) == 1
    assert "15 dB" in stems.notes[0]
    assert desk.messages == list(stems.notes)


def test_same_request_same_bytes(tmp_path: Path) -> None:
    """The separator is deterministic: the same mix gives the same file."""
    desk = Desk(tmp_path)
    audio, _ = mix(desk)
    request = Separate(audio, (Span(1500, 2500),))
    first, second = (engine(tmp_path).separate(request, desk).background.blob for _ in range(2))
    assert first == second


def test_cancelling_stops_it(tmp_path: Path) -> None:
    """A request to stop ends the work and leaves no half file."""
    desk = Desk(tmp_path)
    audio, _ = mix(desk)
    desk.cancelled = True
    with pytest.raises(Cancelled):
        engine(tmp_path).separate(Separate(audio, (Span(1500, 2500),)), desk)
    assert list(desk.scratch.iterdir()) == []


@pytest.mark.parametrize("options", [{"window_s": 0.1}, {"makeup_db": 40}, {"erode_ms": -1}, {"depth": 3}])
def test_options_are_checked(tmp_path: Path, options: dict[str, float]) -> None:
    """Options out of range or unknown are refused."""
    with pytest.raises(ValidationError):
        engine(tmp_path, **options)


def test_it_is_ready_anywhere(tmp_path: Path) -> None:
    """No weights, no key, no package: ready, and described as what it is."""
    info = Spectral.describe()
    assert engine(tmp_path).readiness().state == "ready"
    assert (info.name, info.role, info.needs_weights, info.paid) == ("spectral", "separator", False, False)
    assert engine(tmp_path, window_s=4).options == SpectralOptions(window_s=4)
