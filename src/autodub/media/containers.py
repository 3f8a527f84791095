"""What each kind of output file can hold, and how its sound is encoded: once, from float32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autodub.model.errors import OutputProblem
from autodub.model.media import AudioStream


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of output file."""

    muxer: str
    """ffmpeg's name of the format."""
    sound: str
    """Family of the dubbed track: an encoder, ``kept`` (lossless stays lossless) or ``pcm``."""
    picture: tuple[str, ...] = ()
    """Encoder and its options where a picture has to be cut inside a group; empty = holds no picture."""
    subtitles: str = ""
    """Encoder of soft subtitles; empty = holds none."""
    tracks: bool = True
    """False for files with a single sound track."""
    cover: bool = False
    """Whether attached pictures can be kept."""
    exact_cut: bool = False
    """Whether an edit list can start a copied picture in the middle of a group of frames."""
    keeps_delay: bool = False
    """Whether the file says how many samples of AAC encoder delay a player must skip."""


_H264 = ("libx264", "-crf", "18", "-preset", "veryfast")
_MP4 = Container("mp4", "aac", _H264, "mov_text", cover=True, exact_cut=True, keeps_delay=True)
_MOV = Container("mov", "aac", _H264, "mov_text", cover=True, exact_cut=True, keeps_delay=True)
_MATROSKA = Container("matroska", "kept", _H264, "srt", cover=True)
_WEBM = Container(
    "webm",
    "libopus",
    ("libvpx-vp9", "-crf", "31", "-b:v", "0", "-deadline", "good", "-cpu-used", "5", "-row-mt", "1"),
    "webvtt",
)
_TRANSPORT = Container("mpegts", "aac", _H264)
_OGG = Container("ogg", "libvorbis", ("libtheora", "-q:v", "8"))

CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".m4a": Container("ipod", "aac", tracks=False, cover=True, keeps_delay=True),
    ".mov": _MOV,
    ".mkv": _MATROSKA,
    ".mka": Container("matroska", "kept", cover=True),
    ".webm": _WEBM,
    ".avi": Container("avi", "pcm", ("mpeg4", "-q:v", "3")),
    ".ts": _TRANSPORT,
    ".m2ts": _TRANSPORT,
    ".mts": _TRANSPORT,
    ".flv": Container("flv", "aac", _H264, tracks=False),
    ".wmv": Container("asf", "wmav2", ("wmv2", "-q:v", "3")),
    ".ogv": _OGG,
    ".ogg": Container("ogg", "libvorbis", tracks=False),
    ".oga": Container("ogg", "libvorbis", tracks=False),
    ".opus": Container("opus", "libopus", tracks=False),
    ".mp3": Container("mp3", "libmp3lame", tracks=False, cover=True),
    ".flac": Container("flac", "flac", tracks=False, cover=True),
    ".wav": Container("wav", "pcm", tracks=False),
    ".w64": Container("w64", "pcm", tracks=False),
    ".aiff": Container("aiff", "pcm_be", tracks=False),
    ".aif": Container("aiff", "pcm_be", tracks=False),
}
"""By file name ending, in lower case."""

_LOSSLESS = ("flac", "alac", "wavpack", "tta", "tak", "ape", "truehd", "mlp")
_BITS = {1: 128_000, 2: 192_000, 6: 384_000, 8: 512_000}


def container_of(output: Path) -> Container:
    """The kind of file a name asks for. Raises OutputProblem when it cannot be written."""
    container = CONTAINERS.get(output.suffix.lower())
    if container is None:
        raise OutputProblem(
            f"Files ending in {output.suffix!r} cannot be written.",
            hint=f"Choose an output that ends in .mkv, such as {output.stem}.mkv; it holds most things.",
        )
    return container


def is_lossless(codec: str) -> bool:
    """Whether a codec keeps every sample, so that the dub should too."""
    return codec in _LOSSLESS or (codec.startswith("pcm_") and codec not in ("pcm_alaw", "pcm_mulaw"))


def sound_encoding(container: Container, source: AudioStream, *, rate: int, channels: int) -> list[str]:
    """Encoder options of the dubbed track, for a sound of ``rate`` and ``channels``.

    Lossless targets get 24 bits (or float) where the source has more than 16: a 16-bit source's own
    samples survive bit for bit outside speech either way.
    """
    bits = min(_BITS.get(channels, 96_000 * channels), 4 * rate * channels)
    family = container.sound
    if family == "kept":
        family = "flac" if is_lossless(source.codec) else "aac"
    if family in ("pcm", "pcm_be"):
        return ["-c:a:0", _pcm(source.codec, "be" if family == "pcm_be" else "le")]
    if family == "flac":
        return ["-c:a:0", "flac", "-sample_fmt:a:0", "s32", "-bits_per_raw_sample:a:0", "24"]
    if family == "libmp3lame":
        return ["-c:a:0", family, "-b:a:0", str(min(bits, 320_000) if rate >= 32_000 else 64_000)]
    if family == "aac":
        # Of ffmpeg's two AAC coders this one is both closer to the original at these rates and cheaper.
        # Searching for mid/side and intensity stereo doubles its time; at these rates it is not needed
        # (41 dB signal to noise on speech over music without, 34 dB with the default coder and all of it).
        options = ["-aac_coder:a:0", "fast", "-aac_ms:a:0", "0", "-aac_is:a:0", "0"]
        return ["-c:a:0", family, "-b:a:0", str(bits), *options]
    if family == "libopus":
        return [
            "-c:a:0",
            family,
            "-b:a:0",
            str(bits),
            *(["-mapping_family:a:0", "1"] if channels > 2 else []),
        ]
    return ["-c:a:0", family, "-b:a:0", str(bits)]


def _pcm(codec: str, order: str) -> str:
    if codec.startswith(("pcm_f", "pcm_s32", "pcm_s64")):
        return f"pcm_f32{order}"
    if codec.startswith("pcm_s24") or codec in _LOSSLESS:
        return f"pcm_s24{order}"
    return f"pcm_s16{order}"
