"""Producing the finished file: the mix rendered once, encoded once, put under the untouched picture."""

from __future__ import annotations

from pathlib import Path

from autodub.engines.roles import Work
from autodub.media import sound
from autodub.media.mux import Extras, mux
from autodub.media.mux import rehearse as rehearse_mux
from autodub.media.render import render
from autodub.model.job import Degradation
from autodub.pipeline.studio import Produce, Produced, Rehearse, Rehearsed

_RENDERING = 0.7
"""Share of the time that goes into rendering; the rest is encoding."""
_COPIED = {"none": None, "copied": True, "encoded": False}
_WORD = "1\n00:00:00,000 --> 00:00:00,050\n-\n"
"""A subtitle for rehearsals."""


def rehearse(request: Rehearse, work: Work) -> Rehearsed:
    """Write the beginning of the output and throw it away. Raises OutputProblem."""
    info = request.source.info
    stream = next(s for s in info.audio if s.index == request.stream)
    subtitles = work.scratch / "word.srt"
    subtitles.write_text(_WORD, encoding="utf-8")
    extras = Extras(
        language=request.language,
        original=stream if request.keep_original_audio else None,
        subtitles=subtitles,
    )
    muxed = rehearse_mux(
        Path(request.source.path), info, work.scratch / f"rehearsal{request.suffix}", stream=stream,
        extras=extras, start=request.start, end=request.end, check=work.check,
    )  # fmt: skip
    return Rehearsed(_COPIED[muxed.picture])


def produce(request: Produce, work: Work) -> Produced:
    """Render and mux in the call's own folder; only the finished file and its bed are kept."""
    mixed, bed = work.scratch / "mixed.wav", work.scratch / "bed.wav"
    rendered = render(
        mix=work.path(request.mix.blob),
        background=work.path(request.background.blob) if request.background else None,
        spans=request.spans,
        keep=request.keep,
        timeline=request.timeline,
        clip_path=work.path,
        out=mixed,
        bed16=bed,
        target_lufs=request.loudness,
        layout=request.mix.layout,
        bed_is_estimate=request.is_estimate,
        lines=request.lines,
        progress=lambda fraction: work.progress(_RENDERING * fraction, "mixing"),
        check=work.check,
    )
    info = request.source.info
    stream = next(s for s in info.audio if s.index == request.stream)
    output = work.scratch / f"dub{request.suffix}"
    extras = Extras(
        language=request.language,
        original=stream if request.keep_original_audio else None,
        original_language=request.spoken,
        subtitles=work.path(request.subtitles.srt) if request.subtitles else None,
    )
    muxed = mux(
        Path(request.source.path), info, mixed, output, stream=stream, extras=extras,
        start=request.start, end=request.end, check=work.check,
        progress=lambda fraction: work.progress(_RENDERING + (1 - _RENDERING) * fraction, "encoding"),
    )  # fmt: skip
    mixed.unlink()
    kept = work.keep(bed)
    notes = [
        Degradation("output", "something of the source could not be carried over", note)
        for note in muxed.warnings
    ]
    if muxed.picture == "encoded":
        notes.append(
            Degradation(
                "picture",
                "the picture of the range was encoded again",
                f"{request.suffix} files cannot be cut exactly by copying; .mp4 can",
            )
        )
    return Produced(
        work.keep(output),
        sound.audio(kept, work.path(kept), "mono"),
        rendered,
        _COPIED[muxed.picture],
        tuple(notes),
    )
