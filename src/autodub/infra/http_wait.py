"""How long a provider asks to be left alone."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST = 900.0
"""Seconds; who asks for more gets this much, so that a wrong header cannot hang a job."""
_EPOCH = 1e9
"""A number above is a point in time (seconds since 1970), not a span."""
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the headers of an answer, 0..900; None when they do not say.

    ``retry-after-ms``, ``retry-after`` (seconds or a date, RFC 9110 section 10.2.3), then the reset
    times of those rate limits (``x-ratelimit-reset*``) that are used up.
    """
    told = {str(name).lower(): str(value).strip() for name, value in headers.items()}
    now = _date(told.get("date", "")) or time.time()
    found = _number(told.get("retry-after-ms", ""))
    if found is not None:
        return _bounded(found / 1000)
    after = told.get("retry-after", "")
    found = _span(after, now)
    if found is not None:
        return _bounded(found)
    resets = []
    for name, value in told.items():
        kind, _, limit = name.partition("-reset")
        if kind not in ("x-ratelimit", "ratelimit", "x-rate-limit"):
            continue
        left = _number(told.get(f"{kind}-remaining{limit}", "0"))
        span = _span(value, now)
        if span is not None and not left:
            resets.append(span)
    return _bounded(max(resets)) if resets else None


def _bounded(found: float) -> float:
    return min(LONGEST, max(0.0, found))


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _span(text: str, now: float) -> float | None:
    """Seconds from now: a number, a duration such as ``1m30s``, a point in time."""
    found = _number(text)
    if found is not None:
        return found - now if found > _EPOCH else found
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    date = _date(text)
    return None if date is None else date - now


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError, OSError):
        return None
