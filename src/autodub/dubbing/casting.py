"""Who speaks with which voice: the nearest stock voice, a different one per speaker, always the same one.

Nearness is gender, then mean fundamental, then long-term spectrum: every semitone a voice need not
be moved is quality kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autodub.model.speech import Line, Tone, Voice
from autodub.model.time import Span, merged, subtract, total

_HIGHEST_MALE, _LOWEST_FEMALE = 155.0, 165.0
"""Hz of the mean fundamental below and above which a voice is heard as a man's or a woman's."""
_OTHER_GENDER = 12.0
"""What the wrong gender costs, in semitones."""
_UNTOLD_GENDER = 6.0
"""What a voice of unknown gender costs a speaker whose gender is heard, in semitones."""
_UNTOLD_PITCH = 4.0
"""What a voice of unknown pitch costs, in semitones: it may well be that far off."""
_PER_DECIBEL = 0.5
"""What a decibel of spectral difference costs, in semitones."""
_APART = 2.0
"""Semitones between two speakers who must share a stock voice."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody to find a voice for."""

    name: str
    speech: int
    """Milliseconds said; whoever says most is served first."""
    tone: Tone | None = None
    """None when there was too little to hear."""


def gender_of(tone: Tone | None) -> str:
    """``female``, ``male``, or ``unknown`` where the fundamental lies between the two."""
    if tone is None or _HIGHEST_MALE <= tone.pitch <= _LOWEST_FEMALE:
        return "unknown"
    return "male" if tone.pitch < _HIGHEST_MALE else "female"


def speakers_of(lines: Sequence[Line], *, tones: Mapping[str, Tone | None]) -> tuple[Speaker, ...]:
    """Everybody who says a line, with how much they say."""
    names = sorted({line.speaker for line in lines})
    return tuple(
        Speaker(name, total(line.span for line in lines if line.speaker == name), tones.get(name))
        for name in names
    )


def cast(
    speakers: Sequence[Speaker],
    voices: Sequence[Voice],
    *,
    bound: Mapping[str, Voice] | None = None,
    tones: Mapping[str, Tone] | None = None,
) -> dict[str, Voice]:
    """A voice for every speaker, equal for equal input whatever the order of the speakers.

    ``bound`` voices stay (engine and language are filled in where empty). ``tones`` are those of
    the stock voices by id, where known. Two speakers share a stock voice only when there are more
    speakers than voices; then they stand two semitones apart.
    """
    if not voices:
        raise ValueError("there is no voice to cast")
    out: dict[str, Voice] = {}
    uses = {voice.id: 0 for voice in voices}
    for name, voice in sorted((bound or {}).items()):
        if any(speaker.name == name for speaker in speakers):
            out[name] = _completed(voice, voices)
            uses[voice.id] = uses.get(voice.id, 0) + 1
    for speaker in sorted(speakers, key=lambda s: (-s.speech, s.name)):
        if speaker.name in out:
            continue
        least = min(uses[voice.id] for voice in voices)
        free = [voice for voice in voices if uses[voice.id] == least]
        chosen = min(
            enumerate(free), key=lambda numbered: (_distance(speaker, numbered[1], tones or {}), numbered[0])
        )[1]
        uses[chosen.id] += 1
        pitch = chosen.pitch
        if least and pitch:
            step = _APART * ((least + 1) // 2) * (1 if least % 2 else -1)
            pitch = round(pitch * math.exp2(step / 12), 1)
        out[speaker.name] = replace(chosen, pitch=pitch)
    return {speaker.name: out[speaker.name] for speaker in sorted(speakers, key=lambda s: s.name)}


def _completed(voice: Voice, voices: Sequence[Voice]) -> Voice:
    """A bound voice with what a project file leaves out."""
    stock = next((v for v in voices if v.id == voice.id), None)
    if stock is None:
        return replace(
            voice, engine=voice.engine or voices[0].engine, language=voice.language or voices[0].language
        )
    return replace(
        voice,
        engine=voice.engine or stock.engine,
        language=voice.language or stock.language,
        gender=stock.gender if voice.gender == "unknown" else voice.gender,
        pitch=voice.pitch or stock.pitch,
        tone=voice.tone or stock.tone,
        reference=voice.reference or stock.reference,
    )


def _distance(speaker: Speaker, voice: Voice, tones: Mapping[str, Tone]) -> float:
    """How far a voice is from a speaker, in semitones.

    Voices of a cloud carry a gender and no pitch: then the gender decides, and their order.
    """
    gender = gender_of(speaker.tone)
    cost = 0.0
    if gender not in {"unknown", voice.gender}:
        cost = _UNTOLD_GENDER if voice.gender == "unknown" else _OTHER_GENDER
    own = tones.get(voice.id)
    if speaker.tone is None:
        return cost
    height = own.pitch if own else voice.pitch
    cost += abs(12 * math.log2(height / speaker.tone.pitch)) if height else _UNTOLD_PITCH
    if own:
        gaps = [a - b for a, b in zip(own.bands, speaker.tone.bands, strict=True)]
        mean = sum(gaps) / len(gaps)
        cost += _PER_DECIBEL * math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    return cost


def sample_spans(
    lines: Sequence[Line], speaker: str, *, enough: int = 90_000, margin: int = 150, shortest: int = 800
) -> tuple[Span, ...]:
    """Where only this speaker is heard, longest stretches first, ``enough`` milliseconds at most.

    Time within ``margin`` ms of somebody else's line is left out.
    """
    own = merged((p.span for x in lines if x.speaker == speaker for p in x.phrases or ()), gap=0) or merged(
        line.span for line in lines if line.speaker == speaker
    )
    others = [
        Span(max(0, line.span.start - margin), line.span.end + margin)
        for line in lines
        if line.speaker != speaker
    ]
    clean = [span for span in subtract(own, others) if span.duration >= shortest]
    out: list[Span] = []
    left = enough
    for span in sorted(clean, key=lambda span: (-span.duration, span.start)):
        if left < shortest:
            break
        taken = min(span.duration, left)
        out.append(Span(span.start, span.start + taken))
        left -= taken
    return tuple(out)
