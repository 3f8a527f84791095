"""Only what a dub would cost: the source is opened and searched for speech, and nobody paid is asked."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from autodub.dubbing.cost import Estimate
from autodub.engines.context import engine_context
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import nobody
from autodub.gateway.opening import open_store
from autodub.infra.settings import Settings
from autodub.model.job import Listener
from autodub.model.request import DubRequest
from autodub.model.time import total
from autodub.pipeline import spending
from autodub.pipeline.listening import find_speech
from autodub.pipeline.names import one_line, refuse_unwritable
from autodub.pipeline.opening import open_source, output_name
from autodub.pipeline.outputs import outputs_for, outputs_named
from autodub.pipeline.plan import languages, make_plan
from autodub.pipeline.run import Run


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a dub would be, before anything is spent on it."""

    title: str
    duration: int
    """Milliseconds that would be dubbed."""
    speech: int
    """Milliseconds of them in which somebody speaks."""
    engines: tuple[tuple[str, str], ...]
    """(role, name) of the engines that would be asked."""
    cost: Estimate | None
    """From the beginning, as if no work were kept; None when none of the engines costs money."""


def foretell(
    request: DubRequest,
    *,
    settings: Settings,
    listener: Listener = nobody,
    cancel: Cancel | None = None,
    owner: str | None = None,
) -> Foretold:
    """What a dub would cost. Raises what the dub itself would raise before anything is spent.

    Of an address the sound is fetched, which the dub then finds kept. ``owner`` is whose that is, until
    ``Store.release``.
    """
    refuse_unwritable(request)
    store = open_store(settings, owner=owner)
    stop = cancel or Cancel()
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(store.close)
        run = Run(spending.gateway(store, request, settings, listener=listener, cancel=stop), listener)
        unfinished.pop_all()
    try:
        target, _ = languages(request)
        context = engine_context(settings)
        with run.stage("open", "looking at the source"):
            opened = open_source(run, request, context, picture=False)
        part = (request.start or 0, request.end)
        place = output_name(opened.sound, request.title)
        if request.title is None:
            outputs = outputs_for(place, target.tag, request.output, part=part, given=[request.subtitles])
        else:
            outputs = outputs_named(place, target.tag, request.output, part=part)
        plan = make_plan(request, opened.sound, outputs, context)
        found = find_speech(run, plan)
        spending.tell_estimate(run, plan, request, found)
        engines = tuple((role, chosen.info.name) for role, chosen in plan.engines.items())
        duration, speech = found.soundtrack.mix.duration, total(found.spans)
        title = opened.sound.title if request.title is None else one_line(request.title)
        return Foretold(title, duration, speech, engines, run.estimate)
    finally:
        run.close()
        run.gateway.close()
        store.close()
