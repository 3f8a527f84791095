"""A short sound for tests."""

from __future__ import annotations

import io

import numpy
import soundfile


def wav(seconds: float = 1.0, rate: int = 8000) -> bytes:
    """A tone as a WAV file."""
    file = io.BytesIO()
    tone = numpy.sin(numpy.arange(round(seconds * rate)) * 0.2)
    soundfile.write(file, tone, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


WAV = wav()
