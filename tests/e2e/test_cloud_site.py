"""From a link to a two-speaker clip to its dub in the speakers' own voices, all of it on this machine."""

import json
import subprocess
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from cloud_desk import Cloud, cloud

from autodub.media import pitch
from autodub.model.errors import AutodubError
from autodub.model.speech import Word
from autodub.testing import dialogue
from autodub.testing.loopback.openai import OpenAIService
from autodub.testing.site import Site

pytestmark = pytest.mark.skipif(not OpenAIService.is_possible(), reason="apertium is not installed")
RATE = 16_000


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Six lines by a woman and a man."""
    return dialogue.build(tmp_path_factory.mktemp("talk"), lines=6, size=(160, 90))


@pytest.fixture(scope="module")
def site(tmp_path_factory, talk):
    """A web site that shows the clip, with captions that people wrote."""
    with Site(talk.clip.path, tmp_path_factory.mktemp("site"), captions=_vtt(talk)) as site:
        yield site


@pytest.fixture(scope="module")
def shown(tmp_path_factory, talk, site):
    """The whole story of one link: dubbed, one line edited, dubbed into another language."""
    with cloud(tmp_path_factory.mktemp("shown"), talk) as place:
        story = {}
        for chapter in ("first", "edited", "french"):
            before, sent = place.kinds(), site.media
            if chapter == "edited":
                _edit(place.folder / "dub.project.json")
            wishes = {"target": "fr", "keep_voices": False} if chapter == "french" else {"keep_voices": True}
            name = "french" if chapter == "french" else "dub"
            result = _dub(place, site, name, **wishes)
            story[chapter] = SimpleNamespace(
                receipt=result.receipt, values=_values(result), sound=_decoded(result.dubbed.output),
                picture=_packets(result.dubbed.output), kinds=_less(place.kinds(), before),
                fetched=site.media - sent, voices=len(place.voices.voices()),
                project=json.loads(result.dubbed.project.read_text("utf-8")),
            )  # fmt: skip
        yield story


def _dub(place: Cloud, site: Site, name: str, path: str = "talk", **wishes):
    allowed = {"AUTODUB_SITES": "127.0.0.1", "AUTODUB_ADDRESSES": "127.0.0.1/32"}
    return place.dub(name, environ=place.environ(**allowed), source=site.url(path), **wishes)


def test_everybody_speaks_in_a_voice_of_their_own(shown, talk):
    """Two speakers are found, and by its pitch every line of the finished dub is in its speaker's clone."""
    first = shown["first"]
    assert len({line.speaker for line in first.receipt.lines}) == 2
    assert len({line.voice for line in first.receipt.lines}) == 2
    assert first.kinds["clone"] == 2
    names = {}
    for line in first.receipt.lines:
        true = _true_speaker(talk, line)
        assert names.setdefault(line.speaker, true) == true
        start, end = (at * RATE // 1000 for at in (line.dub_ms.start, line.dub_ms.end))
        voiced = [hertz for hertz in pitch.track(first.sound[start:end], RATE) if hertz > 0]
        assert len(voiced) >= 10
        assert (np.median(voiced) > 145) == (true == dialogue.WOMAN), (line.id, np.median(voiced))


def test_the_receipt_holds(shown):
    """Coverage, synchrony, rates, length, loudness and background are what the first issue promised."""
    for chapter in shown.values():
        values = chapter.values
        assert values["L1"] == values["L2"] == 1
        assert values["T1.file"] >= 0.73
        assert values["T6.onset.p95"] <= 300
        assert values["T9.natural"] >= 0.85
        assert values["T18"] == 0
        assert abs(values["D1.samples"]) <= 2048
        assert abs(values["M5.loudness"]) <= 1
        assert values["B1"] <= -60
        told = {(d.what, d.reason) for d in chapter.receipt.degradations if d.what != "separator"}
        assert not told


def test_the_picture_is_copied(shown, talk):
    """Packet by packet the dub shows what the site showed."""
    assert {chapter.picture for chapter in shown.values()} == {_packets(talk.clip.path)}


def test_an_edited_line_is_one_synthesis(shown):
    """Nothing else is asked for, and nothing is fetched."""
    edited = shown["edited"]
    assert edited.kinds == {"speech": 1}
    assert edited.fetched == 0
    assert [line["text"] for line in edited.project["lines"]].count("Claro que sí.") == 1


def test_another_language_hears_and_clones_nothing_again(shown):
    """Kept voices speak it; its translations and its lines are all that is paid for."""
    french = shown["french"]
    assert set(french.kinds) <= {"translation", "speech", "models", "account"}
    assert french.kinds["speech"] >= len(french.receipt.lines)
    assert french.fetched == 0
    own = {line.voice for line in shown["first"].receipt.lines}
    assert {line.voice for line in french.receipt.lines} == own


def test_kept_clones_stay(shown):
    """What one job was to keep, no later job deletes."""
    assert [chapter.voices for chapter in shown.values()] == [2, 2, 2]


def test_a_range_with_its_captions(tmp_path, talk, site):
    """Of a range only its lines are dubbed, with the text of the site's captions; nothing is recognised."""
    second, last = talk.lines[1], talk.lines[3]
    start, end = second.span.start - 200, last.span.end + 200
    with cloud(tmp_path, talk) as place:
        engines = {k: v for k, v in place.order()["engines"].items() if k != "transcriber"}
        result = _dub(
            place, site, "part", captions=True, start=start, end=end, clone_voices=False, engines=engines
        )
        assert place.kinds().get("transcription", 0) == 0
        values = _values(result)
        assert values["L1"] == 1
        assert values["T18"] == 0
        spoken = " ".join(line.text for line in result.receipt.lines)
        assert spoken.split() == " ".join(line.text for line in talk.lines[1:4]).split()
        assert abs(len(_decoded(result.dubbed.output)) - (end - start) * RATE // 1000) <= RATE // 20


def test_a_range_that_is_listened_to(tmp_path, talk, site):
    """Without captions the range alone is recognised, its lines lie where they were, its clones go."""
    start, end = talk.lines[2].span.start - 200, talk.lines[5].span.end + 200
    words = [
        Word(w.text, w.span.shifted(-start), w.confidence, w.speaker)
        for w in talk.words
        if start <= w.span.start and w.span.end <= end
    ]
    with cloud(tmp_path, talk) as place:
        place.server.services["deepgram"].tell(words, duration=end - start)
        result = _dub(place, site, "part", start=start, end=end)
        assert place.server.charged()["deepgram"]["seconds"] == pytest.approx((end - start) / 1000, abs=0.2)
        assert _values(result)["T6.onset.p95"] <= 300
        assert place.kinds()["clone"] == 2
        assert place.voices.voices() == ()
        assert [line.source_ms.start for line in result.receipt.lines] == pytest.approx(
            [line.span.start - start for line in talk.lines[2:]], abs=60
        )


def test_a_picture_that_is_not_to_be_had_costs_no_speech(tmp_path, talk, site):
    """The error tells what is wrong; when the site is mended only the picture is fetched and nothing paid."""
    with cloud(tmp_path, talk) as place:
        site.seconds["picture.mp4"] = 2.0  # it comes in last
        site.missing.add("picture.mp4")
        try:
            with pytest.raises(AutodubError) as caught:
                _dub(place, site, "late", keep_voices=True)
        finally:
            site.missing.clear()
        assert caught.value.hint
        assert str(tmp_path) not in caught.value.message
        assert not (tmp_path / "late.mp4").exists()
        asked, sound = place.kinds(), site.sent("sound.m4a")
        result = _dub(place, site, "late", keep_voices=True)
        site.seconds.clear()
        assert site.sent("sound.m4a") == sound
        again = _less(place.kinds(), asked)
        assert "transcription" not in again
        # Whatever was spoken is kept; lines the failure stopped are spoken now.
        assert place.server.repeated() == ()
        assert _packets(result.dubbed.output) == _packets(talk.clip.path)
        assert _values(result)["L1"] == 1


def test_several_wordings_fit_where_one_does_not(tmp_path, talk):
    """Of a wordy translation more lines sound natural, and none is worse off, when lines may be reworded."""
    values = {}
    with cloud(tmp_path, talk) as place:
        translator = place.server.services["openai"]
        translator.wordiness = 1.5
        for rewords in (False, True):
            translator.rewords = rewords
            wishes = {"clone_voices": False, "target": "fr"}
            values[rewords] = _values(place.dub(f"reworded-{rewords}", data=f"data-{rewords}", **wishes))
    one, several = values[False], values[True]
    assert several["T18"] <= one["T18"]
    assert several["T9.natural"] > one["T9.natural"]
    assert several["T1.mean"] > one["T1.mean"]


def _values(result):
    return {one.id: one.value for one in result.receipt.metrics}


def _less(after, before):
    return dict(Counter(after) - Counter(before))


def _edit(project):
    record = json.loads(project.read_text("utf-8"))
    record["lines"][2]["text"] = "Claro que sí."
    project.write_text(json.dumps(record, ensure_ascii=False, indent=2), encoding="utf-8")


def _true_speaker(talk, line):
    """Who says most of what is heard at a line's place."""
    shared = Counter()
    for true in talk.lines:
        shared[true.speaker] += line.source_ms.overlap(true.span)
    return shared.most_common(1)[0][0]


def _decoded(path):
    argv = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:a:0", "-ac", "1", "-ar", str(RATE),
            "-f", "f32le", "-"]  # fmt: skip
    return np.frombuffer(subprocess.run(argv, check=True, capture_output=True).stdout, dtype=np.float32)


def _packets(path):
    argv = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:v:0", "-c", "copy", "-f", "hash",
            "-hash", "md5", "-"]  # fmt: skip
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def _vtt(talk):
    def clock(ms):
        return f"{ms // 60_000:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"

    cues = [f"{clock(x.span.start)} --> {clock(x.span.end)}\n{x.text}\n" for x in talk.lines]
    return "WEBVTT\n\n" + "\n".join(cues)
