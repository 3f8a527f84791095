"""File names as people give them: taken as they are, or refused with a reason before any work."""

from __future__ import annotations

import contextlib
from pathlib import Path

from autodub.model.errors import BadOption, BadSubtitles, OutputProblem, RequestError, UnsupportedSource
from autodub.model.request import DubRequest
from autodub.model.speech import Term


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
        ("glossary", request.glossary, BadOption),
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


def read_glossary(name: str, target: str) -> tuple[Term, ...]:
    """The glossary of a file, for a target language. Raises BadOption naming the line that is wrong."""
    from autodub.dubbing.glossary import parse

    path = path_of(name)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is not text in UTF-8"
        raise BadOption(f"The glossary {path} cannot be read ({why}).", hint="Check the path.") from problem
    return parse(text, target=target)
