"""The dialogue that speed is measured on: deterministic, known to the word, two voices."""

import itertools

import numpy as np

from autodub.infra import process
from autodub.media import sound
from autodub.media.probe import probe
from autodub.testing import dialogue


def test_the_script_grows_without_repeating_itself():
    """Any number of lines begins with the written minute, has no line twice, and both voices often."""
    long = dialogue.script(290)
    assert long[:29] == dialogue.SCRIPT
    assert dialogue.script(29) == dialogue.SCRIPT
    assert len({text for _, text in long}) == 290
    voices = [voice for voice, _ in long]
    assert min(voices.count(dialogue.WOMAN), voices.count(dialogue.MAN)) > 100
    assert all(text[0].isupper() and text[-1] in ".?" for _, text in long)


def test_a_clip_holds_what_is_said_of_it(tmp_path):
    """Lines and words lie in order inside the clip, each line sounds where it should, the rest is soft."""
    made = dialogue.build(tmp_path, lines=6)
    assert made.clip.duration == 12_440
    info = probe(made.clip.path)
    assert abs(info.duration - 12_440) < 60
    assert info.video
    assert [line.text for line in made.lines] == [text for _, text in dialogue.SCRIPT[:6]]
    assert " ".join(word.text for word in made.words) == " ".join(line.text for line in made.lines)
    for before, after in itertools.pairwise(made.words):
        assert before.span.end <= after.span.start
    assert all(word.span.duration > 40 for word in made.words)
    for line in made.lines:
        inside = [word for word in made.words if line.span.start <= word.span.start < line.span.end]
        assert {word.speaker for word in inside} == {line.speaker}
        assert (inside[0].span.start, inside[-1].span.end) == (line.span.start, line.span.end)
    process.run(
        ["ffmpeg", "-v", "error", "-i", str(made.clip.path), "-ac", "1", str(tmp_path / "a.wav")], deadline=60
    )
    samples, rate = sound.load(tmp_path / "a.wav")

    def level(start, end):
        part = samples[start * rate // 1000 : end * rate // 1000]
        return 10 * np.log10(np.mean(part**2))

    for line, follower in itertools.pairwise(made.lines):
        assert (
            level(line.span.start, line.span.end) > level(line.span.end + 20, follower.span.start - 20) + 10
        )


def test_a_clip_is_made_once(tmp_path):
    """What lies in the folder is used again, and made anew it is the same sound to the byte."""
    first = dialogue.build(tmp_path / "one", lines=2)
    stamp = first.clip.path.stat().st_mtime_ns
    assert dialogue.build(tmp_path / "one", lines=2) == first
    assert first.clip.path.stat().st_mtime_ns == stamp
    assert first.clip.path.with_suffix(".srt").read_text("utf-8").count("-->") == 2
    again = dialogue.build(tmp_path / "two", lines=2)
    assert (again.lines, again.words) == (first.lines, first.words)
    assert again.clip.path.read_bytes() == first.clip.path.read_bytes()
    assert not [path for path in (tmp_path / "one").iterdir() if path.name.startswith(".")]
