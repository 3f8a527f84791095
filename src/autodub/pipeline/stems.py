"""Stems of the original for those who ask for them: written from what is kept, and kept themselves."""

from __future__ import annotations

import contextlib
from typing import Literal

from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway, nobody
from autodub.gateway.opening import open_store
from autodub.infra.settings import Settings
from autodub.model.errors import EngineCannot
from autodub.model.job import Listener
from autodub.model.media import Blob
from autodub.pipeline.finished import Parts
from autodub.pipeline.studio import Stem, Studio


def stem(
    parts: Parts | None,
    which: Literal["background", "original"],
    *,
    settings: Settings,
    owner: str | None = None,
    listener: Listener = nobody,
    cancel: Cancel | None = None,
) -> Blob:
    """A FLAC of everything but the voices (``background``), or of the ``original`` voices alone.

    ``parts`` are the ``stems`` of a finished dub.

    On the programme's clock, with the source's rate and channels; the two add up to the source's sound.
    Raises EngineCannot where the voices could not be taken out, and Gone when a prune has taken what is
    needed: making the dub anew gives it back.
    """
    if parts is None:
        raise EngineCannot(
            "There are no stems: the voices of this source could not be taken out of its sound.",
            hint="Dub it again with a separator that can.",
        )
    with contextlib.closing(open_store(settings, owner=owner)) as store:
        gateway = Gateway(store, listener=listener, cancel=cancel, redact=settings.redact)
        asked = Stem(which, parts.mix, parts.background, parts.spans)
        made: Blob = gateway.call(Studio(lambda _source: None), "stem", asked, stage="render")
        gateway.close()
        return made
