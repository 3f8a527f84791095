"""The ffmpeg command that writes a result: which streams go in, how, and under which tags."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autodub.infra import process
from autodub.media import ffmpeg, marking
from autodub.media.containers import Container, sound_encoding
from autodub.media.sound import Pipe, Reader
from autodub.model.errors import OutputProblem
from autodub.model.media import AudioStream, MediaInfo

_OPUS_DELAY = 0.0065
"""Seconds of Opus encoder delay (312 samples, 48 kHz): Matroska players subtract what ffmpeg does not add."""
_REORDERING = 1.0
"""Seconds that decoding order may run ahead of presentation, generously."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What goes into the file besides picture and dub."""

    language: str = "und"
    """ISO 639-2 code of the dubbed speech."""
    title: str = ""
    """Name of the dubbed track in players."""
    subtitles: Path | None = None
    """SubRip file of what is spoken, embedded as soft subtitles where the file can hold them."""
    original: AudioStream | None = None
    """Sound stream of the source to keep untouched as a second track."""
    original_language: str = "und"
    """ISO 639-2 code for it, used where the source does not tag it."""
    is_synthetic: bool = True
    """Whether the file is marked as having synthetic speech; False where nothing was dubbed."""


class MuxCommand:
    """One ffmpeg command under construction, and what could not be kept."""

    def __init__(
        self,
        source: Path,
        info: MediaInfo,
        sound: Path | Pipe,
        container: Container,
        stream: AudioStream,
        extras: Extras,
        start: int,
        end: int | None,
    ) -> None:
        self.source, self.info, self.sound, self.container = source, info, sound, container
        self.stream, self.extras, self.start, self.end = stream, extras, start, end
        self.seconds = ((info.duration if end is None else min(end, info.duration)) - start) / 1000
        self.is_range = start > 0 or end is not None
        self.warnings: list[str] = []
        self.moving = [v for v in info.video if not v.is_still]
        self.stills = [v for v in info.video if v.is_still]
        self.picture: Literal["none", "copied", "encoded"] = "none"
        if self.moving and container.picture:
            inexact = not container.exact_cut and (self.is_range or self._has_hidden_start())
            self.picture = "encoded" if inexact else "copied"
        elif self.moving:
            self.warnings.append("This kind of file holds no picture: only the sound was written.")

    @property
    def ends_by_edit_list(self) -> bool:
        """Whether packets past the end are copied, for an edit list to hide (the source may do that too)."""
        return (
            self.container.exact_cut
            and self.picture == "copied"
            and (self.is_range or "mp4" in self.info.container.split(","))
        )

    def arguments(self) -> list[str]:
        """Everything between ``ffmpeg`` and the output's format and name."""
        extras, container = self.extras, self.container
        if isinstance(self.sound, Pipe):
            rate, channels = self.sound.rate, self.sound.channels
            heard = ffmpeg.piped_wav(self.sound.reading)
        else:
            with Reader(self.sound) as reader:
                rate, channels = reader.rate, reader.channels
            heard = ffmpeg.source(self.sound, formats=("wav", "w64"))
        encoding = sound_encoding(container, self.stream, rate=rate, channels=channels)
        if channels > 2 and "libmp3lame" in encoding:
            self.warnings.append("MP3 holds two channels at most: the sound was mixed down to stereo.")
        spoken = self._spoken_subtitles()
        args = [*self._cut(), *ffmpeg.offset(self.info), *ffmpeg.source(self.source)]
        if "libopus" in encoding and container.muxer in ("matroska", "webm"):
            args += ["-itsoffset", str(_OPUS_DELAY)]
        args += heard
        if spoken is not None:
            args += ffmpeg.source(spoken, formats=("srt",))
        args += self._pictures()
        args += ["-map", "1:a:0", *encoding, *self._disposition("a:0", "default")]
        args += self._named("a:0", extras.language, extras.title)
        if {"aac", "wmav2"} & set(encoding) and not container.keeps_delay:
            # The packet with nothing but encoder delay would push everything else back by as much.
            args += ["-bsf:a:0", r"noise=drop=lt(pts\,0)"]
        args += self._original()
        args += self._subtitles(spoken)
        if extras.is_synthetic:
            args += marking.options(container.muxer, self.info.comment)
        if self.is_range and self.picture != "copied":
            args += ["-t", f"{self.seconds + 0.001:.3f}"]
        if container.muxer in ("matroska", "webm"):
            # An original track may start with encoder delay before zero; it must not push the rest back.
            args += ["-avoid_negative_ts", "disabled"]
        if container.muxer in ("matroska", "webm", "ogg", "opus"):
            # Else their numbers of files and streams are random, and no file the same twice.
            args += ["-fflags", "+bitexact"]
        if container.muxer in ("mp4", "mov", "ipod"):
            args += ["-movflags", "+faststart"]
        return args

    def anchor(self) -> list[str]:
        """What goes behind the output to keep the picture on the programme's clock."""
        used = [video.index for video in self.moving] if self.picture != "none" else []
        if self.extras.original is not None:
            used.append(self.extras.original.index)
        return ffmpeg.anchor(self.info, used)

    def _cut(self) -> list[str]:
        if not self.is_range:
            return []
        # A copied picture needs the frames that its last ones are predicted from; the edit list hides them.
        margin = _REORDERING if self.picture == "copied" else 0.0
        return ["-ss", f"{self.start / 1000:.3f}", "-t", f"{self.seconds + margin:.3f}"]

    def _pictures(self) -> list[str]:
        args: list[str] = []
        if self.picture != "none":
            for video in self.moving:
                args += ["-map", f"0:{video.index}"]
            args += ["-c:v", *(self.container.picture if self.picture == "encoded" else ("copy",))]
            if self.picture == "encoded":
                self.warnings.append(
                    "The picture was encoded anew: this kind of file can only be cut at certain frames "
                    "by copying. An .mp4 file keeps the picture as it is."
                )
        if self.stills and self.container.cover:
            for number, still in enumerate(self.stills, start=len(self.moving) if args else 0):
                args += ["-map", f"0:{still.index}", f"-c:v:{number}", "copy"]
                args += self._disposition(f"v:{number}", "attached_pic")
        elif self.stills:
            self.warnings.append("This kind of file cannot keep the cover picture.")
        return args

    def _original(self) -> list[str]:
        original = self.extras.original
        if original is None:
            return []
        if not self.container.tracks:
            raise OutputProblem(
                "This kind of file holds one sound track: the original sound cannot be kept beside the dub.",
                hint="Write an .mkv or .mp4 file, or do not keep the original sound.",
            )
        args = ["-map", f"0:{original.index}", "-c:a:1", "copy", *self._disposition("a:1", "0")]
        if not self.container.keeps_delay:  # nothing hides what a source's edit list hid
            args += ["-bsf:a:1", r"noise=drop=lt(pts+duration\,0)"]
        return args + self._named("a:1", original.language or self.extras.original_language, "")

    def _spoken_subtitles(self) -> Path | None:
        path = self.extras.subtitles
        if path is None or not self.container.subtitles or b"-->" not in path.read_bytes():
            return None
        return path

    def _subtitles(self, spoken: Path | None) -> list[str]:
        args: list[str] = []
        number = 0
        if spoken is not None:
            args += ["-map", "2:s:0", "-c:s:0", self.container.subtitles, *self._disposition("s:0", "0")]
            args += self._named("s:0", self.extras.language, self.extras.title)
            number = 1
        for subtitle in self.info.subtitles:
            copied = self.container.muxer == "matroska" and subtitle.codec not in (
                "mov_text",
                "webvtt",
                "text",
            )
            if not self.container.subtitles or not (subtitle.is_text or copied):
                self.warnings.append(
                    f"Subtitle track {subtitle.index} ({subtitle.codec}) of the source could not be kept."
                )
                continue
            codec = "copy" if copied else self.container.subtitles
            args += ["-map", f"0:{subtitle.index}", f"-c:s:{number}", codec]
            number += 1
        return args

    def _has_hidden_start(self) -> bool:
        """Whether an MP4 source begins with frames that its edit list hides; other formats cannot."""
        if "mp4" not in self.info.container.split(","):
            return False
        program = process.find("ffprobe", package="ffmpeg")
        first = ["-show_entries", "packet=flags", "-read_intervals", "%+#1"]
        argv = [
            program, "-v", "error", "-of", "json", "-select_streams", str(self.moving[0].index), *first,
            *ffmpeg.source(self.source),
        ]  # fmt: skip
        found: dict[str, Any] = json.loads(process.run(argv, deadline=60.0).stdout or b"{}")
        return any("D" in packet.get("flags", "") for packet in found.get("packets", []))

    @staticmethod
    def _disposition(which: str, value: str) -> list[str]:
        return [f"-disposition:{which}", value]

    @staticmethod
    def _named(which: str, language: str, title: str) -> list[str]:
        tags = [f"language={language}"]
        if title:  # MP4 has no titles of tracks; players show the handler's name instead
            tags += [f"title={title}", f"handler_name={title}"]
        return [word for tag in tags for word in (f"-metadata:s:{which}", tag)]
