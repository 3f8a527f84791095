"""Producing the finished file: the mix rendered once, encoded once, put under the untouched picture."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from autodub.engines.roles import Work
from autodub.media import sound
from autodub.media.mux import Extras, mux
from autodub.media.mux import rehearse as rehearse_mux
from autodub.media.render import Rendered, render
from autodub.media.sound import Pipe
from autodub.media.survey import MixSource, kept_cells
from autodub.model.errors import Cancelled
from autodub.model.job import Degradation
from autodub.pipeline.studio import Produce, Produced, Rehearse, Rehearsed

_MIXING = 0.95
"""Share of the time after which everything is mixed; the encoder is done soon after."""
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
    """Render and mux in the call's own folder; only the finished file and its bed are kept.

    The mix goes to the encoder while it is made: that keeps two cores busy, and no programme's worth of
    samples on the disk.
    """
    bed, output = work.scratch / "bed.wav", work.scratch / f"dub{request.suffix}"
    dialogue = work.scratch / "dialogue.flac" if request.timeline.placements else None
    info, mix = request.source.info, request.mix
    stream = next(s for s in info.audio if s.index == request.stream)
    extras = Extras(
        language=request.language,
        original=stream if request.keep_original_audio else None,
        original_language=request.spoken,
        subtitles=work.path(request.subtitles.srt) if request.subtitles else None,
        is_synthetic=bool(request.timeline.placements),
    )
    pipe = Pipe(rate=mix.rate, channels=mix.channels, frames=mix.frames)
    is_over = threading.Event()

    def go_on() -> None:
        work.check()
        if is_over.is_set():
            raise Cancelled("The encoder has ended.")

    def mixing() -> Rendered:
        try:
            return render(
                mix=work.path(mix.blob),
                background=work.path(request.background.blob) if request.background else None,
                source=MixSource(
                    *kept_cells(work.path(request.surveyed.cells)),
                    request.surveyed.lufs,
                    request.surveyed.true_peak,
                    request.surveyed.clipped,
                ),
                spans=request.spans,
                keep=request.keep,
                timeline=request.timeline,
                clip_path=work.path,
                out=pipe,
                bed16=bed,
                target_lufs=request.loudness,
                layout=mix.layout,
                bed_is_estimate=request.is_estimate,
                lines=request.lines,
                dialogue=dialogue,
                progress=lambda fraction: work.progress(_MIXING * fraction, "mixing"),
                check=go_on,
            )
        finally:
            pipe.stop_writing()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="mix") as pool:
        rendering = pool.submit(mixing)

        def encoding() -> None:
            work.check()
            if rendering.done():
                rendering.result()  # what stopped the mixing is told, not that the encoder got too little

        try:
            muxed = mux(
                Path(request.source.path), info, pipe, output, stream=stream, extras=extras,
                start=request.start, end=request.end, check=encoding,
            )  # fmt: skip
        except BaseException:
            is_over.set()
            raise
        finally:
            pipe.stop_reading()
    rendered = rendering.result()
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
        work.keep(dialogue) if dialogue else None,
    )
