"""Small recordings for tests: recipes for ffmpeg, and ways to look at what comes out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodub.media import sound

RECIPES: dict[str, str] = {
    # 4 s of picture with B-frames and sound that never repeats, so that an offset cannot hide
    "stereo.mp4": "{picture} {noise} -map 0 -map 1 -c:v libx264 -bf 2 -g 50 -c:a aac -b:a 192k",
    "mono.mp4": "{picture} {noise} -map 0 -map 1 -c:v libx264 -ac 1 -c:a aac",
    "surround.mkv": "{picture} -f lavfi -i aevalsrc=0|0|0.3*sin(600*t)|0|0|0:d=4:c=5.1:s=48000 "
    "-map 0 -map 1 -c:v libx264 -c:a flac",
    "low.wav": "{noise} -ar 8000 -ac 1 -c:a pcm_s16le",
    "high.wav": "{noise} -ar 96000 -c:a pcm_s24le",
    "silent.mp4": "{picture} -c:v libx264",
    "cover.mp3": "{noise} -f lavfi -i color=red:s=64x64:d=0.1 -map 0 -map 1 -frames:v 1 -c:v mjpeg "
    "-disposition:v attached_pic -c:a libmp3lame -metadata title=Song",
    "variable.mkv": "{picture} {noise} -vf select=not(mod(n\\,3))+gt(t\\,2) -vsync vfr -map 0:v -map 1 "
    "-c:v libx264 -c:a aac",
    "many.mkv": "{picture} {noise} -f lavfi -i sine=f=500:d=4 -i {srt} -map 0 -map 1 -map 2 -map 3 -map 3 "
    "-c:v libx264 -c:a aac -c:s:0 srt -c:s:1 ass -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu "
    "-metadata:s:s:0 language=eng -metadata:s:s:1 language=deu -disposition:a:1 default -disposition:a:0 0 "
    "-metadata title=Film -metadata comment=Seen",
    "late.mp4": "{picture} -itsoffset 0.5 {noise} -map 0 -map 1 -c:v libx264 -c:a flac -strict -2",
    "opus.webm": "{picture} {noise} -map 0 -map 1 -c:v libvpx -deadline realtime -c:a libopus",
    "short.mp4": "{picture} -f lavfi -i anoisesrc=d=2:r=44100:seed=1 -map 0 -map 1 -c:v libx264 -c:a aac",
    "stream.ts": "{picture} {noise} -map 0 -map 1 -c:v libx264 -c:a aac",
    "late-sound.ts": "{picture} -itsoffset 0.5 {noise} -map 0 -map 1 -c:v libx264 -c:a aac",
    "late-picture.ts": "-itsoffset 0.5 {picture} {noise} -map 0 -map 1 -c:v libx264 -c:a aac",
    "raw.aac": "{noise} -c:a aac",
}
PICTURE = "-f lavfi -i testsrc2=s=128x96:r=25:d=4"
NOISE = "-f lavfi -i anoisesrc=d=4:r=44100:seed=1:a=0.3,lowpass=f=4000,pan=stereo|c0=c0|c1=0.5*c0"
SRT = "1\n00:00:00,500 --> 00:00:01,500\nHello there.\n\n2\n00:00:02,000 --> 00:00:03,000\nGoodbye.\n"

Clip = Callable[[str], Path]


def build(name: str, folder: Path) -> Path:
    """Make a recording by the name of its recipe, once per folder."""
    path = folder / name
    subtitles = folder / "said.srt"
    subtitles.write_text(SRT)
    if not path.exists():
        recipe = RECIPES[name].format(picture=PICTURE, noise=NOISE, srt=subtitles)
        subprocess.run(["ffmpeg", "-v", "error", "-y", *recipe.split(), str(path)], check=True)
    return path


def ffmpeg_samples(path: Path, *options: str, channels: int) -> NDArray[np.float32]:
    """What plain ffmpeg decodes from a file, as (n, channels)."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), *options, "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, dtype="<f4").reshape(-1, channels)


def packets(path: Path, which: str) -> str:
    """Fingerprint of every packet of the streams ``which`` of a file, as they are stored."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", which, "-c", "copy", "-f", "streamhash", "-"]
    return re.sub(r"(?m)^\d+", "", subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def pictures(path: Path) -> list[tuple[int, str]]:
    """Presentation time in milliseconds and fingerprint of every decoded frame of a file."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:V", "-fps_mode", "passthrough"]
    command += ["-enc_time_base", "1:1000", "-f", "framemd5", "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    return [(int(row[2]), row[5].strip()) for row in rows]


def lag(heard: NDArray[np.float32], expected: NDArray[np.float32]) -> int:
    """Samples by which ``heard`` comes later than ``expected`` (best cross-correlation)."""
    size = min(len(heard), len(expected), 1 << 17)
    spectrum = np.fft.rfft(heard[:size, 0], 2 * size) * np.conj(np.fft.rfft(expected[:size, 0], 2 * size))
    best = int(np.argmax(np.fft.irfft(spectrum)))
    return best if best < size else best - 2 * size


def noise(frames: int, channels: int, *, seed: int = 7) -> NDArray[np.float32]:
    """Band-limited noise that every codec keeps well and that matches itself at one lag only."""
    white = np.random.default_rng(seed).standard_normal((frames + 15, channels))
    smooth = np.apply_along_axis(np.convolve, 0, white, np.hanning(16), mode="valid")
    return (0.1 * smooth / smooth.std()).astype(np.float32)


def spoken(text: str, folder: Path, *, voice: str = "slt") -> tuple[NDArray[np.float32], int]:
    """A flite voice saying ``text``: mono samples (n,) and their rate."""
    path = folder / "spoken.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    samples, rate = sound.load(path)
    return samples[:, 0], rate
