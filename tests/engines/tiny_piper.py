"""A Piper voice of a kilobyte: every phoneme is a tone of its own for some milliseconds.

Sample t belongs to phoneme number floor(t / (80 · length scale)); the voice speaks in a harmonic-rich tone
around the pitch of its speaker.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tiny_onnx as onnx

RATE = 16_000
SYMBOLS = "_^$ !'(),-.:;?abcdefhijklmnopqrstuvwxyzæçðøŋœɐɑɒɔəɚɛɜɡɣɪɲɹɾʁʃʊʌʎʒʔˈˌːβθ0123456789"


def make(folder: Path, name: str, *, pitches: dict[str, float] | None = None, **changes: Any) -> Path:
    """Write NAME.onnx and NAME.onnx.json; ``pitches`` by speaker for a voice of several."""
    several = pitches is not None
    hertz = list(pitches.values()) if pitches else [120.0]
    # Slowly falling sawtooth-like tone: sum of four harmonics, made by one Sin each.
    nodes = [
        onnx.node("Cast", "input_lengths", "count", to=1),
        onnx.node("Gather", "scales one", "length", axis=0),
        onnx.node("Mul", "length samples", "each"),
        onnx.node("Mul", "count each", "total"),
        onnx.node("Squeeze", "total axis", "end"),
        onnx.node("Range", "zero end step", "t"),
        onnx.node("Div", "t each", "place"),
        onnx.node("Floor", "place", "floor"),
        onnx.node("Cast", "floor", "index", to=7),
        onnx.node("Squeeze", "input axis", "row"),
        onnx.node("Gather", "row index", "symbol", axis=0),
        onnx.node("Cast", "symbol", "kind", to=1),
        onnx.node("Gather", "pitches sid", "base", axis=0)
        if several
        else onnx.node("Identity", "pitches", "base"),
        onnx.node("Mul", "t base", "phase"),
        onnx.node("Sin", "phase", "first"),
        onnx.node("Mul", "phase two", "phase2"),
        onnx.node("Sin", "phase2", "second"),
        onnx.node("Mul", "phase three", "phase3"),
        onnx.node("Sin", "phase3", "third"),
        onnx.node("Add", "first second", "sum2"),
        onnx.node("Add", "sum2 third", "sum3"),
        onnx.node("Add", "kind loud", "level"),
        onnx.node("Mul", "level quiet", "gain"),
        onnx.node("Mul", "sum3 gain", "mono"),
        onnx.node("Reshape", "mono shape", "output"),
    ]
    inputs = [
        onnx.value("input", onnx.INT64, [1, "N"]),
        onnx.value("input_lengths", onnx.INT64, [1]),
        onnx.value("scales", onnx.FLOAT, [3]),
    ]
    if several:
        inputs.append(onnx.value("sid", onnx.INT64, [1]))
    path = onnx.save(
        folder / f"{name}.onnx",
        nodes=nodes,
        constants=[
            onnx.constant("one", [1]),
            onnx.constant("axis", [0]),
            onnx.constant("samples", [400.0]),
            onnx.constant("zero", 0.0),
            onnx.constant("step", 1.0),
            onnx.constant("pitches", [2 * 3.14159265 * pitch / RATE for pitch in hertz]),
            onnx.constant("two", [2.0]),
            onnx.constant("three", [3.0]),
            onnx.constant("loud", [40.0]),
            onnx.constant("quiet", [0.002]),
            onnx.constant("shape", [1, 1, 1, -1]),
        ],
        inputs=inputs,
        outputs=[onnx.value("output", onnx.FLOAT, [1, 1, 1, "T"])],
    )
    code = name.partition("-")[0]
    said = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": code.partition("_")[0]},
        "language": {"code": code},
        "inference": {"noise_scale": 0.6, "length_scale": 1.0, "noise_w": 0.8},
        "num_speakers": len(hertz),
        "speaker_id_map": {name: at for at, name in enumerate(pitches or {})},
        "phoneme_type": "espeak",
        "phoneme_id_map": {symbol: [at] for at, symbol in enumerate(SYMBOLS)},
        **changes,
    }
    (folder / f"{name}.onnx.json").write_text(json.dumps(said), encoding="utf-8")
    return path
