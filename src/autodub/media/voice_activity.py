"""Where people speak: the one detector used for source and dub, so that both are measured alike.

A small recurrent network (Silero VAD v6, shipped as an ONNX file inside the faster-whisper wheel) gives
a speech probability every 32 ms. Hysteresis turns it into spans, and each edge is then moved to the
10 ms frame where the short-time energy rises out of the local noise floor. One pass, two small arrays
(31 probabilities and 100 levels per second) are all that is held of a programme.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autodub.model.errors import EngineCannot, MediaError
from autodub.model.time import Span, merged

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Samples = npt.NDArray[np.float32]

RATE = 16_000
GRID = 10
"""Frame length of the spans, ms."""
MERGE = 100
"""Gaps shorter than this are joined, ms."""
SHORTEST = 50
"""Runs shorter than this are dropped, ms."""

_CHUNK = 512  # samples per probability
_CONTEXT = 64  # samples of the past each chunk is shown with
_FRAME = RATE * GRID // 1000
_BLOCK = 2560 * 64  # samples per pass: a whole number of chunks and of frames, 10.24 s

_ON = 0.5
_OFF = 0.35
_SURE = 0.65  # a run that never gets this likely is not speech
_PATIENCE = 3  # chunks below _OFF that end a run (96 ms)
_OUT = 24  # frames an edge may move away from the run
_IN = 12  # frames an edge may move into the run
_MARGIN = 8  # frames beside a run that may still be speech
_ABOVE_FLOOR = 6.0  # dB over the noise's 60th percentile
_BELOW_SPEECH = 32.0  # dB under the speech level: fainter is not counted
_HIDDEN = 22.0  # a floor closer than this (dB) to the speech hides faint consonants
_LATE = (4, -2)  # frames by which the model's onset and offset usually come late there
_BRIDGE = 6  # quiet frames an edge may cross to reach more speech (stop closures)


def detect(path: Path, *, progress: Callable[[float], None] | None = None) -> tuple[Span, ...]:
    """Speech spans of a 16 kHz mono WAV, in ms on a 10 ms grid, sorted and disjoint.

    The file is streamed; ``progress`` is told the fraction read and may raise to stop. Raises MediaError
    when the file has another rate or more channels, EngineCannot when the model is not installed.
    """
    from autodub.media.sound import Reader

    with Reader(path) as reader:
        if reader.rate != RATE or reader.channels != 1:
            raise MediaError(
                f"Speech can only be found in 16 kHz mono sound; {path.name} has {reader.rate} Hz and "
                f"{reader.channels} channel(s).",
                hint="Convert it with: ffmpeg -i IN -ac 1 -ar 16000 OUT.wav",
            )
        frames = reader.frames

        def blocks() -> Iterator[Samples]:
            done = 0
            for block in reader.blocks(_BLOCK):
                yield np.ascontiguousarray(block[:, 0], dtype=np.float32)
                done += len(block)
                if progress is not None:
                    progress(done / frames)

        return _spans(*_analyse(blocks()), frames)


def detect_samples(samples: Samples) -> tuple[Span, ...]:
    """Speech spans of 16 kHz mono samples, shape (n,), float in -1..1; as ``detect``."""
    blocks = (samples[at : at + _BLOCK] for at in range(0, len(samples), _BLOCK))
    return _spans(*_analyse(np.asarray(block, dtype=np.float32) for block in blocks), len(samples))


def model_file() -> Path | None:
    """The network's file, found without importing the package it lies in; None when not installed."""
    found = importlib.util.find_spec("faster_whisper")
    folders = list(found.submodule_search_locations or ()) if found else []
    files = [Path(folder) / "assets" / "silero_vad_v6.onnx" for folder in folders]
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _model() -> InferenceSession:
    """The network, loaded once per process."""
    file = model_file()
    if file is None:
        raise EngineCannot(
            "The voice activity model is missing: it comes with the package faster-whisper 1.2 or later.",
            hint="Install it with: pip install 'faster-whisper>=1.2.1'",
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _analyse(blocks: Iterable[Samples]) -> tuple[Samples, Samples]:
    """(speech probability per 32 ms, level in dB per 10 ms after pre-emphasis) of a stream of blocks."""
    model = _model()
    h: Any = np.zeros((1, 1, 128), np.float32)
    c: Any = np.zeros((1, 1, 128), np.float32)
    past = np.zeros(_CONTEXT, np.float32)
    probabilities: list[Samples] = []
    levels: list[Samples] = []
    for samples in blocks:
        block = samples
        if len(block) % _CHUNK or len(block) % _FRAME:  # only the last one
            block = np.pad(block, (0, -len(block) % 2560))
        whole = np.concatenate([past, block])
        chunks = np.lib.stride_tricks.sliding_window_view(whole, _CONTEXT + _CHUNK)[::_CHUNK]
        speech, h, c = model.run(None, {"input": np.ascontiguousarray(chunks), "h": h, "c": c})
        probabilities.append(speech)
        # Pre-emphasis lets faint consonants count and rumble not.
        bright = block - 0.97 * whole[_CONTEXT - 1 : -1]
        levels.append(10 * np.log10(np.mean(bright.reshape(-1, _FRAME) ** 2, axis=1) + 1e-12))
        past = block[-_CONTEXT:]
    if not probabilities:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    return np.concatenate(probabilities), np.concatenate(levels)


def _spans(probabilities: Samples, levels: Samples, frames: int) -> tuple[Span, ...]:
    """Spans from the two curves of a sound of ``frames`` samples."""
    count = frames // _FRAME
    levels = levels[:count]
    runs = _runs(probabilities)
    scale = _CHUNK / _FRAME
    edges = [(round(a * scale), min(count, round(b * scale))) for a, b in runs if round(a * scale) < count]
    silent = np.ones(count, np.bool_)
    for start, end in edges:
        silent[max(0, start - _MARGIN) : end + _MARGIN] = False
    found: list[Span] = []
    for at, (start, end) in enumerate(edges):
        before = edges[at - 1][1] if at else 0
        after = edges[at + 1][0] if at + 1 < len(edges) else count
        speech = float(np.percentile(levels[start:end], 75))
        left = _threshold(_around(levels, silent, start, back=True), speech)
        right = _threshold(_around(levels, silent, end, back=False), speech)
        # Both edges are looked at from inside the run outward.
        begin = start - _reach(levels[max(before, start - _OUT) : end][::-1], end - start, left, _LATE[0])
        stop = end + _reach(levels[start : min(after, end + _OUT)], end - start, right, _LATE[1])
        if stop > begin:
            found.append(Span(begin * GRID, stop * GRID))
    return tuple(span for span in merged(found, gap=MERGE - 1) if span.duration >= SHORTEST)


def _runs(probabilities: Samples) -> list[tuple[int, int]]:
    """Runs of chunks [start, end) that are speech: begun at _ON, ended by _PATIENCE chunks under _OFF."""
    out: list[tuple[int, int]] = []
    start = quiet = -1
    best = 0.0
    for at, value in enumerate(probabilities.tolist()):
        if start < 0:
            if value >= _ON:
                start, quiet, best = at, -1, value
            continue
        best = max(best, value)
        if value >= _OFF:
            quiet = -1
        elif quiet < 0:
            quiet = at
        if quiet >= 0 and at - quiet + 1 >= _PATIENCE:
            if best >= _SURE:
                out.append((start, quiet))
            start = -1
    if start >= 0 and best >= _SURE:
        out.append((start, quiet if quiet >= 0 else len(probabilities)))
    return out


def _around(levels: Samples, silent: npt.NDArray[np.bool_], edge: int, *, back: bool) -> Samples:
    """Levels of the nearest frames without speech, on the outer side of an edge where there are enough."""
    for reach in (60, 200):
        near = slice(max(0, edge - reach), edge) if back else slice(edge, edge + reach)
        found = levels[near][silent[near]]
        if len(found) >= 10:
            return found
    near = slice(max(0, edge - 300), edge + 300)
    found = levels[near][silent[near]]
    return found if len(found) >= 10 else np.sort(levels[near])[: max(1, len(levels[near]) // 20)]


def _threshold(around: Samples, speech: float) -> tuple[float, bool]:
    """(level in dB a frame must exceed to be speech, whether that hides faint speech)."""
    floor = float(np.percentile(around, 60)) + _ABOVE_FLOOR
    return max(floor, speech - _BELOW_SPEECH), floor > speech - _HIDDEN


def _reach(outward: Samples, inside: int, threshold: tuple[float, bool], usual: int) -> int:
    """Frames (signed) an edge moves away from its run, the first ``inside`` frames of ``outward``.

    Quiet stretches of up to _BRIDGE frames are crossed. Where noise hides faint speech the model is
    trusted too, less the ``usual`` distance of its edge from the true one.
    """
    level, masked = threshold
    on = np.flatnonzero(outward > level)
    if not len(on):
        return min(usual, len(outward) - inside)
    near = on[on >= inside - _IN]
    breaks = np.flatnonzero(np.diff(near) > _BRIDGE + 1)
    last = near[breaks[0]] if len(breaks) else near[-1] if len(near) else on[-1]
    heard = int(last) + 1 - inside
    return max(heard, min(usual, len(outward) - inside)) if masked else heard
