"""File names as people give them: taken as they are, or refused with a reason before any work."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from autodub.infra.settings import Settings
from autodub.model.errors import BadOption, BadSubtitles, OutputProblem, RequestError, UnsupportedSource
from autodub.model.request import DubRequest
from autodub.model.speech import Term

_STORED = re.compile(r"[0-9a-f]{64}")
"""A name that is a digest says nothing to anybody."""


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


def one_line(title: str) -> str:
    """A title as it may be shown: one line of printable text."""
    words = title.encode("utf-8", "replace").decode("utf-8").split()
    return "".join(c if c.isprintable() else "?" for c in " ".join(words)) or "untitled"


def discreet(request: DubRequest, settings: Settings, *, is_elsewhere: bool = False) -> Callable[[str], str]:
    """What a sentence must go through before anybody reads it: it has no key in it afterwards.

    Nor has it a path of this machine where whoever asks ``is_elsewhere``, as is everybody whose source has a
    title.
    """
    if request.title is None and not is_elsewhere:
        return settings.redact
    title = one_line(request.title or "the source")
    known = [(str(settings.data_dir), "(data)"), (str(settings.models_dir), "(models)")]
    for name in (request.subtitles, request.glossary):
        if name is not None:
            known += [(str(path_of(name).absolute()), Path(name).name), (name, Path(name).name)]
    if "://" not in request.source:
        source = path_of(request.source)
        known += [(str(source.absolute()), title), (request.source, title)]
        known += [(name, title) for name in (source.name, source.stem) if _says_little(name)]
    known.sort(key=lambda pair: len(pair[0]), reverse=True)  # a file before the folder it lies in
    places = [(re.compile(rf"(?<![\w.-]){re.escape(text)}(?![\w-])"), shown) for text, shown in known]

    def hide(sentence: str) -> str:
        for place, shown in places:
            sentence = place.sub(lambda _, shown=shown: shown, sentence)  # type: ignore[misc]
        return settings.redact(sentence)

    return hide


def _says_little(name: str) -> bool:
    """Whether a name is so odd that it stands for nothing else in a sentence."""
    return "." in name or bool(_STORED.fullmatch(name))


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
