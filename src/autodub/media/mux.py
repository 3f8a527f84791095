"""Writing the result: the source's picture copied packet by packet, with the dubbed sound beside it.

The file is complete under its final name or not there at all: it is written under a temporary name
in the same folder, flushed to the disk, and moved. Nothing is cut to the shorter stream, ever.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autodub.infra import process
from autodub.media import ffmpeg
from autodub.media.containers import Container, container_of, sound_encoding
from autodub.media.edit_list import limit_presentation
from autodub.media.sound import Reader
from autodub.model.errors import AutodubError, OutputProblem
from autodub.model.media import AudioStream, MediaInfo

SYNTHETIC = "Dubbed by Autodub: the speech in this file is synthetic."
"""What every output says about itself."""

_OPUS_DELAY = 0.0065
"""Seconds of Opus encoder delay (312 samples, 48 kHz): Matroska players subtract what ffmpeg does not add."""
_REORDERING = 1.0
"""Seconds that decoding order may run ahead of presentation, generously."""
_NOT_HELD = re.compile(
    r"not currently supported in container|Only (VP8|audio|.* are supported)|"
    r"[Uu]nsupported codec|not supported in|incorrect codec parameters|[Ii]ncompatible|"
    r"muxer does not support|only supports|Invalid (audio|video|subtitle) stream|Exactly one|"
    r"header .*: Invalid argument"
)


@dataclass(frozen=True, slots=True)
class Muxed:
    """A finished file."""

    path: Path
    picture: Literal["none", "copied", "encoded"]
    """What became of the picture; ``encoded`` only where a range cannot be cut exactly by copying."""
    warnings: tuple[str, ...] = ()
    """What could not be kept, in sentences for people."""


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
    comment: str = SYNTHETIC


def mux(
    source: Path,
    info: MediaInfo,
    sound: Path,
    output: Path,
    *,
    stream: AudioStream,
    extras: Extras | None = None,
    start: int = 0,
    end: int | None = None,
    check: Callable[[], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Muxed:
    """Write ``output``: the source's picture with ``sound`` (a float32 WAV on the programme's clock).

    ``stream`` is the source's stream that ``sound`` replaces. ``start`` and ``end`` (ms) are the range
    that ``sound`` covers. Raises OutputProblem when the output cannot be written or cannot hold what
    it should, and MediaError when ffmpeg fails for another reason; nothing is left behind then.
    """
    extras = extras or Extras()
    container = container_of(output)
    refuse_output(output, source)
    job = _Job(source, info, sound, container, stream, extras, start, end)
    arguments = job.arguments()
    with _atomically(output) as temporary:
        command = [*arguments, "-f", container.muxer, ffmpeg.name(temporary)]
        result = ffmpeg.call(
            command,
            duration=job.seconds,
            what=f"write {output.name}",
            check=check,
            progress=progress,
            memory=None if job.picture == "encoded" else ffmpeg.MEMORY,
            speed=20.0 if job.picture == "encoded" else ffmpeg.SPEED,
        )
        if result.code != 0:
            raise _refusal(result, command, output)
        if job.is_range and job.picture == "copied":
            limit_presentation(temporary, round(job.seconds * 1000))
    return Muxed(output, job.picture, tuple(job.warnings))


def refuse_output(output: Path, source: Path) -> None:
    """Raise OutputProblem for an output that must not be written: the source itself, a folder, a device."""
    container_of(output)
    try:
        state = output.stat()
    except FileNotFoundError:
        if not output.parent.is_dir():
            raise OutputProblem(
                f"The folder {output.parent} does not exist.", hint="Create it, or choose another output."
            ) from None
        return
    except OSError as error:
        raise _problem(output, error) from error
    if stat.S_ISDIR(state.st_mode):
        raise OutputProblem(f"{output} is a folder.", hint="Add a file name, such as dubbed.mp4.")
    if not stat.S_ISREG(state.st_mode):
        raise OutputProblem(f"{output} is not an ordinary file.", hint="Choose another output.")
    if source.exists() and output.samefile(source):
        raise OutputProblem(
            f"The output {output} is the source itself, which is never changed.",
            hint="Choose another name for the output.",
        )


class _Job:
    """One ffmpeg command under construction, and what could not be kept."""

    def __init__(
        self,
        source: Path,
        info: MediaInfo,
        sound: Path,
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
            self.picture = "encoded" if self.is_range and not container.exact_cut else "copied"
        elif self.moving:
            self.warnings.append("This kind of file holds no picture: only the sound was written.")

    def arguments(self) -> list[str]:
        """Everything between ``ffmpeg`` and the output's format and name."""
        extras, container = self.extras, self.container
        with Reader(self.sound) as reader:
            rate, channels = reader.rate, reader.channels
        encoding = sound_encoding(container, self.stream, rate=rate, channels=channels)
        if channels > 2 and "libmp3lame" in encoding:
            self.warnings.append("MP3 holds two channels at most: the sound was mixed down to stereo.")
        spoken = self._spoken_subtitles()
        args = [*self._cut(), *ffmpeg.offset(self.info), *ffmpeg.source(self.source)]
        if "libopus" in encoding and container.muxer in ("matroska", "webm"):
            args += ["-itsoffset", str(_OPUS_DELAY)]
        args += ffmpeg.source(self.sound, formats=("wav", "w64"))
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
        args += ["-metadata", f"comment={self._comment()}"]
        if self.is_range and self.picture != "copied":
            args += ["-t", f"{self.seconds + 0.001:.3f}"]
        if container.muxer in ("matroska", "webm"):
            # An original track may start with encoder delay before zero; it must not push the rest back.
            args += ["-avoid_negative_ts", "disabled"]
        if container.muxer in ("mp4", "mov", "ipod"):
            args += ["-movflags", "+faststart"]
        return args

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
                    "The picture of the range was encoded anew: this kind of file can be cut by copying "
                    "at certain frames only. MP4 keeps the picture as it is."
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

    def _comment(self) -> str:
        """The source's own comment, if any, and ours."""
        result = process.run(
            [process.find("ffprobe", package="ffmpeg"), "-v", "error", "-of", "json",
             "-show_entries", "format_tags=comment:stream_tags=comment", *ffmpeg.source(self.source)],
            deadline=60.0,
        )  # fmt: skip
        tags = json.loads(result.stdout or b"{}").get("format", {}).get("tags", {})
        own = next((str(value) for key, value in tags.items() if key.lower() == "comment"), "")
        return self.extras.comment if self.extras.comment in own else f"{own}\n{self.extras.comment}".strip()

    @staticmethod
    def _disposition(which: str, value: str) -> list[str]:
        return [f"-disposition:{which}", value]

    @staticmethod
    def _named(which: str, language: str, title: str) -> list[str]:
        tags = [f"language={language}"]
        if title:  # MP4 has no titles of tracks; players show the handler's name instead
            tags += [f"title={title}", f"handler_name={title}"]
        return [word for tag in tags for word in (f"-metadata:s:{which}", tag)]


def _refusal(result: process.Result, command: list[str], output: Path) -> AutodubError:
    lines = ffmpeg.complaints(result)
    reason = next((line for line in lines if _NOT_HELD.search(line)), None)
    if reason is None:
        return ffmpeg.failure(result, command, f"write {output.name}")
    return OutputProblem(
        f"A {output.suffix} file cannot hold everything of this source ({reason.rstrip('.')}).",
        hint=f"Use .mkv, which holds nearly everything: -o {output.stem}.mkv",
    )


@contextlib.contextmanager
def _atomically(output: Path) -> Iterator[Path]:
    """A temporary file beside ``output`` that takes its name when the block succeeds."""
    temporary = output.with_name(f".autodub-{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        with temporary.open("xb"):
            pass
    except OSError as error:
        raise _problem(output, error) from error
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(output)
        folder = os.open(output.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _problem(output, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _problem(output: Path, error: OSError) -> OutputProblem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputProblem(
            f"There is no room left on the disk to write {output}.",
            hint="Make room, or choose another output.",
        )
    return OutputProblem(
        f"{output} cannot be written: {error.strerror or error}.",
        hint="Check the folder's permissions, or choose another output.",
    )
