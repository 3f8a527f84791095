"""Values as people type them on a command line: times, ages, sizes, ``role.option=value``."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from click import BadParameter

from autodub.model.request import ROLES

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,9})(?:[.,](\d{1,9}))?", re.ASCII)
_AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([a-zA-Z]*)", re.ASCII)
_AGES = {"s": 1 / 86400, "m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0}
"""Days per unit."""
_SIZES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def time(text: str) -> int:
    """A time on the programme, ``90``, ``1:30`` or ``00:01:30.5``, in ms. Raises BadParameter."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise BadParameter(f"{text!r} is not a time. Write 90, 1:30 or 00:01:30.5.")
    hours, minutes, seconds, fraction = match.groups()
    if minutes is not None and (int(seconds) > 59 or (hours is not None and int(minutes) > 59)):
        raise BadParameter(f"{text!r} is not a time: minutes and seconds stop at 59.")
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds)
    return whole * 1000 + round(float(f"0.{fraction or 0}") * 1000)


def age(text: str) -> float:
    """An age, ``30d``, ``12h`` or ``2w``, in days. Raises BadParameter."""
    match = _AMOUNT.fullmatch(text.strip())
    unit = (match.group(2).lower() or "d") if match else ""
    if match is None or unit not in _AGES:
        raise BadParameter(f"{text!r} is not an age. Write 30d, 12h or 2w.")
    return float(match.group(1)) * _AGES[unit]


def size(text: str) -> int:
    """A size, ``10GB``, ``500MB`` or ``2GiB``, in bytes. Raises BadParameter."""
    match = _AMOUNT.fullmatch(text.strip())
    unit = (match.group(2).lower() or "b") if match else ""
    if match is None or unit not in _SIZES:
        raise BadParameter(f"{text!r} is not a size. Write 10GB, 500MB or 2GiB.")
    return int(float(match.group(1)) * _SIZES[unit])


def money(text: str) -> Decimal:
    """An amount of US dollars, ``2``, ``0.50`` or ``$3``. Raises BadParameter."""
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise BadParameter(f"{text!r} is not an amount of US dollars. Write 2.50.")
    return amount


def setting(text: str) -> tuple[str, str, str]:
    """An engine option, ``role.option=value``, as its three parts. Raises BadParameter."""
    left, equals, right = text.partition("=")
    role, dot, option = left.strip().partition(".")
    if not equals or not dot or not option:
        raise BadParameter(f"{text!r} is not of the form role.option=value.")
    if role not in ROLES:
        raise BadParameter(f"there is no role {role!r}. Roles: {', '.join(ROLES)}.")
    return role, option, right


def by_role(settings: tuple[tuple[str, str, str], ...]) -> dict[str, dict[str, str]]:
    """Settings as ``role -> option -> value``; of two for the same option the later one counts."""
    grouped: dict[str, dict[str, str]] = {}
    for role, option, value in settings:
        grouped.setdefault(role, {})[option] = value
    return grouped
