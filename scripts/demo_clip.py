"""Build the demo clip: five sentences read from a novel, then two synthetic voices in conversation.

Writes ``OUT`` and, beside it, ``OUT`` with ``.truth.srt``: what is really said and when. The dub is
never given that file; it is there so that the result can be compared with the truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

from autodub.model.errors import AutodubError
from autodub.testing import clips
from autodub.testing.cards import Card

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
READING = {
    "0870": "And Mister John Dashwood had then leisure to consider how much there might be prudently "
    "in his power to do for them.",
    "0880": "He was not an ill disposed young man.",
    "0890": "Unless to be rather cold hearted and rather selfish is to be ill disposed.",
    "0920": "Had he married a more amiable woman, he might have been made still more respectable "
    "than he was.",
    "0930": "He might even have been made amiable himself.",
}
DIALOGUE = (
    ("slt", "We have not seen each other for a long time."),
    ("rms", "I am very well, thank you. It is a beautiful day."),
    ("slt", "Would you like to go to the market with me?"),
    ("rms", "Yes, I would like to buy some bread and some fresh fruit."),
    ("slt", "The market is near the old church. We can walk there."),
    ("rms", "How long does it take to walk to the church?"),
    ("slt", "It takes about ten minutes. We have plenty of time."),
    ("rms", "Good. Then we can have a cup of coffee together."),
)
CARDS = (
    Card("Autodub", "one minute to be dubbed", seconds=3, hue=0.60),
    Card("Sense & Sensibility", "a reading from chapter 1", seconds=27, hue=0.78),
    Card("To the market", "a conversation of two voices", seconds=30, hue=0.45),
)


def main(out: Path) -> None:
    """Build the clip at ``out``."""
    voices = clips.Voices()
    sentences = []
    for number, text in READING.items():
        recording = LIBRIVOX / f"sense_and_sensibility_01_austen_64kb-{number}.wav"
        if recording.is_file():
            sentences.append((text, "reader", recording))
        else:  # a system without Debian's test data
            sentences.append((text, "rms", None))
    lines = clips.spread(sentences, duration=40_000, voices=voices, first=2500, gap=(550, 900))
    talk = _end(lines, voices) + 1800
    lines += clips.spread(
        [(text, voice, None) for voice, text in DIALOGUE],
        duration=90_000, voices=voices, first=talk, gap=(450, 700), seed=2,
    )  # fmt: skip
    duration = -(-(_end(lines, voices) + 2500) // 40) * 40
    first, second = talk // 1000 - 3, -(-duration // 1000) - talk // 1000
    cards = (CARDS[0], _lasting(CARDS[1], first), _lasting(CARDS[2], second + 1))
    clip = clips.build(lines, out=out, duration=duration, cards=cards, size=(1280, 720), voices=voices)
    out.with_suffix(".truth.srt").write_text(clip.srt(), encoding="utf-8")


def _end(lines: list[clips.SpokenLine], voices: clips.Voices) -> int:
    return lines[-1].start + len(voices.sound(lines[-1])) * 1000 // clips.RATE + 1


def _lasting(card: Card, seconds: int) -> Card:
    return Card(card.title, card.caption, seconds=seconds, hue=card.hue)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except AutodubError as problem:
        sys.exit(f"demo: {problem}")
