"""A receipt as one self-contained HTML page: no script, no request, text escaped, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autodub.quality import report_charts as charts
from autodub.quality.receipt import LineRow, Metric, Receipt
from autodub.quality.report_cost import calls, cost
from autodub.quality.report_style import STYLE

HEADLINES = (
    "L1", "T1.file", "R1.onset.p95", "T6.onset.p95", "T9.natural", "T10", "T18",
    "D1.frames", "D1.sound", "B1", "B2", "M5.loudness", "M5.clipped",
)  # fmt: skip
"""Figures on the cards."""
_MOST_LINES = 200
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TONES = {"lead": "good", "floor": "warn", "below": "bad"}
_WORDS = {
    "lead": "good",
    "floor": "enough",
    "below": "short of it",
    "undefined": "not measured",
    "reported": "",
}
_VERDICTS = {"lead": ("good", "Every target met"), "floor": ("warn", "Good enough to ship"),
             "below": ("bad", "Needs a look"), "undefined": ("none", "Not measured"),
             "nothing": ("none", "Nothing to judge")}  # fmt: skip


def report(receipt: Receipt) -> str:
    """The page."""
    title = f"{receipt.dub}: how good is this dub?"
    parts = [
        _head(receipt),
        _cards(receipt),
        _timeline(receipt),
        _plots(receipt),
        _flagged(receipt),
        _kept(receipt),
        _making(receipt),
        _metrics(receipt.metrics),
        _method(receipt),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def shown(value: float | None, unit: str, *, metric: str = "") -> str:
    """A value for people; a dash where there is none."""
    if value is None:
        return "–"
    if metric.startswith("B1") and value <= -200:
        return "bit for bit"
    if unit == "share":
        return f"{100 * value:.1f}".rstrip("0").rstrip(".") + " %"
    if unit in ("ratio", "r"):
        return f"{value:.2f}"
    if unit in ("violations", "lines", "edges", "samples"):
        return f"{value:.0f}"
    if unit == "ms":
        return f"{value:.0f} ms"
    if unit == "frames":
        return f"{value:.1f}".removesuffix(".0") + (" frame" if value == 1 else " frames")
    if unit.startswith("dB"):
        return f"{value:.1f} {unit}"
    return f"{value:.2f} {unit}"


def asked(bound: float, unit: str) -> str:
    """A bound for people."""
    return f"{bound:g} {unit}" if unit in ("dB", "LU", "dBTP") else shown(bound, unit)


def _head(receipt: Receipt) -> str:
    tone, word = _VERDICTS[receipt.verdict]
    pair = " → ".join(tag for tag in (receipt.source_language, receipt.target_language) if tag)
    count, length = receipt.line_count, receipt.durations
    facts = [pair] if pair else []
    facts.append(f"{charts.clock(length.output_ms)} long")
    if count.total:
        facts.append(f"{count.heard} of {count.total} lines heard")
    if count.kept_original:
        facts.append(f"{count.kept_original} kept in the original")
    if count.left_out:
        facts.append(f"{count.left_out} left out")
    if length.picture_copied:
        facts.append("picture untouched")
    return (
        f"<header><h1>{escape(receipt.dub)}</h1>"
        f'<div class="soft">{escape(" · ".join(facts))} · made from {escape(receipt.source)}</div>'
        f'<div class="verdict"><span class="pill {tone}">{word}</span>'
        f"<span>{escape(receipt.summary)}</span></div></header>"
    )


def _cards(receipt: Receipt) -> str:
    out = []
    for name in HEADLINES:
        metric = receipt.metric(name)
        if metric is None:
            continue
        tone = _TONES.get(metric.standing, "none")
        goal = metric.lead if metric.lead is not None else metric.floor
        bound = f"{metric.sense} {asked(goal, metric.unit)}" if goal is not None and metric.sense else ""
        out.append(
            f'<div class="card {tone}" title="{escape(metric.definition, quote=True)}">'
            f'<div class="name">{escape(metric.name)}</div>'
            f'<div class="value">{escape(shown(metric.value, metric.unit, metric=name))}</div>'
            f'<div class="bound">{escape(bound)}</div><div class="mark {tone}">{_word(metric)}</div></div>'
        )
    return f'<div class="cards">{"".join(out)}</div>'


def _word(metric: Metric) -> str:
    return "not measured" if metric.value is None else _WORDS[metric.standing]


def _timeline(receipt: Receipt) -> str:
    silent = [
        line.clip_ms or line.source_ms
        for line in receipt.lines
        if line.status != "kept original" and line.dub_ms is None
    ]
    mark = '<span><i style="background:var(--bad)"></i>line not heard</span>' if silent else ""
    picture = charts.timeline(
        receipt.curves.source_speech_ms, receipt.curves.dub_speech_ms,
        duration=max(receipt.durations.source_ms, receipt.durations.output_ms), silent=silent,
    )  # fmt: skip
    return (
        "<section><h2>Speech over time</h2>"
        '<div class="key"><span><i style="background:var(--source)"></i>source speaks</span>'
        f'<span><i style="background:var(--dub)"></i>dub speaks</span>{mark}</div>{picture}</section>'
    )


def _plots(receipt: Receipt) -> str:
    duration = max(receipt.durations.source_ms, receipt.durations.output_ms)
    out = []
    if any(line.pace is not None for line in receipt.lines):
        out.append(
            "<section><h2>Pace of each line</h2>"
            '<p class="soft small">1 is the voice’s pace, chosen once per speaker; within the band '
            "(.90–1.15) speech sounds even.</p>"
            f"{charts.paces(receipt.lines, duration=duration)}</section>"
        )
    curves = receipt.curves
    picture = charts.loudness(curves.source_lufs, curves.output_lufs, step=curves.step_ms, duration=duration)
    if picture:
        out.append(
            '<section><h2>Loudness</h2><div class="key">'
            '<span><i class="thin" style="background:var(--source)"></i>source</span>'
            '<span><i class="thin" style="background:var(--dub)"></i>output</span>'
            f"<span>LUFS, 3 s</span></div>{picture}</section>"
        )
    return f'<div class="pair">{"".join(out)}</div>' if len(out) == 2 else "".join(out)


def _flagged(receipt: Receipt) -> str:
    if not receipt.lines:
        return ""
    if not receipt.flagged:
        return '<section><h2>Lines worth a look</h2><p class="soft">None.</p></section>'
    known = {line.id: line for line in receipt.lines}
    rows = []
    for flag in receipt.flagged[:_MOST_LINES]:
        line = known[flag.line]
        tone = "bad" if flag.risk >= 0.6 else "warn"
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in flag.reasons)
        rows.append(
            f'<tr><td class="n">{escape(line.id)}</td><td class="n">{charts.clock(line.source_ms.start)}</td>'
            f'<td class="n"><span class="meter {tone}" style="width:{max(4, round(48 * flag.risk))}px" '
            f'title="risk {flag.risk:.2f}"></span></td>'
            f'<td><ul>{reasons}</ul></td><td class="text">{_words(line)}</td></tr>'
        )
    rest = len(receipt.flagged) - _MOST_LINES
    more = f'<p class="soft small">{rest} more are in the receipt.</p>' if rest > 0 else ""
    return (
        f'<section><h2>Lines worth a look</h2><p class="soft small">{len(receipt.flagged)} of '
        f'{receipt.line_count.total} lines, riskiest first.</p><table class="lines"><thead><tr>'
        '<th class="n">line</th><th class="n">at</th><th class="n">risk</th><th>why</th><th>said</th>'
        "</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{more}</section>"
    )


def _words(line: LineRow) -> str:
    spoken = f'<div dir="auto">{escape(line.spoken)}</div>' if line.spoken else ""
    return f'{spoken}<div class="soft" dir="auto">{escape(line.text)}</div>'


def _making(receipt: Receipt) -> str:
    out = []
    shortfalls = ""
    if receipt.degradations:
        body = "".join(
            f'<tr><td>{escape(d.message)}</td><td class="soft">{escape(d.reason)}</td></tr>'
            for d in receipt.degradations
        )
        shortfalls = f"<section><h2>Done less well than asked</h2><table>{body}</table></section>"
    if receipt.notes:
        body = "".join(f"<p>{escape(note)}</p>" for note in receipt.notes)
        shortfalls += f"<section><h2>Notes</h2>{body}</section>"
    if receipt.engines:
        body = "".join(
            f'<tr><td class="soft">{escape(e.role)}</td><td>{escape(e.name)} '
            f'<span class="soft">{escape(e.version)}</span>'
            f"{_why(e.why)}</td></tr>"
            for e in receipt.engines
        )
        out.append(f"<section><h2>Engines</h2><table>{body}</table></section>")
    if receipt.stages:
        longest = max(stage.seconds for stage in receipt.stages) or 1.0
        body = "".join(
            f'<tr><td class="soft">{escape(s.stage)}</td><td class="n">{s.seconds:.1f} s</td>'
            '<td style="width:55%"><span class="meter" '
            f'style="width:{100 * s.seconds / longest:.0f}%"></span></td></tr>'
            for s in receipt.stages
        )
        out.append(f"<section><h2>Time and calls</h2><table>{body}</table>{calls(receipt)}</section>")
    pair = f'<div class="pair">{"".join(out)}</div>' if len(out) > 1 else "".join(out)
    return shortfalls + pair + cost(receipt)


def _why(reason: str) -> str:
    """Why this engine was taken, where there was a choice: that it is ready goes without saying."""
    said = "; ".join(part for part in reason.split("; ") if part not in ("", "ready", "asked for"))
    return f'<div class="soft small">{escape(said)}</div>' if said else ""


def _kept(receipt: Receipt) -> str:
    """Lines that are not spoken, by reason."""
    reasons: dict[str, list[str]] = {}
    for line in receipt.lines:
        if line.status != "spoken":
            reasons.setdefault(line.reason.rstrip(".") or "no reason is known", []).append(line.id)
    if not reasons:
        return ""
    body = "".join(
        f"<tr><td>{escape(reason[:1].upper() + reason[1:])}.</td>"
        f'<td class="n">{len(names)}</td><td class="soft text">{escape(some(names))}</td></tr>'
        for reason, names in reasons.items()
    )
    count = sum(map(len, reasons.values()))
    return (
        f'<section><h2>Lines kept</h2><p class="soft small">{count} of {receipt.line_count.total} lines are '
        f"not spoken; the original sound stays.</p><table>{body}</table></section>"
    )


def some(names: Sequence[str], *, most: int = 8) -> str:
    """The first few of some names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _metrics(metrics: Sequence[Metric]) -> str:
    rows = []
    for metric in metrics:
        tone = _TONES.get(metric.standing, "none")
        bounds = [asked(bound, metric.unit) for bound in (metric.floor, metric.lead) if bound is not None]
        bound = f"{metric.sense} {' / '.join(dict.fromkeys(bounds))}" if bounds else ""
        left_out = f" {metric.undefined} left out: {metric.reason}." if metric.undefined else ""
        rests = f'<span title="values it rests on">{metric.count}</span>'
        parts = "; ".join(f"{name} {shown(value, metric.unit)}" for name, value in metric.parts.items())
        per = f'<div class="soft small">{escape(parts)}</div>' if len(metric.parts) > 1 else ""
        rows.append(
            f'<tr><td class="id">{escape(metric.id)}</td><td class="text">{escape(metric.name)}'
            f'<div class="soft small">{escape(metric.definition)}{escape(left_out)}</div>{per}</td>'
            f'<td class="n {tone}">{escape(shown(metric.value, metric.unit, metric=metric.id))}</td>'
            f'<td class="n soft">{_labelled("asked", bound)}</td>'
            f'<td class="n soft">{_labelled("from", rests, is_html=True)}</td></tr>'
        )
    return (
        f"<section><h2>Every figure</h2><details><summary>{len(metrics)} figures, how each is defined, and "
        "what is asked of it (to ship / to be good)</summary>"
        '<div class="wide"><table class="figures"><thead><tr><th>id</th><th>figure</th>'
        '<th class="n">value</th><th class="n">asked</th><th class="n">from</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details></section>"
    )


def _labelled(label: str, text: str, *, is_html: bool = False) -> str:
    """A cell that says what it is where the table has no head any more, on narrow screens."""
    if not text:
        return ""
    return f'<span class="label">{label} </span>{text if is_html else escape(text)}'


def _method(receipt: Receipt) -> str:
    method, length = receipt.method, receipt.durations
    notes = [f"Dub speech was detected on {method.stem} by {method.detector}."]
    if method.residue_db is not None:
        notes.append(f"What the codec adds to the background lies at {method.residue_db:.0f} dB against it.")
    notes += method.notes
    notes.append(
        f"Source {length.source_ms} ms, output {length.output_ms} ms; decoded sound {length.output_samples} "
        f"samples at {length.sample_rate_hz} Hz."
    )
    return f'<p class="soft small">{escape(" ".join(notes))}</p>'
