"""Only the first half of a dub: what a source says, with times and speakers."""

from __future__ import annotations

from pathlib import Path

from autodub.engines.context import engine_context
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway, nobody
from autodub.gateway.opening import open_store
from autodub.infra.settings import Settings
from autodub.model.job import Listener
from autodub.model.request import DubRequest
from autodub.model.speech import Segment
from autodub.pipeline.listening import find_speech, hear
from autodub.pipeline.opening import open_source
from autodub.pipeline.plan import make_hearing
from autodub.pipeline.run import Run


def transcribe(
    source: Path | str,
    *,
    settings: Settings,
    spoken: str | None = None,
    transcriber: str | None = None,
    listener: Listener = nobody,
    cancel: Cancel | None = None,
) -> tuple[Segment, ...]:
    """The lines of a source as subtitles: one segment per line, in time order."""
    store = open_store(settings)
    run = Run(Gateway(store, listener=listener, cancel=cancel, redact=settings.redact), listener)
    try:
        engines = {"transcriber": transcriber} if transcriber else {}
        request = DubRequest(str(source), target="", spoken=spoken, engines=engines)
        context = engine_context(settings)
        with run.stage("open", "looking at the source"):
            opened = open_source(run, request, context, picture=False)
        plan = make_hearing(request, opened.sound, context)
        heard = hear(run, plan, find_speech(run, plan), request=request)
    finally:
        run.gateway.close()
        store.close()
    return tuple(Segment(line.span, line.text, speaker=line.speaker) for line in heard.lines)
