"""The least time a run could have taken: chains of what must follow each other, with and without our own.

Nothing here knows how the pipeline works beyond what nobody could do otherwise: sound before
recognition, recognition before translation and cloning, those before speech, and a finished file before
its measurement.
"""

from __future__ import annotations

from typing import Any

from autodub.testing.loopback.profile import Profile

LANES = 5
"""Synthesis requests an account serves at once, in both profiles."""


def chains(
    profile: Profile, result: dict[str, Any], asked: list[dict[str, Any]], *, clip: float
) -> dict[str, dict[str, float]]:
    """Seconds of the three chains of a first run, by part: what the world takes, and ``own_`` work.

    ``clip`` is the length of the source, s. The world's parts are computed from the profile and what was
    really asked of it: uploads share one link, and speech takes the lanes' share of all requests, each
    slowed by four others. Our own parts are measured in this run, and only those are taken that nothing
    of the chain can overlap: starting, starting the download, decoding and detecting before anything can
    be heard, listening to the speakers before cloning, and mixing and measuring at the end.
    """
    link = profile.uplink or float("inf")
    kinds: dict[str, list[dict[str, Any]]] = {}
    for one in asked:
        kinds.setdefault(one["kind"], []).append(one)
    sent = {kind: 8 * sum(one["size"] for one in some) / link for kind, some in kinds.items()}
    worded = [
        profile.translation[0] + profile.translation[1] * one["charges"].get("tokens_out", 0)
        for one in kinds.get("translation", [])
    ]
    spoken = [
        (profile.synthesis[0] + profile.synthesis[1] * one["charges"].get("characters", 0))
        * (1 + profile.crowding * (LANES - 1))
        for one in kinds.get("speech", [])
    ]
    cloned = profile.cloning + sent.get("clone", 0.0) if "clone" in kinds else 0.0
    took = {name: until - since for name, (since, until) in stages(result).items()}
    before = {
        "own_start": stages(result)["open"][0],
        "sound": profile.download_sound,
        "own_open": took["open"] - profile.download_sound,
    }
    heard = {"own_decode": took["decode"] + took["detect"]}
    after = {"own_render": took["render"], "own_measure": took["measure"]}
    return {
        "speech": {
            **before,
            **heard,
            "upload": sent.get("transcription", 0.0),
            "recognition": profile.recognition[0] + profile.recognition[1] * clip,
            "own_listen": took.get("listen", 0.0),
            "translation or cloning": max(min(worded, default=0.0), cloned),
            "speech": sum(spoken) / LANES,
            **after,
        },
        "separation": {**before, **heard, "separation": profile.separation * clip / 60, **after},
        "picture": {
            **before,
            "picture": profile.download - profile.download_sound,
            "own_picture": took["picture"] - (profile.download - profile.download_sound),
            **after,
        },
    }


def least(found: dict[str, dict[str, float]], *, with_ours: bool) -> float:
    """Seconds of the longest chain."""
    return max(
        sum(seconds for name, seconds in chain.items() if with_ours or not name.startswith("own_"))
        for chain in found.values()
    )


def stages(result: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """When each stage of a run began and ended, seconds since the process began to load."""
    found: dict[str, tuple[float, float]] = {}
    begun: dict[str, float] = {}
    for seconds, _cpu, kind, stage, _ in result["events"]:
        if kind == "stage.started":
            begun.setdefault(stage, seconds)
        elif kind == "stage.finished":
            found[stage] = (begun[stage], seconds)
    return found


def busy_lanes(result: dict[str, Any], *, role: str = "synthesizer") -> dict[str, float]:
    """How well lanes were used: seconds from first request to last answer, mean requests in flight."""
    flights = [tuple(flight) for flight in result["flights"].get(role, [])]
    if not flights:
        return {}
    first, last = min(a for a, _ in flights), max(b for _, b in flights)
    return {"seconds": last - first, "busy": sum(b - a for a, b in flights) / max(1e-9, last - first)}
