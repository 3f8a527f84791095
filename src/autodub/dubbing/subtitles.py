"""Subtitle files in: SRT, WebVTT and plain ASS as people really write them -> segments of speech.

Files are repaired where the meaning is clear, and every repair is a note; a file that holds no
subtitles at all raises BadSubtitles. Nothing that is not spoken (music, descriptions of sounds) is kept.
Writing is in :mod:`autodub.dubbing.captions`.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace

from autodub.dubbing.captions import format_srt, format_vtt
from autodub.dubbing.cue_text import Part, labels, parts
from autodub.model.errors import BadSubtitles
from autodub.model.speech import Segment
from autodub.model.time import Span

__all__ = ["Subtitles", "format_srt", "format_vtt", "parse"]

_TIME = r"(-?)\s*(?:(\d{1,4})\s*[:.]\s*)?(\d{1,3})\s*:\s*(\d{1,2})(?:\s*[.,:]\s*(\d{1,9}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*(?:-{{1,3}}>|→)\s*{_TIME}(?:\s.*)?")
_ASS_TIME = re.compile(r"(-?)(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?")
_LONGEST = 2000
"""Characters of a cue or line that are read: searches in them take the square of their length, and files
from the network may hold anything."""
_READING = 60
"""Milliseconds a character takes when a cue's own end cannot be used (about 17 characters a second)."""


@dataclass(frozen=True, slots=True)
class Subtitles:
    """What a subtitle file says, and what had to be repaired to read it."""

    format: str
    """``srt``, ``vtt`` or ``ass``."""
    segments: tuple[Segment, ...]
    """In time order; empty when the file holds only music and descriptions."""
    notes: tuple[str, ...]
    """Repairs and omissions, in sentences for people."""


@dataclass(frozen=True, slots=True)
class _Cue:
    line: int
    start: int
    end: int
    text: str
    speaker: str | None = None


def parse(data: bytes, *, encoding: str | None = None, name: str = "The subtitle file") -> Subtitles:
    """Segments of a subtitle file's bytes; the encoding is found out unless given.

    Raises BadSubtitles, with the number of the first line that is no subtitle.
    """
    notes: list[str] = []
    text = _decode(data, encoding=encoding, name=name, notes=notes)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0b", "\n").split("\n")
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("WEBVTT"):
        kind, cues = "vtt", _read_vtt(lines, notes)
    elif first.lower() == "[script info]" or any(line.startswith("Dialogue:") for line in lines):
        kind, cues = "ass", _read_ass(lines, notes)
    else:
        kind, cues = "srt", _read_blocks(lines, notes)
    if not cues and not (kind == "vtt" and not any("-->" in line for line in lines)):
        number = next((i for i, line in enumerate(lines, start=1) if line.strip()), 1)
        shown = lines[number - 1].strip()[:60]
        raise BadSubtitles(
            f"{name} holds no subtitles: line {number} (“{shown}”) is not followed by any time such as "
            "00:00:01,000 --> 00:00:02,500.",
            hint="Give an .srt, .vtt or .ass file with times.",
        )
    cues = _unrolled(_in_order(_repaired(cues, notes), notes), notes)
    return Subtitles(kind, tuple(_spoken(cues, notes)), tuple(notes))


def _decode(data: bytes, *, encoding: str | None, name: str, notes: list[str]) -> str:
    """The file as text: as told, else by its byte-order mark, else UTF-8, UTF-16, Western European."""
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise BadSubtitles(f"{name} is empty.", hint="Give a file with subtitles in it.")
    if encoding:
        try:
            return data.decode(encoding).lstrip("\ufeff")
        except LookupError:
            raise BadSubtitles(
                f"There is no text encoding called “{encoding}”.",
                hint="Use utf-8, utf-16, cp1252, cp1251 ...",
            ) from None
        except (UnicodeDecodeError, ValueError) as error:
            at = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
            raise BadSubtitles(
                f"{name} is not {encoding} in line {at}.", hint="Give its real encoding."
            ) from None
    for mark, guess in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(guess, errors="replace")
    head = data[:4000]
    zeros = head.count(0)
    if zeros > len(head) // 4:
        text = data.decode("utf-16-le" if head[1::2].count(0) > zeros // 2 else "utf-16-be", errors="replace")
        if "\0" not in text:
            return text
    if zeros or sum(byte < 9 or 13 < byte < 27 for byte in head) > len(head) // 50:
        raise BadSubtitles(
            f"{name} is not a text file: line 1 holds binary data.", hint="Give an .srt, .vtt or .ass file."
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    letters = [byte for byte in data if byte >= 0x80 or chr(byte).isalpha()]
    if sum(byte >= 0x80 for byte in letters) > len(letters) // 2:
        raise BadSubtitles(
            f"{name} is in a text encoding that cannot be told.",
            hint="Save it as UTF-8, or give its encoding (cp1251 for Cyrillic, gb18030 for Chinese ...).",
        )
    notes.append("The file is not UTF-8; it was read as Western European (cp1252).")
    return data.decode("cp1252", errors="replace")


def _milliseconds(sign: str, hours: str | None, minutes: str, seconds: str, fraction: str | None) -> int:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    value = whole * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
    return -value if sign else value


def _times(line: str) -> re.Match[str] | None:
    return _TIMES.fullmatch(line.strip()[:_LONGEST])


def _number(line: str) -> int | None:
    """A cue's number; None for what is none, such as footnote signs, which are digits, too."""
    text = line.strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _cut(text: str, long: list[int]) -> str:
    """The beginning of a cue's text; what was left out is noted in ``long``."""
    if len(text) > _LONGEST:
        long.append(len(text))
    return text[:_LONGEST]


def _tell_cut(long: list[int], notes: list[str]) -> None:
    if long:
        notes.append(f"{_count(len(long), 'cue')} longer than {_LONGEST} characters was cut there.")


def _read_blocks(lines: list[str], notes: list[str], *, start: int = 0) -> list[_Cue]:
    """Cues of SRT-like lines: a line of times, then text up to the next line of times.

    Numbers may be missing, wrong, or stand without an empty line before them.
    """
    heads: list[tuple[int, int, int]] = []
    broken: list[int] = []
    for at in range(start, len(lines)):
        if "-->" not in lines[at] and "→" not in lines[at]:
            continue
        match = _times(lines[at])
        if match:
            heads.append((at, _milliseconds(*match.groups()[:5]), _milliseconds(*match.groups()[5:])))
        elif "-->" in lines[at]:
            heads.append((at, -1, -1))
            broken.append(at + 1)
    cues: list[_Cue] = []
    long: list[int] = []
    number = 0
    for index, (at, begin, end) in enumerate(heads):
        stop = heads[index + 1][0] if index + 1 < len(heads) else len(lines)
        body = lines[at + 1 : stop]
        if at > 0 and (found := _number(lines[at - 1])) is not None:
            number = found
        if index + 1 < len(heads) and body and body[-1].strip():
            label = body[-1].strip()
            alone = len(body) == 1 or not body[-2].strip()
            if (found := _number(label)) is not None and (alone or found in {number + 1, index + 2}):
                body = body[:-1]
            elif alone and len(body) > 1:
                body = body[:-1]  # a WebVTT cue identifier
        if at + 1 not in broken:
            cues.append(_Cue(at + 1, begin, end, _cut("\n".join(body).strip(), long)))
    _tell_cut(long, notes)
    if cues and broken:
        notes.append(
            f"{_count(len(broken), 'time')} could not be read and the text was left out (line {broken[0]})."
        )
    return cues


def _read_vtt(lines: list[str], notes: list[str]) -> list[_Cue]:
    """Cues of WebVTT, without its NOTE, STYLE and REGION blocks."""
    kept: list[str] = []
    skipping = True  # the header
    for at, line in enumerate(lines):
        if not line.strip():
            skipping = False
        elif at and not lines[at - 1].strip() and re.match(r"(NOTE|STYLE|REGION)(\s|$)", line):
            skipping = True
        if skipping and "-->" in line and _times(line):
            skipping = False
        kept.append("" if skipping else line)
    return _read_blocks(kept, notes)


def _read_ass(lines: list[str], notes: list[str]) -> list[_Cue]:
    """Cues of the Dialogue lines of Advanced SubStation Alpha."""
    fields = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]
    cues: list[_Cue] = []
    broken: list[int] = []
    long: list[int] = []
    in_events = False
    for number, line in enumerate(lines, start=1):
        if line.startswith("["):
            in_events = line.strip().lower() == "[events]"
        if in_events and line.lower().startswith("format:"):
            fields = [field.strip().lower() for field in line.split(":", 1)[1].split(",")]
        if not line.startswith("Dialogue:"):
            continue
        values = dict(zip(fields, line.split(":", 1)[1].split(",", len(fields) - 1), strict=False))
        begin, end = (_ASS_TIME.fullmatch(values.get(key, "").strip()) for key in ("start", "end"))
        if begin is None or end is None or "text" not in values:
            broken.append(number)
            continue
        text = _cut(values["text"], long)
        if re.search(r"\{[^}]*\\p[1-9]", text):
            continue  # a drawing
        text = re.sub(r"\\[Nn]", "\n", text).replace("\\h", " ")
        speaker = (values.get("name") or values.get("actor") or "").strip() or None
        cues.append(_Cue(number, _milliseconds(*begin.groups()), _milliseconds(*end.groups()), text, speaker))
    _tell_cut(long, notes)
    if cues and broken:
        notes.append(f"{_count(len(broken), 'Dialogue line')} could not be read (line {broken[0]}).")
    return cues


def _repaired(cues: list[_Cue], notes: list[str]) -> list[_Cue]:
    """Cues with possible times: none before zero, none that ends before it starts."""
    out: list[_Cue] = []
    negative: list[int] = []
    inverted: list[int] = []
    starts = sorted(cue.start for cue in cues)
    for cue in cues:
        start, end = cue.start, cue.end
        if start < 0:
            negative.append(cue.line)
            start = 0
        if end <= start:
            inverted.append(cue.line)
            later = bisect_right(starts, start)
            after = starts[later] if later < len(starts) else start + 10_000
            end = min(start + max(500, _READING * len(cue.text)), max(after, start + 1))
        out.append(replace(cue, start=start, end=end))
    if negative:
        notes.append(
            f"{_count(len(negative), 'cue')} began before zero and now begins at zero (line {negative[0]})."
        )
    if inverted:
        notes.append(
            f"{_count(len(inverted), 'cue')} ended before it began; the end was set from its text "
            f"(line {inverted[0]})."
        )
    return out


def _in_order(cues: list[_Cue], notes: list[str]) -> list[_Cue]:
    """Cues by time, each once."""
    ordered = sorted(cues, key=lambda cue: (cue.start, cue.end))
    moved = sum(a.start > b.start for a, b in itertools.pairwise(cues))
    if moved:
        notes.append(f"{_count(moved, 'cue')} stood out of order; all were sorted by time.")
    out: list[_Cue] = []
    doubled = 0
    for cue in ordered:
        last = range(len(out) - 1, max(-1, len(out) - 5), -1)
        same = next((at for at in last if out[at].text == cue.text and out[at].end > cue.start), None)
        if same is not None and cue.text:
            doubled += 1
            out[same] = replace(out[same], end=max(out[same].end, cue.end))
        else:
            out.append(cue)
    if doubled:
        notes.append(f"{_count(doubled, 'cue')} appeared twice and is spoken once.")
    return out


def _unrolled(cues: list[_Cue], notes: list[str]) -> list[_Cue]:
    """Cues of rolling captions (each repeats the line before) with every line once.

    Only files that roll throughout are touched: a person may well say the same thing twice.
    """
    texts = [
        [line.strip() for line in re.sub(r"<[^>]*>", "", c.text).split("\n") if line.strip()] for c in cues
    ]

    def rolls(at: int) -> bool:
        before, now = texts[at - 1], texts[at]
        return bool(before and now and before[-1] == now[0] and cues[at].start - cues[at - 1].end <= 50)

    rolling = sum(rolls(at) for at in range(1, len(cues)))
    if rolling < 3 or rolling * 3 < len(cues):
        return cues
    out: list[_Cue] = []
    for at, cue in enumerate(cues):
        lines = texts[at][1:] if at and rolls(at) else texts[at]
        if lines:
            out.append(replace(cue, text="\n".join(lines)))
        elif out:
            out[-1] = replace(out[-1], end=max(out[-1].end, cue.end))
    out = [
        replace(c, end=min(c.end, n.start)) if n.start > c.start else c for c, n in itertools.pairwise(out)
    ] + out[-1:]
    notes.append(f"Rolling captions: {_count(rolling, 'repeated line')} is spoken once.")
    return out


def _spoken(cues: list[_Cue], notes: list[str]) -> list[Segment]:
    """Segments of what is spoken, one per speaker of a cue, sharing its time by length of text."""
    known = labels(cue.text for cue in cues)
    unspoken: Counter[str] = Counter()
    out: list[Segment] = []
    empty = overlaps = 0
    for cue in cues:
        pieces: list[Part] = parts(cue.text, speaker=cue.speaker, known=known, unspoken=unspoken)
        if not pieces:
            empty += not cue.text.strip()
            continue
        weight = [len(piece.text) for piece in pieces]
        done = 0
        for piece, size in zip(pieces, weight, strict=True):
            begin = cue.start + (cue.end - cue.start) * done // sum(weight)
            done += size
            end = cue.start + (cue.end - cue.start) * done // sum(weight)
            overlaps += bool(out) and begin < out[-1].span.end
            out.append(Segment(Span(begin, end), piece.text, speaker=piece.speaker))
    if empty:
        notes.append(f"{_count(empty, 'empty cue')} left out.")
    for what, count in sorted(unspoken.items()):
        notes.append(f"{_count(count, what)} left out, because nobody speaks it.")
    if overlaps:
        notes.append(f"{_count(overlaps, 'cue')} overlaps the one before.")
    return out


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
