"""Worker process of the sherpa diarizer: the library leaves the process when it does not like a model.

Started as ``python -m autodub.engines.sherpa_worker`` with a JSON object: ``segmentation`` and ``embedding``
(paths of ONNX files), ``threads``. A request is a JSON object: ``path`` of a 16 kHz mono file, ``start`` and
``end`` (ms), ``speakers`` (count or null), ``threshold``; the answer has ``turns`` as ``[start, end, voice,
confidence]`` (ms on the file's clock; confidence -1..1 or null) and ``voices``, an embedding per voice (empty
where too little is heard). The request ``null`` only loads the models.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from autodub.infra.child import serve
from autodub.media.sound import Reader
from autodub.model.errors import EngineCannot

_RATE = 16_000
_MATERIAL = 30.0
"""Seconds of a voice that its embedding is made from, longest turns first."""
_ENOUGH = 0.5
"""Seconds below which a voice has no embedding."""


class Diarization:
    """Both models, loaded once."""

    def __init__(self, settings: dict[str, Any]) -> None:
        import sherpa_onnx  # type: ignore[import-untyped]

        self.library = sherpa_onnx
        threads = int(settings["threads"])
        pyannote = sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(model=settings["segmentation"])
        self.embedding = sherpa_onnx.SpeakerEmbeddingExtractorConfig(
            model=settings["embedding"], num_threads=threads
        )
        self.config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
            segmentation=sherpa_onnx.OfflineSpeakerSegmentationModelConfig(
                pyannote=pyannote, num_threads=threads
            ),
            embedding=self.embedding,
            clustering=self._clustering(None, 0.5),
            min_duration_on=0.3,
            min_duration_off=0.5,
        )
        if not self.config.validate():
            raise EngineCannot(
                "sherpa-onnx does not accept the models for diarization.",
                hint="Fetch them again with: autodub engines fetch diarizer.sherpa",
            )
        self.engine = sherpa_onnx.OfflineSpeakerDiarization(self.config)
        self.extractor = sherpa_onnx.SpeakerEmbeddingExtractor(self.embedding)
        if self.engine.sample_rate != _RATE:
            raise EngineCannot(
                f"The segmentation model is for {self.engine.sample_rate} samples a second, not {_RATE}.",
                hint="Use a model for 16 kHz, such as pyannote's segmentation-3.0.",
            )

    def heard(
        self, path: Path, start: int, end: int, speakers: int | None, threshold: float
    ) -> dict[str, Any]:
        """Turns and voices of one part."""
        with Reader(path) as reader:
            sound = reader.read(start * 16, (end - start) * 16)[:, 0]
        if not len(sound):
            return {"turns": [], "voices": {}}
        self.config.clustering = self._clustering(speakers, threshold)
        self.engine.set_config(self.config)
        found = self.engine.process(np.ascontiguousarray(sound)).sort_by_start_time()
        turns = [(float(t.start), float(t.end), int(t.speaker), _confidence(t.confidence)) for t in found]
        voices = {str(voice): self._embedding(sound, turns, voice) for voice in sorted({t[2] for t in turns})}
        placed = []
        for a, b, voice, sure in turns:
            first, last = start + round(a * 1000), min(end, start + round(b * 1000))
            if first < last:
                placed.append([first, last, str(voice), sure])
        return {"turns": placed, "voices": voices}

    def _clustering(self, speakers: int | None, threshold: float) -> Any:
        return self.library.FastClusteringConfig(
            num_clusters=speakers or -1, threshold=threshold, compute_confidence=True
        )

    def _embedding(self, sound: Any, turns: list[Any], voice: int) -> list[float]:
        """Embedding of a voice's longest turns without what others say in them; empty for too little."""
        alone = np.zeros(len(sound), dtype=np.int8)
        for a, b, speaker, _ in turns:
            alone[round(a * _RATE) : round(b * _RATE)] += 1 if speaker == voice else 2
        stream = self.extractor.create_stream()
        left = _MATERIAL
        own = [(a, b) for a, b, speaker, _ in turns if speaker == voice]
        for a, b in sorted(own, key=lambda span: span[0] - span[1]):
            part = slice(round(a * _RATE), round(min(b, a + left) * _RATE))
            clean = sound[part][alone[part] == 1]
            if len(clean):
                stream.accept_waveform(_RATE, clean)
                left -= len(clean) / _RATE
            if left <= 0:
                break
        stream.input_finished()
        if _MATERIAL - left < _ENOUGH or not self.extractor.is_ready(stream):
            return []
        found = [float(x) for x in self.extractor.compute(stream)]
        return found if all(map(math.isfinite, found)) else []


def _confidence(value: float) -> float | None:
    """A silhouette between -1 and 1; None where the library has none (one voice alone)."""
    return round(float(value), 3) if -1.0 <= value <= 1.0 else None


_loaded: list[Diarization] = []


def handle(request: Any) -> Any:
    """Answer one request."""
    if not _loaded:
        # With the first request, so that a model that cannot be loaded is an answer, not a crash.
        _loaded.append(Diarization(json.loads(sys.argv[1])))
    if request is None:
        return None
    return _loaded[0].heard(
        Path(request["path"]), request["start"], request["end"], request["speakers"], request["threshold"]
    )


if __name__ == "__main__":
    serve(handle)
