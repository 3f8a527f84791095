"""Worker process of the sphinx transcriber: the library holds the interpreter lock while it decodes.

Started as ``python -m autodub.engines.sphinx_worker`` with a JSON object of model paths (``hmm``, ``lm``,
``dict``) as its argument. A request is ``[path, start, end]`` (ms); the answer is a list of
``[word, start, end, posterior]`` on the file's clock.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from autodub.infra.child import serve
from autodub.media.sound import Reader
from autodub.model.errors import EngineCannot

_ALTERNATE = re.compile(r"\(\d+\)$")
_FRAME = 10  # ms


def decoder(models: dict[str, str]) -> Any:
    """A pocketsphinx decoder; ``models`` overrides parts of the English model in the wheel."""
    import pocketsphinx

    try:
        return pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL", **models)
    except RuntimeError as error:
        raise EngineCannot(
            f"pocketsphinx cannot load its model ({', '.join(models.values()) or 'the built-in one'}).",
            hint="Check the options hmm (a folder), lm and dictionary of the sphinx transcriber.",
        ) from error


def words(engine: Any, path: Path, start: int, end: int) -> list[list[Any]]:
    """The words heard between ``start`` and ``end`` ms of a 16 kHz mono file."""
    with Reader(path) as reader:
        samples = reader.read(start * 16, (end - start) * 16)[:, 0]
    if len(samples) < 1600:  # too short for a single word
        return []
    pcm = np.rint(np.clip(samples, -1.0, 32767 / 32768) * 32768).astype("<i2")
    engine.start_utt()
    engine.process_raw(pcm.tobytes(), full_utt=True)
    engine.end_utt()
    out = []
    for piece in engine.seg() or ():
        if piece.word.startswith(("<", "[", "++")):  # silence and noise
            continue
        text = _ALTERNATE.sub("", piece.word)
        until = min(end, start + (piece.end_frame + 1) * _FRAME)
        posterior = min(1.0, max(0.0, float(piece.prob)))
        out.append([text, start + piece.start_frame * _FRAME, until, round(posterior, 4)])
    return out


if __name__ == "__main__":
    # Loaded with the first request, so that a model that cannot be loaded is an answer, not a crash.
    _engine = functools.cache(lambda: decoder(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}))
    serve(lambda request: words(_engine(), Path(request[0]), request[1], request[2]))
