"""Real ONNX models of a few hundred bytes for sherpa-onnx: they tell a dark voice from a bright one.

Segmentation gives a frame to nobody where it is faint, to speaker 1 where the sound's derivative is weak
against the sound (low pitch), to speaker 2 where it is strong. The embedding is the mean log-mel spectrum.
"""

from __future__ import annotations

from pathlib import Path

import tiny_onnx as onnx

WINDOW, FIELD, SHIFT = 160_000, 991, 270


def segmentation(path: Path, *, window: int = WINDOW) -> Path:
    """A model in the form of pyannote's segmentation-3.0."""
    pool = {"kernel_shape": [FIELD], "strides": [SHIFT]}
    return onnx.save(
        path,
        nodes=[
            onnx.node("Conv", "x slope", "dx", kernel_shape=[2], pads=[1, 0]),
            onnx.node("Mul", "x x", "x2"),
            onnx.node("Mul", "dx dx", "dx2"),
            onnx.node("AveragePool", "x2", "e", **pool),
            onnx.node("AveragePool", "dx2", "d", **pool),
            onnx.node("Sub", "e faint", "loud"),
            onnx.node("Mul", "e middle", "half"),
            onnx.node("Sub", "d half", "bright"),
            onnx.node("Mul", "loud many", "present"),
            onnx.node("Mul", "bright more", "tilt"),
            onnx.node("Sub", "present tilt", "one"),
            onnx.node("Add", "present tilt", "two"),
            onnx.node("Mul", "e zero", "nobody"),
            onnx.node("Sub", "nobody never", "other"),
            onnx.node("Concat", "nobody one two other other other other", "all", axis=1),
            onnx.node("Transpose", "all", "y", perm=[0, 2, 1]),
        ],
        constants=[
            onnx.constant("slope", [[[-1.0, 1.0]]]),
            onnx.constant("faint", [1e-5]),
            onnx.constant("middle", [0.026]),
            onnx.constant("many", [1e3]),
            onnx.constant("more", [1e4]),
            onnx.constant("zero", [0.0]),
            onnx.constant("never", [1e6]),
        ],
        inputs=[onnx.value("x", onnx.FLOAT, [1, 1, "T"])],
        outputs=[onnx.value("y", onnx.FLOAT, [1, "F", 7])],
        metadata={
            "model_type": "pyannote-segmentation-3.0",
            "sample_rate": 16_000,
            "window_size": window,
            "receptive_field_size": FIELD,
            "receptive_field_shift": SHIFT,
            "num_speakers": 3,
            "powerset_max_classes": 2,
            "num_classes": 7,
        },
    )


def embedding(path: Path) -> Path:
    """A speaker embedding in the form of 3D-Speaker's models."""
    return onnx.save(
        path,
        nodes=[
            onnx.node("ReduceMean", "x", "mean", axes=[1], keepdims=0),
            onnx.node("ReduceMean", "mean", "level", axes=[1], keepdims=1),
            onnx.node("Sub", "mean level", "y"),
        ],
        constants=[],
        inputs=[onnx.value("x", onnx.FLOAT, [1, "T", 80])],
        outputs=[onnx.value("y", onnx.FLOAT, [1, 80])],
        metadata={
            "output_dim": 80,
            "sample_rate": 16_000,
            "normalize_samples": 1,
            "language": "en",
            "framework": "3d-speaker",
            "feature_normalize_type": "",
            "comment": "tiny",
        },
    )
