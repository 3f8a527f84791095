"""Deepgram, simulated: known words for sounds whose truth was told, real recognition for all others."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from autodub.model.speech import Word
from autodub.testing.loopback.deepgram_hearing import (
    Sound,
    Undecodable,
    decode,
    likeness,
    recognise,
)
from autodub.testing.loopback.deepgram_refusals import refusal
from autodub.testing.loopback.messages import Reply, Request, reply_json
from autodub.testing.loopback.profile import Profile

MODELS: Mapping[str, tuple[str, str]] = {
    "nova-3": ("general-nova-3", "nova-3"),
    "nova-3-general": ("general-nova-3", "nova-3"),
    "nova-3-medical": ("medical-nova-3", "nova-3"),
    "nova-2": ("2-general-nova", "nova-2"),
    "nova-2-general": ("2-general-nova", "nova-2"),
    "base-general": ("general", "base"),
}
"""Model -> its name and architecture in answers."""
_SLACK = 150
"""ms by which a sound may differ in length from the one whose truth was told: codecs pad."""
_ALIKE = 0.25
"""Least correlation of loudness with the times of words: below, it is another sound of the same length."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is said in a sound."""

    words: tuple[Word, ...]
    """With times, and with names of speakers."""
    duration: int
    """ms."""
    language: str = "en"


class DeepgramService:
    """The provider. Every attribute may be changed while it serves."""

    name = "deepgram"

    def __init__(self, truths: Sequence[Truth] = (), *, lanes: int = 100) -> None:
        self.truths = list(truths)
        self.caps: Mapping[str, int] = {"transcription": lanes}
        self.is_diarizing = True
        """False answers as if no diarizer were to be had: words without speakers."""
        self.is_outdated = False
        """True answers with an older model than the one asked for, as for a language that is not known."""
        self._heard: dict[str, tuple[Word, ...]] = {}
        self._lock = threading.Lock()

    def tell(self, words: Sequence[Word], *, duration: int, language: str = "en") -> None:
        """Register what is said in a sound of so many ms."""
        self.truths.append(Truth(tuple(words), duration, language))

    def key_of(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() in ("token", "bearer") else ""

    def kind(self, request: Request) -> str:
        return "transcription" if request.path == "/v1/listen" else "account"

    def seconds(self, request: Request, profile: Profile, *, others: int) -> float:  # noqa: ARG002
        if self.kind(request) != "transcription":
            return 0.0
        fixed, per_second = profile.recognition
        try:
            return fixed + per_second * decode(request.body, is_length_only=True).duration / 1000
        except Undecodable:
            return 0.0

    def refusal(self, fault: str) -> Reply:
        return refusal(fault)

    def answer(self, request: Request) -> Reply:
        match request.method, request.path:
            case "POST", "/v1/listen":
                return self._listen(request)
            case "GET", "/v1/projects":
                return reply_json({"projects": [{"project_id": _uuid("project"), "name": "loopback"}]})
            case "GET", "/v1/models":
                return reply_json({"stt": [_offered(name) for name in MODELS], "tts": []})
        return refusal("404")

    def _listen(self, request: Request) -> Reply:
        query: dict[str, list[str]] = {}
        for name, value in request.query:
            query.setdefault(name, []).append(value)
        problem = _problem(query)
        if problem is not None:
            return problem
        try:
            sound = decode(request.body)
        except Undecodable:
            return refusal("400")
        truth = self._truth(sound)
        spoken = truth.words if truth else self._recognised(sound)
        answer = self._told(query, spoken, truth.language if truth else "en", request, sound)
        seconds = sound.duration / 1000 * sound.channels
        charges = {"multilingual_seconds" if query.get("language") == ["multi"] else "seconds": seconds}
        if _diarizer(query):
            charges["diarized_seconds"] = seconds
        return reply_json(
            answer, headers={"dg-request-id": answer["metadata"]["request_id"]}, charges=charges
        )

    def _truth(self, sound: Sound) -> Truth | None:
        """The truth of this sound: of those of its length the one whose words are where it is loud."""
        fitting = [
            (likeness(sound, truth.words), number)
            for number, truth in enumerate(self.truths)
            if abs(truth.duration - sound.duration) <= _SLACK
        ]
        if not fitting:
            return None
        best, number = max(fitting)
        return self.truths[number] if best >= _ALIKE else None

    def _recognised(self, sound: Sound) -> tuple[Word, ...]:
        with self._lock:  # one at a time: recognition is heavy, and the same sound is often sent again
            if sound.digest not in self._heard:
                self._heard[sound.digest] = recognise(sound)
            return self._heard[sound.digest]

    def _told(
        self,
        query: Mapping[str, list[str]],
        spoken: Sequence[Word],
        language: str,
        request: Request,
        sound: Sound,
    ) -> dict[str, Any]:
        diarizer = _diarizer(query) if self.is_diarizing else ""
        words = _words(spoken, query, with_speakers=bool(diarizer))
        model = "nova-2" if self.is_outdated else query.get("model", ["base-general"])[0]
        name, architecture = MODELS[model]
        identity = _uuid(sound.digest + repr(request.query))
        metadata: dict[str, Any] = {
            "transaction_key": "deprecated",
            "request_id": identity,
            "sha256": sha256(request.body).hexdigest(),
            "created": "2026-11-22T12:00:00.000Z",
            "duration": sound.duration / 1000,
            "channels": sound.channels,
            "models": [_uuid(name)],
            "model_info": {_uuid(name): {"name": name, "version": "2026-10-01.0", "arch": architecture}},
        }
        if diarizer:
            metadata["diarize_info"] = {"model_uuid": _uuid(diarizer), "arch": diarizer}
        alternative: dict[str, Any] = {
            "transcript": " ".join(word.get("punctuated_word", word["word"]) for word in words),
            "confidence": 0.99 if words else 0.0,
            "words": words,
        }
        channel: dict[str, Any] = {"alternatives": [alternative]}
        if query.get("language") == ["multi"]:
            alternative["languages"] = [language] if words else []
            for word in words:
                word["language"] = language
        elif query.get("detect_language", ["false"]) != ["false"]:
            channel |= {"detected_language": language, "language_confidence": 0.97 if words else 0.2}
        results: dict[str, Any] = {"channels": [channel]}
        if query.get("utterances") == ["true"]:
            results["utterances"] = _utterances(words, float(query.get("utt_split", ["0.8"])[0]))
        return {"metadata": metadata, "results": results}


def _problem(query: Mapping[str, list[str]]) -> Reply | None:
    model = query.get("model", ["base-general"])[0]
    if model not in MODELS:
        return refusal("model_gone")
    if "keyterm" in query and not model.startswith("nova-3"):
        return refusal("400", "Keyterm Prompting is only available for nova-3 models.")
    if query.get("diarize_model", ["latest"])[0] not in ("latest", "v1", "v2"):
        return refusal("400", "Invalid query parameter: diarize_model.")
    try:
        float(query.get("utt_split", ["0.8"])[0])
    except ValueError:
        return refusal("400", "Failed to deserialize query parameters: utt_split: invalid float literal")
    return None


def _diarizer(query: Mapping[str, list[str]]) -> str:
    """Which diarizer a request gets; the old switch pins the old one."""
    if "diarize_model" in query:
        return "v1" if query["diarize_model"] == ["v1"] else "v2"
    return "v1" if query.get("diarize") == ["true"] else ""


def _words(
    spoken: Sequence[Word], query: Mapping[str, list[str]], *, with_speakers: bool
) -> list[dict[str, Any]]:
    names: dict[str, int] = {}
    is_written = query.get("punctuate") == ["true"] or query.get("smart_format") == ["true"]
    out = []
    for word in spoken:
        told: dict[str, Any] = {
            "word": "".join(c for c in word.text.lower() if c.isalnum() or c in "'-") or word.text.lower(),
            "start": word.span.start / 1000,
            "end": word.span.end / 1000,
            "confidence": 0.99 if word.confidence is None else word.confidence,
        }
        if with_speakers:
            told["speaker"] = names.setdefault(word.speaker or "", len(names))
            told["speaker_confidence"] = 0.8
        if is_written:
            told["punctuated_word"] = word.text
        out.append(told)
    return out


def _utterances(words: Sequence[dict[str, Any]], split: float) -> list[dict[str, Any]]:
    """Pieces between pauses; where two speak without one, a piece carries both, as in life."""
    groups: list[list[dict[str, Any]]] = []
    for word in words:
        if groups and word["start"] - groups[-1][-1]["end"] < split:
            groups[-1].append(word)
        else:
            groups.append([word])
    out = []
    for group in groups:
        told: dict[str, Any] = {
            "start": group[0]["start"],
            "end": group[-1]["end"],
            "confidence": min(word["confidence"] for word in group),
            "channel": 0,
            "transcript": " ".join(word.get("punctuated_word", word["word"]) for word in group),
            "words": group,
            "id": _uuid(f"{group[0]['start']}"),
        }
        if "speaker" in group[0]:
            told["speaker"] = group[0]["speaker"]
        out.append(told)
    return out


def _offered(model: str) -> dict[str, Any]:
    name, architecture = MODELS[model]
    return {
        "name": model.removeprefix(f"{architecture}-"), "canonical_name": model, "architecture": architecture,
        "languages": ["en", "es", "fr", "de"], "version": "2026-10-01.0", "uuid": _uuid(name),
        "batch": True, "streaming": True, "formatted_output": False,
    }  # fmt: skip


def _uuid(seed: str) -> str:
    text = sha256(seed.encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"
