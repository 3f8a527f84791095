"""Subtitle files as people really write them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.captions import LINES, WIDTH, layout
from autodub.dubbing.subtitles import format_srt, format_vtt, parse
from autodub.model.errors import BadSubtitles
from autodub.model.speech import Segment
from autodub.model.time import Span

GOOD = (
    "1\n00:00:01,000 --> 00:00:02,500\nGood morning.\n\n2\n00:00:03,000 --> 00:00:04,000\n¿Qué tal, José?\n"
)


def said(text: str) -> list[tuple[int, int, str, str | None]]:
    """Start, end, text and speaker of every segment of a file's text."""
    return [(s.span.start, s.span.end, s.text, s.speaker) for s in parse(text.encode()).segments]


def one(body: str) -> list[tuple[str, str | None]]:
    """Text and speaker of what a single cue's text says."""
    found = parse(f"1\n00:00:01,000 --> 00:00:05,000\n{body}\n".encode())
    return [(s.text, s.speaker) for s in found.segments]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings_are_found_out(encoding: str) -> None:
    """Byte-order marks, UTF-16 without one, UTF-8 and Western European all read alike."""
    assert [s.text for s in parse(GOOD.encode(encoding)).segments] == ["Good morning.", "¿Qué tal, José?"]


def test_a_fallback_encoding_is_noted() -> None:
    """Reading a file as cp1252 is a guess, and said so."""
    assert any("cp1252" in note for note in parse(GOOD.encode("cp1252")).notes)
    assert parse(GOOD.encode()).notes == ()


def test_a_given_encoding_is_used() -> None:
    """The user's word beats any guess."""
    data = "1\n00:00:01,000 --> 00:00:02,000\nПривет, мир.\n".encode("cp1251")
    assert parse(data, encoding="cp1251").segments[0].text == "Привет, мир."
    with pytest.raises(BadSubtitles, match="encoding"):
        parse(data)


def test_a_wrong_encoding_is_refused() -> None:
    """An encoding that does not exist or does not fit is the user's to fix; the line is named."""
    with pytest.raises(BadSubtitles, match="klingon"):
        parse(b"x", encoding="klingon")
    with pytest.raises(BadSubtitles, match="line 7"):
        parse(GOOD.encode("cp1252"), encoding="utf-8")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_do_not_matter(ending: str) -> None:
    """Files of every system read alike."""
    assert len(parse(GOOD.replace("\n", ending).encode()).segments) == 2


@pytest.mark.parametrize(
    ("times", "span"),
    [
        ("00:00:01,500 --> 00:00:02,000", (1500, 2000)),
        ("00:00:01.5 --> 00:00:02.0", (1500, 2000)),
        ("00:01.500 --> 00:02.000", (1500, 2000)),
        ("1:02:03,004-->1:02:05,006", (3_723_004, 3_725_006)),
        ("00:00:01,500 --> 00:00:02,000 X1:10 Y1:20", (1500, 2000)),
        ("00:00:01 --> 00:00:02", (1000, 2000)),
        ("  00:00:01,500  →  00:00:02,000", (1500, 2000)),
    ],
)
def test_times_are_read_in_all_their_forms(times: str, span: tuple[int, int]) -> None:
    """Comma or dot, with or without hours, spaces or positions."""
    assert said(f"1\n{times}\nHi.\n")[0][:2] == span


def test_numbers_may_be_missing_or_unseparated() -> None:
    """Cues without numbers, and cues without an empty line between them, are all found."""
    text = (
        "00:00:01,000 --> 00:00:02,000\nOne.\n\n00:00:03,000 --> 00:00:04,000\nTwo.\n3\n"
        "00:00:05,000 --> 00:00:06,000\nThree.\n"
    )
    assert [row[2] for row in said(text)] == ["One.", "Two.", "Three."]


def test_a_spoken_number_is_not_a_cue_number() -> None:
    """A cue that says only a number keeps it."""
    text = "1\n00:00:01,000 --> 00:00:02,000\n1984\n\n2\n00:00:03,000 --> 00:00:04,000\nA book.\n"
    assert [row[2] for row in said(text)] == ["1984", "A book."]


def test_order_and_doubles_are_repaired() -> None:
    """Cues are sorted, doubled ones spoken once, and both are noted."""
    text = (
        "1\n00:00:05,000 --> 00:00:06,000\nLater.\n\n2\n00:00:01,000 --> 00:00:02,000\nFirst.\n\n"
        "3\n00:00:01,000 --> 00:00:02,000\nFirst.\n"
    )
    found = parse(text.encode())
    assert [s.text for s in found.segments] == ["First.", "Later."]
    assert any("order" in note for note in found.notes)
    assert any("twice" in note for note in found.notes)


def test_overlapping_cues_are_kept_and_noted() -> None:
    """Two people at once are two segments."""
    text = "1\n00:00:01,000 --> 00:00:04,000\nOne.\n\n2\n00:00:02,000 --> 00:00:05,000\nTwo.\n"
    found = parse(text.encode())
    assert [s.span for s in found.segments] == [Span(1000, 4000), Span(2000, 5000)]
    assert any("overlap" in note for note in found.notes)


def test_impossible_times_are_repaired() -> None:
    """Negative starts become zero; an end before its start is set from the text, before the next cue."""
    text = (
        "1\n-00:00:01,000 --> 00:00:02,000\nBelow zero.\n\n"
        "2\n00:00:05,000 --> 00:00:03,000\nBackwards in time.\n\n"
        "3\n00:00:05,800 --> 00:00:07,000\nNext.\n"
    )
    found = parse(text.encode())
    assert found.segments[0].span == Span(0, 2000)
    assert found.segments[1].span == Span(5000, 5800)
    assert len(found.notes) == 2


def test_an_unreadable_time_is_noted_with_its_line() -> None:
    """A broken time loses its cue, not the file, and not silently."""
    found = parse((GOOD + "\n3\n00:00:xx,000 --> 00:00:09,000\nLost.\n").encode())
    assert [s.text for s in found.segments] == ["Good morning.", "¿Qué tal, José?"]
    assert any("line 10" in note for note in found.notes)


@pytest.mark.parametrize(
    ("body", "spoken"),
    [
        ("<i>Hello</i> <font color='red'>there</font>.", [("Hello there.", None)]),
        ("{\\an8}{y:i}Up here.", [("Up here.", None)]),
        ("Fish &amp; chips", [("Fish & chips", None)]),
        ("[MUSIC PLAYING]", []),
        ("[door\ncreaks] Who is it?", [("Who is it?", None)]),
        ("♪ La la la ♪\nStop that!", [("Stop that!", None)]),
        ("(SIGHS) Fine.", [("Fine.", None)]),
        ("(laughs)", []),
        ("Ten (or so) people.", [("Ten (or so) people.", None)]),
        ("JOHN: Come in.", [("Come in.", "John")]),
        ("MAN #2: Me too.", [("Me too.", "Man #2")]),
        ("Remember: be kind.", [("Remember: be kind.", None)]),
        ("It is 10:30 now.", [("It is 10:30 now.", None)]),
        ("- Are you there?\n- Yes.", [("Are you there?", None), ("Yes.", None)]),
        ("- A single line.", [("A single line.", None)]),
        ("ANNA: Here.\nBOB: And here.", [("Here.", "Anna"), ("And here.", "Bob")]),
        (">> Good evening.", [("Good evening.", None)]),
        ("...", []),
        ("A\u200b zero\u00a0width.", [("A zero width.", None)]),
    ],
)
def test_only_what_is_spoken_is_kept(body: str, spoken: list[tuple[str, str | None]]) -> None:
    """Markup, sounds and music go; labels and dashes say who speaks."""
    assert one(body) == spoken


def test_mixed_case_labels_need_to_repeat() -> None:
    """A name before a colon is a speaker when it comes up three times."""
    cues = "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\nAnna: Number {n}.\n\n" for n in range(1, 4))
    assert {row[3] for row in said(cues)} == {"Anna"}


def test_what_is_left_out_is_noted() -> None:
    """Every omission is reported."""
    found = parse(
        (GOOD + "\n00:00:05,000 --> 00:00:06,000\n[BANG]\n\n00:00:07,000 --> 00:00:08,000\n\n").encode()
    )
    assert any("sound description" in note for note in found.notes)
    assert any("empty" in note for note in found.notes)


def test_dialogue_shares_the_time_of_its_cue() -> None:
    """Two speakers in one cue get time in proportion to what they say, without gap or overlap."""
    text = "1\n00:00:01,000 --> 00:00:05,000\n- Yes.\n- Then let us leave.\n"
    first, second = parse(text.encode()).segments
    assert first.span.start == 1000
    assert first.span.end == second.span.start < 2500
    assert second.span.end == 5000


def test_webvtt_is_understood() -> None:
    """Headers, notes, styles, identifiers, settings, voices and inner times are no speech."""
    text = (
        "WEBVTT - a title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE\nnothing\n\nintro\n"
        "00:01.000 --> 00:02.000 align:start position:0%\n<v.loud Mary>Hi <00:01.500><c>there</c>.</v>\n\n"
        "00:03.000 --> 00:06.000\n<v Bob>One.</v>\n<v Mary>Two.</v>\n"
    )
    found = parse(text.encode())
    assert found.format == "vtt"
    assert [(s.text, s.speaker) for s in found.segments] == [
        ("Hi there.", "Mary"),
        ("One.", "Bob"),
        ("Two.", "Mary"),
    ]


def test_rolling_captions_say_every_line_once() -> None:
    """Captions that repeat the line before are spoken without the repetition."""
    lines = ["we went down", "to the river", "and there we saw", "a boat full of", "people singing"]
    blocks = ["WEBVTT"]
    for n, line in enumerate(lines):
        before = f"{lines[n - 1]}\n" if n else ""
        blocks.append(f"00:0{n}.000 --> 00:0{n + 1}.000\n{before}{line}")
    found = parse("\n\n".join(blocks).encode())
    assert " ".join(s.text for s in found.segments) == " ".join(lines)
    assert any("Rolling" in note for note in found.notes)


def test_a_real_repetition_is_spoken() -> None:
    """Somebody who says no twice says it twice."""
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\nNo!\n\n2\n00:00:02,000 --> 00:00:03,000\nNo!\n\n"
        "3\n00:00:04,000 --> 00:00:05,000\nGo.\n"
    )
    assert [row[2] for row in said(text)] == ["No!", "No!", "Go."]


def test_ass_dialogue_is_understood() -> None:
    """Dialogue lines give times, names and text; comments and drawings do not."""
    text = (
        "[Script Info]\nTitle: x\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,no\n"
        "Dialogue: 0,0:00:01.50,0:00:03.00,Default,Anna,0,0,0,,{\\b1}Well,{\\b0} hello\\Nthere.\n"
        "Dialogue: 0,0:00:04.00,0:00:05.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1\n"
    )
    found = parse(text.encode())
    assert found.format == "ass"
    assert [(s.span, s.text, s.speaker) for s in found.segments] == [
        (Span(1500, 3000), "Well, hello there.", "Anna")
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"Dear reader,\nthis is a letter.\n", "line 1"),
        (b"\n\nA letter\n", "line 3"),
        (b"\x00\x01\x02\x03RIFF" * 100, "line 1"),
        (b'{"a": 1}', "line 1"),
    ],
)
def test_what_is_no_subtitle_file_is_refused(data: bytes, says: str) -> None:
    """Anything else raises BadSubtitles naming where it went wrong."""
    with pytest.raises(BadSubtitles, match=says) as caught:
        parse(data)
    assert caught.value.hint


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_subtitles_or_refused(data: bytes) -> None:
    """No file makes anything but segments in order or the user's error."""
    try:
        found = parse(b"1\n00:00:01,000 --> 00:00:02,000\n" + data)
    except BadSubtitles:
        return
    starts = [s.span.start for s in found.segments]
    assert starts == sorted(starts)


WORDS = st.lists(
    st.sampled_from(["a", "la", "verdad", "extraordinariamente", "sí,", "no.", "¿qué?"]),
    min_size=1,
    max_size=40,
)


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 9_000), WORDS), max_size=8))
@settings(deadline=None)
def test_written_files_read_back(rows: list[tuple[int, int, list[str]]]) -> None:
    """What is written parses back to the same cues, in both formats; cues fit, and never overlap."""
    segments = [Segment(Span(start, start + length), " ".join(text)) for start, length, text in rows]
    cues = layout(segments)
    assert sorted(" ".join(c.text for c in cues).split()) == sorted(w for row in rows for w in row[2])
    for a, b in itertools.pairwise(cues):
        assert a.span.end <= b.span.start
    for cue in cues:
        assert cue.span.duration > 0
        assert len(cue.text.split("\n")) <= LINES
        assert all(len(line) <= WIDTH + 6 for line in cue.text.split("\n"))
    if not cues or any(a.text == b.text for a, b in itertools.pairwise(cues)):
        return
    for written in (format_srt(segments), format_vtt(segments)):
        back = parse(written.encode())
        expected = [(c.span, " ".join(c.text.split())) for c in cues]
        assert [(s.span, s.text) for s in back.segments] == expected


def test_a_short_cue_stays_long_enough_to_read() -> None:
    """A cue is shown for a second where the next leaves room, and never beyond it."""
    segments = [Segment(Span(0, 200), "Yes."), Segment(Span(600, 900), "No.")]
    assert [c.span for c in layout(segments)] == [Span(0, 600), Span(600, 1600)]


def test_long_text_is_split_with_its_time() -> None:
    """A long line becomes several cues that share its time in proportion."""
    text = (
        "Había una vez un rey que vivía en un castillo muy lejano, "
        "y que nunca salía de allí porque tenía miedo del mar."
    )
    cues = layout([Segment(Span(0, 8000), text)])
    assert len(cues) == 2
    assert cues[0].text.endswith(",")
    assert cues[-1].span.end == 8000


def test_text_without_spaces_is_wrapped() -> None:
    """Scripts without spaces break between characters instead of running off the screen."""
    cues = layout([Segment(Span(0, 20_000), "私は昨日の夜に友達と一緒に新しい映画を見に行きました" * 8)])
    assert all(len(line) <= WIDTH + 6 for cue in cues for line in cue.text.split("\n"))


def test_empty_input_makes_an_empty_file() -> None:
    """Nothing spoken gives a valid file without cues."""
    assert format_srt([]) == ""
    assert parse(format_vtt([]).encode()).segments == ()


HEAD = "WEBVTT\n\n00:00.000 --> 00:01.000\n"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "<" * 1_000_000,
        HEAD + "{\\" * 500_000,
        HEAD + "[" * 1_000_000,
        HEAD + "<v " * 300_000,
        HEAD + "A: " * 300_000,
        HEAD + "hi\n\n" + " " * 1_000_000 + "--> x\n",
        "[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,,,,,," + "{" * 1_000_000,
        "[Script Info]\n[Events]\nDialogue: 0," + "9" * 100_000 + ":00:00.00,0:00:01.00,,,,,,,hi",
        "".join(f"{n}\n00:00:01,000 --> 00:00:00,{n % 1000:03}\nword {n}\n\n" for n in range(30_000)),
        "".join(
            f"00:{n // 60 % 60:02}:{n % 60:02},000 --> 02:00:00,000\n{n // 2}\n\n" for n in range(20_000)
        ),
    ],
    ids=lambda text: text[:60] + text[-20:],
)
def test_endless_and_hostile_files_are_read_in_linear_time(text: str) -> None:
    """Captions come from the network; a megabyte of openings must not keep the program busy for an hour."""
    try:
        said = "".join(segment.text for segment in parse(text.encode()).segments)
    except BadSubtitles as problem:
        said = str(problem)[400:]
    assert len(said) <= len(text) // 2


@pytest.mark.parametrize("sign", ["²", "①", "9" * 5000])
def test_numbers_that_are_none_are_text(sign: str) -> None:
    """Footnote signs and endless numbers stand where a cue's number is expected."""
    found = parse(
        f"{sign}\n00:00:00,000 --> 00:00:01,000\nOne\n{sign}\n\n00:00:02,000 --> 00:00:03,000\nTwo\n".encode()
    )
    assert [segment.text.partition(" ")[0] for segment in found.segments] == ["One", "Two"]


def test_a_cue_without_end_is_cut_and_that_is_said() -> None:
    """Nobody says two thousand characters in one breath; the rest is left out, with a note."""
    found = parse((HEAD + "word " * 1000).encode())
    assert len(found.segments[0].text) <= 2000
    assert any("cut there" in note for note in found.notes)
