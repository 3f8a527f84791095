"""File names as people give them: taken as they are, or refused with a reason before any work."""

from __future__ import annotations

import contextlib
from pathlib import Path

from autodub.model.errors import BadSubtitles, OutputProblem, RequestError, UnsupportedSource
from autodub.model.request import DubRequest


def path_of(name: str) -> Path:
    """The path a name means; ``~somebody`` that is nobody's home is an ordinary name."""
    path = Path(name)
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    return path


def refuse_unwritable(request: DubRequest) -> None:
    """Raise a RequestError for a name that is not text: no project, receipt or index could hold it."""
    kinds: tuple[tuple[str, str | None, type[RequestError]], ...] = (
        ("source", request.source, UnsupportedSource),
        ("subtitle file", request.subtitles, BadSubtitles),
        ("output", request.output, OutputProblem),
    )
    for what, name, error in kinds:
        if name is None:
            continue
        if not name.strip():
            raise error(f"The name of the {what} is empty.", hint="Give the name of a file.")
        shown = name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
        if shown != name:
            raise error(
                f"The name of the {what} is not text in UTF-8: {shown}.",
                hint="Rename it, or give it through a link with a plain name.",
            )
