"""Ways from one language to another over apertium's directions, installed ones or those Debian offers."""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from autodub.model.errors import UnknownLanguage
from autodub.model.language import Language

MOST_HOPS = 3
_MODE = re.compile(r"([a-z]{2,3})(?:_(\w+))?-([a-z]{2,3})(?:_(\w+))?")
_OWN_CODES = {"hbs": ("sr", "hr", "bs"), "zlm": ("ms",), "nor": ("nb", "nn"), "sh": ("sr", "hr", "bs")}
"""Codes apertium uses for what are several languages, or other ones, elsewhere."""


@dataclass(frozen=True, slots=True)
class Direction:
    """One translation step."""

    mode: str
    """apertium's name of it, such as ``eng-spa`` or ``es-pt_BR``."""
    source: str
    """Primary language subtag."""
    target: str
    variant: str = ""
    """Lower-case variant of the target: ``br``, ``us``, ``valencia`` ..."""
    package: str = ""
    """Debian package that would provide it; empty when it is installed."""


def directions(listing: str) -> tuple[Direction, ...]:
    """The directions in the output of ``apertium -l``; experimental ones (``eco-es-fr``) are left out."""
    out: list[Direction] = []
    for mode in listing.split():
        match = _MODE.fullmatch(mode)
        if match is None or match[2]:
            continue
        variant = (match[4] or "").lower()
        out.extend(
            Direction(mode, source, target, variant)
            for source, target in itertools.product(_languages(match[1]), _languages(match[3]))
            if source != target
        )
    return tuple(out)


def _languages(code: str) -> tuple[str, ...]:
    if code in _OWN_CODES:
        return _OWN_CODES[code]
    try:
        return (Language(code).primary,)
    except UnknownLanguage:
        return ()


_CLOSE = frozenset({"es", "ca", "pt", "gl", "oc", "it", "fr", "an", "ast", "ro", "sc"})
_RELATED = (
    _CLOSE,
    frozenset({"sv", "da", "nb", "nn", "no"}),
    frozenset({"sr", "hr", "bs", "sl", "mk", "bg"}),
    frozenset({"ru", "uk", "be"}),
    frozenset({"af", "nl"}),
    frozenset({"id", "ms"}),
    frozenset({"hi", "ur"}),
)
_MATURE = {("es", "ca"): 0.4, ("es", "pt"): 0.5, ("es", "gl"): 0.5, ("fr", "ca"): 0.8, ("fr", "es"): 0.9,
           ("en", "es"): 1.3, ("en", "ca"): 1.3, ("es", "it"): 0.9, ("ca", "it"): 0.8}  # fmt: skip
_ROUNDABOUT = {("en", "ca"): 2.0}
"""Pairs that are better served through a third language, by how much a direct step costs them more.

English to Catalan: the transfer rules of Spanish are the older and better ones, and Spanish to Catalan
loses next to nothing ("I am from Barcelona" becomes "Sóc de Barcelona", directly "Sóc des de Barcelona").
"""
_PIVOTS = {"es": 0.0, "ca": 0.05}


def _cost(step: Direction) -> float:
    """What a step loses: rule-based translation is good between neighbours and poor between strangers."""
    pair = (step.source, step.target)
    known = _MATURE.get(pair, _MATURE.get(pair[::-1]))
    if known is None:
        known = 1.0 if any(set(pair) <= family for family in _RELATED) else 1.8
    return 1.0 + known + (0.01 if step.package else 0.0)


def route(steps: Iterable[Direction], source: Language, target: Language) -> tuple[Direction, ...]:
    """The cheapest way of at most three steps, as a rule a direct one where there is one; empty for none."""
    by_source: dict[str, list[Direction]] = {}
    for step in steps:
        by_source.setdefault(step.source, []).append(step)
    for group in by_source.values():
        group.sort(key=lambda step: (_fit(step, target), step.mode))
    goal, begin = target.primary, source.primary
    count = itertools.count()
    heap: list[tuple[float, int, str, tuple[Direction, ...]]] = [(0.0, next(count), begin, ())]
    while heap:
        cost, _, at, path = heapq.heappop(heap)
        if at == goal:
            return path
        if len(path) == MOST_HOPS:
            continue
        visited = {begin, *(step.target for step in path)}
        taken: set[str] = set()
        for step in by_source.get(at, ()):
            if step.target in visited or step.target in taken:
                continue
            if step.variant and step.target != goal:
                continue
            taken.add(step.target)
            pivot = 0.0 if step.target == goal else _PIVOTS.get(step.target, 0.2)
            is_direct = at == begin and step.target == goal
            direct = (
                0.0 if not is_direct else -10.0 if step.variant else _ROUNDABOUT.get((begin, goal), -10.0)
            )
            total = max(0.0, cost + _cost(step) + pivot + direct)
            heapq.heappush(heap, (total, next(count), step.target, (*path, step)))
    return ()


def reachable(steps: Iterable[Direction]) -> dict[str, tuple[str, ...]]:
    """Primary subtag of a source -> those of every target some route leads to, sorted."""
    known = tuple(steps)
    goals = sorted({step.target for step in known})
    found = {
        source: tuple(
            goal for goal in goals if goal != source and route(known, Language(source), Language(goal))
        )
        for source in sorted({step.source for step in known})
    }
    return {source: targets for source, targets in found.items() if targets}


def _fit(step: Direction, target: Language) -> int:
    """How well a step's variant fits the target's region; plain forms serve any region."""
    if not step.variant:
        return 1
    wanted = {part.lower() for part in target.tag.split("-")[1:]}
    return 0 if step.variant in wanted else 2


_PACKAGES = """
eng-spa en-es es-en
eng-cat en-ca ca-en
spa-cat es-ca ca-es
fr-es fr-es es-fr
fra-cat fr-ca ca-fr
es-pt es-pt pt-es
por-cat pt-ca ca-pt
pt-gl pt-gl gl-pt
es-gl es-gl gl-es
en-gl en-gl gl-en
cat-ita ca-it it-ca
spa-ita es-it it-es
spa-ast es-ast
spa-arg es-an an-es
arg-cat an-ca ca-an
oc-ca oc-ca ca-oc
oc-es oc-es es-oc
oci-fra oc-fr fr-oc
es-ro es-ro ro-es
eu-es eu-es
eu-en eu-en
br-fr br-fr
cat-srd ca-sc
srd-ita it-sc
eo-en en-eo eo-en
eo-es es-eo
eo-ca ca-eo
eo-fr fr-eo
isl-eng is-en
isl-swe is-sv sv-is
swe-dan sv-da da-sv
swe-nor sv-nb nb-sv sv-nn nn-sv
dan-nor da-nb nb-da da-nn nn-da
nno-nob nn-nb nb-nn
afr-nld af-nl nl-af
hbs-eng sr-en hr-en bs-en
hbs-mkd sr-mk hr-mk bs-mk mk-sr
hbs-slv sr-sl hr-sl bs-sl sl-sr sl-hr
mkd-bul mk-bg bg-mk
mkd-eng mk-en
ind-zlm id-ms ms-id
rus-ukr ru-uk uk-ru
bel-rus be-ru ru-be
urd-hin ur-hi hi-ur
"""

DEBIAN: tuple[Direction, ...] = tuple(
    Direction(pair, pair.split("-")[0], pair.split("-")[1], package=f"apertium-{name}")
    for name, *pairs in (row.split() for row in _PACKAGES.strip().splitlines())
    for pair in pairs
)
"""What Debian packages for apertium provide, by package."""
