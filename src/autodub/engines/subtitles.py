"""Transcriber that reads instead of listening: subtitles given by the user or found in the source."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from autodub.dubbing.subtitles import parse
from autodub.dubbing.tokens import SAYING
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.model.calls import Transcribe
from autodub.model.errors import BadSubtitles, EngineCannot
from autodub.model.speech import Segment, Transcript
from autodub.model.time import Span, merged, touching

_SAYING = 60
"""Milliseconds a character takes to say, unhurried."""
_DENSEST = 60
"""Characters a second that nobody can say, twice over: such subtitles belong to something else."""


class SubtitlesOptions(EngineOptions):
    """Options of the subtitles transcriber."""

    reach: int = Field(
        400, ge=0, le=3000, description="Milliseconds a subtitle's edge may move outward to meet speech."
    )


class Subtitles:
    """Takes the words from a subtitle file, the times from the file and the speech it lies on."""

    Options: ClassVar[type[EngineOptions]] = SubtitlesOptions

    def __init__(self, options: SubtitlesOptions, context: EngineContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="subtitles",
            role="transcriber",
            version="4",
            summary="reads .srt, .vtt or .ass subtitles, given or inside the source",
            licence="Apache-2.0",
        )

    def readiness(self) -> Readiness:
        return Readiness("ready", "needs a subtitle file or a subtitle track in the source")

    def transcribe(self, request: Transcribe, work: Work) -> Transcript:
        """One segment per subtitle, on the programme's clock, without words.

        Raises EngineCannot without subtitles or without a language, BadSubtitles when they cannot be read.
        """
        if request.subtitles is None:
            raise EngineCannot(
                "The subtitles transcriber has nothing to read: the source has no text subtitles.",
                hint="Give a file with --subtitles FILE.srt, or choose another --transcriber.",
            )
        if request.language is None:
            raise EngineCannot(
                "Subtitles do not say which language they are in.",
                hint="Give it with --from, such as --from en.",
            )
        data = work.path(request.subtitles).read_bytes()
        parsed = parse(data, encoding=request.subtitles_encoding)
        work.check()
        segments, outside = placed(parsed.segments, offset=request.offset, limit=request.speech.duration)
        if parsed.segments and not segments and request.spans:
            raise BadSubtitles(
                f"None of the subtitles lies within the {request.speech.duration / 1000:.0f} s of sound, "
                "in which somebody speaks.",
                hint="Check that they belong to this file, and their times.",
            )
        written = sum(len(segment.text) for segment in segments)
        if written > _DENSEST * (request.speech.duration / 1000 + 2):
            raise BadSubtitles(
                f"The subtitles hold {written} characters, more than anybody can say in "
                f"{request.speech.duration / 1000:.0f} s.",
                hint="Check that they belong to this file, and their times.",
            )
        notes = list(parsed.notes)
        if outside:
            lie, were = ("subtitle lies", "was") if outside == 1 else ("subtitles lie", "were")
            notes.append(f"{outside} {lie} outside the sound and {were} left out.")
        return Transcript(
            request.language, refined(segments, request.spans, reach=self.options.reach), tuple(notes)
        )


def placed(segments: Sequence[Segment], *, offset: int, limit: int) -> tuple[tuple[Segment, ...], int]:
    """Segments on the programme's clock, clipped to [0, limit) ms; and how many were left out.

    A segment that lies outside for more than half of its time is left out: most of it is not heard.
    One that only stays long to be read stays, when what lies inside is time enough to say it.
    """
    out = []
    for segment in segments:
        start, end = segment.span.start - offset, segment.span.end - offset
        inside = min(limit, end) - max(0, start)
        is_said = start >= 0 and inside >= _SAYING * len(segment.text)
        if inside > 0 and (is_said or 2 * inside >= end - start):
            out.append(replace(segment, span=Span(max(0, start), min(limit, end))))
    return tuple(out), len(segments) - len(out)


def refined(segments: Sequence[Segment], speech: Sequence[Span], *, reach: int) -> tuple[Segment, ...]:
    """Segments with their edges on the speech they belong to; unchanged where there is too little.

    Subtitles come early and stay long to be read. Silence at their ends is cut; speech cut by an edge is
    followed outward for up to ``reach`` ms, but not into a neighbour's time.
    """
    voiced = merged(speech)
    out: list[Segment] = []
    ends = [0]
    """Of those before, in order."""
    for at, segment in enumerate(segments):
        span = segment.span
        before = ends[bisect_right(ends, span.start) - 1]
        following = (other.span.start for other in segments[at + 1 :] if other.span.start >= span.end)
        after = next(following, span.end + reach)
        inside = touching(voiced, span)
        if inside:
            start = max(inside[0].start, span.start - reach, before)
            end = min(inside[-1].end, span.end + reach, after)
            # Where the detector hears too little for the text it missed some: then the cue is believed.
            span = Span(start, end) if end - start >= SAYING * len(segment.text) else span
        out.append(replace(segment, span=span))
        insort(ends, span.end)
    return tuple(out)
