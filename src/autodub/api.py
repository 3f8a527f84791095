"""Autodub from Python: ``dub`` and ``measure`` in one call each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import nobody
from autodub.infra import settings as configuration
from autodub.infra.settings import Settings
from autodub.model.errors import BadSubtitles
from autodub.model.job import Listener
from autodub.model.request import DubRequest
from autodub.model.speech import Transcript
from autodub.pipeline import dub as pipeline
from autodub.pipeline.dub import Dubbed
from autodub.pipeline.names import path_of
from autodub.quality.receipt import Receipt


def dub(
    source: str | Path,
    *,
    to: str,
    data_dir: Path | None = None,
    listener: Listener = nobody,
    cancel: Cancel | None = None,
    **wishes: Any,
) -> Dubbed:
    """Dub ``source``, a file or an address, into the language ``to``.

    Further wishes are the other fields of ``DubRequest``:
    ``spoken`` (language of the source, found out when left out), ``start`` and ``end`` (range, ms),
    ``subtitles`` (path of a file to speak instead of recognising), ``speakers`` (how many, when known),
    ``engines`` (role -> name, such as ``{"transcriber": "whisper"}``), ``options`` (role -> option ->
    value as text), ``clone_voices`` or ``match_voices`` (only with the speakers' permission),
    ``keep_voices`` (leave clones in the account), ``budget`` (US dollars, a ``Decimal``), ``captions`` (those
    of the source's site), ``terms`` (names likely to be said), ``glossary`` (path of a file), ``style`` (a
    ``Style``: tone, formality, instructions), ``keep_original_audio`` (as a second track), ``loudness``
    (LUFS), ``output`` (file to write; beside the source when left out), ``overwrite``.

    ``data_dir`` is where finished work is kept, ``listener`` is called with every Event, ``cancel`` stops
    the dub from another thread. Raises RequestError for what the caller can mend before anything is
    spent, Cancelled, and any other AutodubError.

    >>> from autodub import dub
    >>> dubbed = dub("clip.mp4", to="es", spoken="en")  # doctest: +SKIP
    """
    request = DubRequest(str(source), to, **wishes)
    return pipeline.dub(
        request, settings=configuration.load(data_dir=data_dir), listener=listener, cancel=cancel
    )


def measure(
    dubbed: str | Path,
    *,
    source: str | Path,
    transcript: str | Path | None = None,
    html: str | Path | None = None,
    settings: Settings | None = None,
    listener: Listener = nobody,
    cancel: Cancel | None = None,
) -> Receipt:
    """Measure any dub against its source. Raises UnsupportedSource, BadSubtitles, OutputProblem.

    A file that was made here is recognised by its content and measured with the record of its making,
    whatever it is called now. Of any other dub only the two files are known; ``transcript``, a
    subtitle file of the *source*, then gives figures per line. ``html`` is where to write a report.
    """
    from autodub.gateway.opening import open_store
    from autodub.model.job import Event
    from autodub.pipeline import finished
    from autodub.quality.measure import measure as measured

    made, origin, known = path_of(str(dubbed)), path_of(str(source)), _transcript(transcript)
    store = open_store(settings or configuration.load())
    try:
        is_file = os.path.isfile(made)  # noqa: PTH113 - a name too long for the system is no file
        making = finished.making_of(store, store.digest(made)) if is_file and known is None else None
        if making is not None and making.source != store.digest(origin):
            making = None  # made here, but not from this source
        listener(Event("stage.started", "measure", "measuring"))
        with store.blobs.scratch() as folder:
            receipt = measured(
                made,
                origin,
                facts=making.facts if making else None,
                bed=store.blobs.path(making.bed) if making and making.bed else None,
                start=making.start if making else 0,
                end=making.end if making else None,
                stream=making.stream if making else None,
                transcript=known,
                scratch=folder,
                check=cancel.check if cancel else None,
                progress=lambda fraction: listener(Event("stage.progress", "measure", "measuring", fraction)),
            )
        listener(Event("stage.finished", "measure", "measured", 1.0))
    finally:
        store.close()
    if html is not None:
        from autodub.pipeline.outputs import write_text
        from autodub.quality.report import report

        write_text(report(receipt), path_of(str(html)))
    return receipt


def _transcript(path: str | Path | None) -> Transcript | None:
    from autodub.dubbing.subtitles import parse

    if path is None:
        return None
    file = path_of(str(path))
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise BadSubtitles(
            f"The transcript {file} cannot be read ({problem.strerror}).", hint="Check the path."
        ) from problem
    return Transcript("und", parse(data, name=file.name).segments)
