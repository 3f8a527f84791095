"""A programme with known stems: chords, noise bursts and ambience under a voice; and clips to dub it with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autodub.media import sound
from autodub.media.render import Rendered, fitted_frames, render
from autodub.media.survey import survey
from autodub.model.media import Audio, Blob, Clip, Placement, Timeline
from autodub.model.speech import Line
from autodub.model.time import Span


def voice(seconds: float, rate: int, *, pitch: float = 120.0, seed: int = 0) -> np.ndarray:
    """Something like speech: a buzz with moving formants, four syllables a second, RMS 0.1."""
    from scipy.signal import butter, sosfilt

    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    turns = np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 1.3 * time + seed))) / rate
    buzz = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, int(min(3500, rate / 2.2) / pitch / 1.2)))
    formants = np.zeros_like(time)
    for low, high in ((300, 900), (1000, 1800), (2200, 3000)):
        part = sosfilt(butter(2, [low, min(high, rate * 0.45)], "bandpass", fs=rate, output="sos"), buzz)
        formants += part * (0.6 + 0.4 * np.sin(2 * np.pi * 1.7 * time + rng.uniform(0, 6)))
    syllables = 0.15 + 0.85 * np.square(np.sin(np.pi * 2.1 * time + rng.uniform(0, 3)))
    out = formants * syllables
    return (0.1 * out / np.sqrt(np.mean(np.square(out)))).astype(np.float32)


def background(
    seconds: float, rate: int, *, channels: int = 2, wide: bool = True, seed: int = 1
) -> np.ndarray:
    """Chords that change every four seconds, ambience, and a noise burst every two; RMS 0.05."""
    from scipy.signal import butter, sosfilt

    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    time = np.arange(count) / rate
    out = np.zeros((count, channels))
    for begin in range(0, int(np.ceil(seconds)), 4):
        here = slice(begin * rate, min(count, (begin + 4) * rate))
        for note in np.array(
            [(220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247)][begin // 4 % 4]
        ):
            for k in range(1, 6):
                tone = np.sin(2 * np.pi * note * k * time[here] + rng.uniform(0, 6)) / k
                tone *= np.exp(-0.3 * (time[here] - begin))
                pan = rng.uniform(0.1, 0.9, channels) if wide else np.full(channels, 0.7)
                out[here] += tone[:, np.newaxis] * np.sqrt(pan)
    noise = rng.standard_normal((count, channels))
    if not wide:
        noise[:] = noise[:, :1]
    noise = sosfilt(butter(1, min(800, rate / 4), fs=rate, output="sos"), noise, axis=0)
    out = out / np.sqrt(np.mean(np.square(out))) + 0.5 * noise / np.sqrt(np.mean(np.square(noise)))
    for at in np.arange(0.7, seconds - 0.3, 1.9):
        size = int(0.12 * rate)
        burst = rng.standard_normal((size, 1)) * np.hanning(size)[:, np.newaxis] * 1.5
        out[int(at * rate) : int(at * rate) + size] += burst * (0.8 if wide else 0.7)
    return (0.05 * out / np.sqrt(np.mean(np.square(out)))).astype(np.float32)


@dataclass
class Scene:
    """Files of a programme and the dub's clips; collects placements and lines."""

    folder: Path
    rate: int = 48_000
    channels: int = 2
    layout: str = "stereo"
    frames: int = 0
    mix: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.float32))
    placements: list[Placement] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    background: Path | None = None

    def programme(self, mix: np.ndarray, background: np.ndarray | None = None) -> None:
        """Give the mix and, if there is one, the known background."""
        self.mix, self.frames = mix.astype(np.float32), len(mix)
        sound.store(self.mix, self.rate, self.folder / "mix.wav")
        if background is not None:
            self.background = self.folder / "background.wav"
            sound.store(background.astype(np.float32), self.rate, self.background)

    def line(
        self,
        start: int,
        samples: np.ndarray,
        *,
        rate: int | None = None,
        span: Span | None = None,
        speaker: str = "a",
        **more: Any,
    ) -> Placement:
        """Place a clip at sample ``start``; with ``span`` it dubs a line that was spoken there."""
        name = f"L{len(self.placements):04d}"
        rate = rate or self.rate
        self.files[name] = self.folder / f"{name}.wav"
        sound.store(samples, rate, self.files[name])
        clip = Clip(Audio(Blob(name, 1, ".wav"), rate, 1, len(samples)), 1.0)
        stretch, pauses = more.pop("stretch", 1.0), more.pop("pauses", ())
        frames = fitted_frames(clip, stretch=stretch, pauses=pauses, rate=self.rate)
        placement = Placement(name, start, frames, clip, stretch, pauses, **more)
        self.placements.append(placement)
        if span is not None:
            self.spans.append(span)
            self.lines.append(Line(name, span, "text", speaker))
        return placement

    def render(self, **changes: Any) -> tuple[Rendered, np.ndarray, np.ndarray]:
        """What was measured, the output ``(n, channels)`` and the bed at 16 kHz ``(n,)``."""
        arguments: dict[str, Any] = {
            "mix": self.folder / "mix.wav",
            "background": self.background,
            "spans": self.spans,
            "keep": (),
            "timeline": Timeline(self.rate, self.frames, tuple(self.placements)),
            "clip_path": lambda blob: self.files[blob.digest],
            "out": self.folder / "out.wav",
            "bed16": self.folder / "bed.wav",
            "target_lufs": None,
            "layout": self.layout,
            "bed_is_estimate": False,
            "lines": self.lines,
        }
        asked = arguments | changes
        about = {name: asked[name] for name in ("mix", "background", "spans", "keep", "layout")}
        done = render(**asked, source=survey(**about))
        out, rate = sound.load(arguments["out"])
        bed, narrow = sound.load(arguments["bed16"])
        assert (rate, narrow) == (self.rate, 16_000)
        return done, out, bed[:, 0]


def dialogue(
    folder: Path, *, seconds: int = 14, ratio: float = 12.0, gains: tuple[float, ...] = (0.0,)
) -> Scene:
    """Stereo at 48 kHz with lines of 3 s every 5 s over a background, and a dub a little shorter.

    ``ratio`` is speech over background in dB, ``gains`` the level of each line in turn, dB.
    """
    scene = Scene(folder)
    ground = background(seconds, scene.rate) * np.float32(0.3)
    speech = np.zeros(len(ground), dtype=np.float32)
    factor = np.sqrt(np.mean(np.square(ground))) / 0.1 * 10 ** (ratio / 20)
    for index, begin in enumerate(range(1, seconds - 3, 5)):
        level = factor * 10 ** (gains[index % len(gains)] / 20)
        at = begin * scene.rate
        speech[at : at + 3 * scene.rate] += voice(3.0, scene.rate, seed=index) * level
        scene.line(
            at + 2400,
            voice(2.7, 22_050, pitch=180, seed=50 + index) * np.float32(0.5),
            rate=22_050,
            span=Span(begin * 1000, begin * 1000 + 3000),
        )
    scene.programme(ground + speech[:, np.newaxis], ground)
    return scene
