"""Time stretching: the one place where speech is made faster or slower after it was spoken."""

from __future__ import annotations

import numpy as np

from autodub.media.sound import Samples

_SEED = 1
"""The stretcher randomises phases; a fixed seed makes the same clip come out the same every time."""


def stretch(samples: Samples, *, rate: float, sample_rate: int) -> Samples:
    """Mono samples ``(n,)`` at another tempo and the same pitch; ``round(n / rate)`` samples, ± 1.

    ``rate`` is a tempo: above 1 is faster, so shorter. To fit ``spoken`` seconds into ``slot``
    seconds it is ``spoken / slot``. ``rate == 1`` returns the samples themselves.
    """
    if not rate > 0:
        raise ValueError(f"a tempo is above zero, not {rate}")
    if samples.ndim != 1:
        raise ValueError(f"expected mono samples (n,), got {samples.shape}")
    if rate == 1.0 or len(samples) == 0:
        return samples
    from python_stretch import Signalsmith

    stretcher = Signalsmith.Stretch(_SEED)
    stretcher.preset(1, float(sample_rate))
    stretcher.timeFactor = rate
    out: Samples = np.asarray(
        stretcher.process(np.ascontiguousarray(samples[np.newaxis], dtype=np.float32)), dtype=np.float32
    )
    return out.reshape(-1)
