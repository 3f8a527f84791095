"""Channel layouts: which channel is what, where speech lives, and where a mono dub goes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_LAYOUTS: dict[str, str] = {
    "mono": "FC",
    "stereo": "FL FR",
    "downmix": "FL FR",
    "2.1": "FL FR LFE",
    "3.0": "FL FR FC",
    "3.0(back)": "FL FR BC",
    "4.0": "FL FR FC BC",
    "quad": "FL FR BL BR",
    "quad(side)": "FL FR SL SR",
    "3.1": "FL FR FC LFE",
    "5.0": "FL FR FC BL BR",
    "5.0(side)": "FL FR FC SL SR",
    "4.1": "FL FR FC LFE BC",
    "5.1": "FL FR FC LFE BL BR",
    "5.1(side)": "FL FR FC LFE SL SR",
    "6.0": "FL FR FC BC SL SR",
    "hexagonal": "FL FR FC BL BR BC",
    "6.1": "FL FR FC LFE BC SL SR",
    "6.1(back)": "FL FR FC LFE BL BR BC",
    "7.0": "FL FR FC BL BR SL SR",
    "7.1": "FL FR FC LFE BL BR SL SR",
    "octagonal": "FL FR FC BL BR BC SL SR",
}
"""ffmpeg's layouts and channel names, in ffmpeg's channel order."""
_USUAL = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""The layout meant when a file only says how many channels it has."""
_SURROUND = frozenset({"BL", "BR", "BC", "SL", "SR"})


def names(layout: str, channels: int) -> tuple[str, ...]:
    """Channel names in ffmpeg's order; those of an unknown layout are called ``C0``, ``C1`` ..."""
    for known in (layout, _USUAL.get(channels, "")):
        found = tuple(_LAYOUTS.get(known, "").split())
        if len(found) == channels:
            return found
    return tuple(f"C{index}" for index in range(channels))


def weights(layout: str, channels: int) -> npt.NDArray[np.float64]:
    """Loudness weight per channel, shape ``(channels,)`` (ITU-R BS.1770-4 table 3: LFE 0, surround 1.41)."""
    table = [0.0 if name == "LFE" else 1.41 if name in _SURROUND else 1.0 for name in names(layout, channels)]
    return np.array(table)


def speech_channels(layout: str, channels: int) -> tuple[int, ...]:
    """Channels that carry dialogue: the centre where there is one, else front left and right."""
    order = names(layout, channels)
    if "FC" in order:
        return (order.index("FC"),)
    return tuple(range(min(2, channels)))


def downmix(layout: str, channels: int) -> npt.NDArray[np.float32]:
    """Factor per channel of the one channel speech is looked for in: the centre, else the mean of all."""
    order = names(layout, channels)
    if channels > 2 and "FC" in order:
        return np.array([float(name == "FC") for name in order], dtype=np.float32)
    return np.full(channels, 1.0 / channels, dtype=np.float32)


def bus(layout: str, channels: int) -> npt.NDArray[np.float32]:
    """Factor per channel that puts a mono dub on the programme: into the centre, else both fronts alike."""
    factors = np.zeros(channels, dtype=np.float32)
    factors[list(speech_channels(layout, channels))] = 1.0
    return factors


def bus_gain(layout: str, channels: int) -> float:
    """Loudness (LU) a mono sound gains by being put on the bus: 3.01 on stereo, 0 on mono and 5.1."""
    carried = float(np.sum(weights(layout, channels) * bus(layout, channels) ** 2))
    return float(10 * np.log10(carried))
