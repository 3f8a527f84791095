"""The first reading of a programme: the same figures wherever they are taken, and kept as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mix_scene import dialogue

from autodub.media import sound
from autodub.media.loudness import Meter
from autodub.media.survey import keep_cells, kept_cells, survey
from autodub.model.errors import Cancelled
from autodub.model.time import Span
from autodub.quality.comparison import compare


def test_it_measures_the_mix_and_what_is_left_below_its_voice(tmp_path: Path) -> None:
    """The mix's figures are the meter's own; where nobody speaks the bed is the mix, elsewhere it is less."""
    scene = dialogue(tmp_path)
    mix, rate = sound.load(tmp_path / "mix.wav")
    meter = Meter(rate, mix.shape[1], "stereo")
    meter.add(mix)
    found = survey(
        tmp_path / "mix.wav", scene.background, spans=scene.spans, keep=(), layout=scene.layout
    )  # fmt: skip
    np.testing.assert_allclose(found.mix, meter.cells(), rtol=1e-4, atol=1e-12)
    assert found.lufs == pytest.approx(meter.integrated(), abs=1e-3)
    assert found.true_peak == pytest.approx(meter.true_peak(), abs=1e-3)
    inside = np.zeros(len(found.mix), dtype=bool)
    for span in scene.spans:
        inside[span.start // 10 : span.end // 10] = True
    assert found.bed[inside].sum() < 0.5 * found.mix[inside].sum()
    far = ~np.convolve(inside, np.ones(101), "same").astype(bool)
    assert far.any()
    np.testing.assert_allclose(found.bed[far], found.mix[far], rtol=1e-3, atol=1e-9)


def test_without_gates_the_bed_is_the_mix(tmp_path: Path) -> None:
    """Where everything is kept nothing is taken out, and nothing is metered twice."""
    scene = dialogue(tmp_path)
    whole = (Span(0, 60_000),)
    found = survey(
        tmp_path / "mix.wav", scene.background, spans=scene.spans, keep=whole, layout=scene.layout
    )  # fmt: skip
    assert np.array_equal(found.bed, found.mix)


def test_what_is_kept_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    """Cells come back as they were; a comparison that is told of them finds what it would have found."""
    scene = dialogue(tmp_path)
    _, out, _ = scene.render()
    assert len(out)
    found = survey(
        tmp_path / "mix.wav", scene.background, spans=scene.spans, keep=(), layout=scene.layout
    )  # fmt: skip
    keep_cells(found, tmp_path / "cells.npy")
    mix, bed = kept_cells(tmp_path / "cells.npy")
    assert np.array_equal(mix, found.mix)
    assert np.array_equal(bed, found.bed)
    told, alone = (
        compare(
            tmp_path / "out.wav", tmp_path / "mix.wav", layout="stereo", source_layout="stereo",
            altered=scene.spans, gain=None, known=known,
        )
        for known in (mix, None)
    )  # fmt: skip
    assert np.array_equal(told.source, alone.source)
    assert (told.source_lufs, told.null_db, told.level_db, told.quiet_ms) == (
        alone.source_lufs, alone.null_db, alone.level_db, alone.quiet_ms,
    )  # fmt: skip


def test_it_can_be_stopped(tmp_path: Path) -> None:
    """A request to stop passes through."""
    scene = dialogue(tmp_path)

    def stop() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        survey(
            tmp_path / "mix.wav", scene.background, spans=scene.spans, keep=(), layout=scene.layout,
            check=stop,
        )  # fmt: skip
