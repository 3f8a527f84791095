"""What the benchmarks dub: long clips of short sentences at known times."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from autodub.testing import clips
from autodub.testing.cards import Card

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
READ_ALOUD = {
    "0870": "And Mister John Dashwood had then leisure to consider how much there might be prudently "
    "in his power to do for them.",
    "0880": "He was not an ill disposed young man.",
    "0890": "Unless to be rather cold hearted and rather selfish is to be ill disposed.",
    "0920": "Had he married a more amiable woman, he might have been made still more respectable "
    "than he was.",
    "0930": "He might even have been made amiable himself.",
}
SENTENCES = (
    "The train to the city leaves at seven in the morning.",
    "My brother works in a small office near the river.",
    "We have not seen each other for a long time.",
    "Would you like to go to the market with me?",
    "It is a beautiful day, and the sky is very blue.",
    "The children are playing in the garden behind the house.",
    "I would like to buy some bread and some fresh fruit.",
    "How long does it take to walk to the church?",
    "She opened the window and looked at the street.",
    "The old man told us a story about the sea.",
    "There is a letter for you on the kitchen table.",
    "He forgot his keys again and had to wait outside.",
    "The doctor says that you should rest for a few days.",
    "Can you help me carry these boxes to the car?",
    "They built the bridge more than two hundred years ago.",
    "I am reading a book about the history of music.",
    "The meeting starts in ten minutes in the large room.",
    "Please close the door when you leave the house.",
    "My mother always cooks too much food for us.",
    "The water in the lake is cold but very clear.",
    "What are you going to do this afternoon?",
    "We can take the bus, or we can walk along the river.",
    "The museum is open every day, and it is free on Sundays.",
    "I think that the answer to your question is simple.",
    "He has worked in this hospital for twenty years.",
    "The teacher wrote three words on the board.",
    "Nobody knew where the dog had come from.",
    "Last summer we travelled through the north of the country.",
    "The film was long, but the end was very good.",
    "You can see the mountains from the window of my room.",
    "The shop on the corner sells newspapers and coffee.",
    "It takes about ten minutes. We have plenty of time.",
    "She learned to speak four languages when she was young.",
    "The wind was so strong that the trees were moving.",
    "I will call you tomorrow when I arrive at the station.",
    "The answer came after many weeks of waiting.",
    "There are two chairs and a table in the room.",
    "Every morning he drinks a cup of coffee and reads the news.",
    "The road goes up the hill and then down to the village.",
    "They wanted to buy the house, but it was too expensive.",
    "My friends are waiting for us at the restaurant.",
    "The sun was already low when we reached the beach.",
    "Do you remember the name of that song?",
    "I have never been to the south of the country.",
    "The snow covered the roofs of all the houses.",
    "He gave me a map and showed me the way.",
    "The bread is in the oven, and the soup is ready.",
    "Good. Then we can have a cup of coffee together.",
    "The first part is easy, but the second part is difficult.",
    "We need more time to finish this work.",
    "The cat sleeps on the chair next to the fire.",
    "A new school will be opened here next year.",
    "It was raining, so we stayed at home all day.",
    "The light in the hall does not work any more.",
    "Many people visit this town in the summer.",
    "She put the flowers in a glass of water.",
    "The boat came back to the harbour at night.",
    "I would rather stay here and wait for them.",
    "His voice was quiet, but everybody understood him.",
    "That is all for today. Thank you for listening.",
)
"""Plain sentences that weights-free recognisers and translators can handle."""


def clip(minutes: int, folder: Path, *, lines: int | None = None, seed: int = 1) -> clips.KnownClip:
    """A clip of so many minutes; with ``lines``, of the length those lines need, at most ``minutes``.

    Two synthetic voices and a human reader in random order, the next line 0.45 to 1.6 s after the
    last, music throughout. Beside it lies ``.srt`` with the true text and times.
    """
    order = random.Random(seed)
    voices = clips.Voices()
    sentences: list[tuple[str, str, Path | None]] = []
    while len(sentences) < minutes * 30 + 30:
        said = [(text, order.choice(("slt", "rms")), None) for text in SENTENCES]
        if LIBRIVOX.is_dir():
            read = (LIBRIVOX / f"sense_and_sensibility_01_austen_64kb-{name}.wav" for name in READ_ALOUD)
            said += list(zip(READ_ALOUD.values(), ["reader"] * len(READ_ALOUD), read, strict=True))  # type: ignore[arg-type]
        order.shuffle(said)
        sentences += said
    duration = minutes * 60_000
    placed = clips.spread(sentences[:lines], duration=duration, voices=voices, seed=seed)
    if lines is not None:
        last = replace(placed[-1])
        duration = -(-(last.start + len(voices.sound(last)) * 1000 // clips.RATE + 2500) // 40) * 40
    made = clips.build(
        placed, out=folder / f"known-{minutes}-{lines or 'full'}.mp4", duration=duration, voices=voices,
        cards=[Card(f"{minutes} minutes", "known line times", seconds=30, hue=h) for h in (0.6, 0.8)],
        size=(640, 360),
    )  # fmt: skip
    made.path.with_suffix(".srt").write_text(made.srt(), encoding="utf-8")
    return made
