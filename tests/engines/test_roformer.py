"""The roformer separator: what it needs, and real tiny RoFormers where PyTorch and audio-separator are.

Those tests use the interpreter that ``AUTODUB_TEST_TORCH_PYTHON`` names and are skipped without it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from autodub.engines.roformer import Roformer, RoformerOptions
from autodub.engines.roformer_worker import speech
from autodub.engines.roles import EngineContext
from autodub.model.calls import Separate
from autodub.model.errors import EngineCannot
from autodub.model.time import Span
from autodub.testing.contracts import SeparatorContract
from autodub.testing.studio import Studio

HERE = Path(__file__).parent
RATE = 44_100
TORCH = os.environ.get("AUTODUB_TEST_TORCH_PYTHON", "")


def _has_package() -> bool:
    code = "import importlib.util as u; raise SystemExit(u.find_spec('audio_separator') is None)"
    return bool(TORCH) and subprocess.run([TORCH, "-c", code], check=False).returncode == 0


needs_package = pytest.mark.skipif(
    not _has_package(), reason="set AUTODUB_TEST_TORCH_PYTHON to an interpreter with audio-separator"
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is importable here, as far as can be told without importing it."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "audio_separator.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def brought(folder: Path) -> Path:
    """A folder with files of the right names."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "model.ckpt").touch()
        (folder / "model.yaml").touch()
    return folder


@pytest.mark.usefixtures("installed")
class TestRoformer(SeparatorContract):
    """Roformer keeps the contract of a separator, with a numpy model in its worker."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        brought(context.models / "roformer" / "vocals")
        given = {"device": "cpu", **options}
        return Roformer(RoformerOptions.model_validate(given), context, worker="fake_separator")


def test_not_installed_names_the_command(tmp_path: Path) -> None:
    """Without the package the readiness says what to type."""
    ready = Roformer(RoformerOptions(), EngineContext({}, tmp_path)).readiness()
    assert (ready.state, ready.fix) == ("not installed", "autodub engines install roformer")


@pytest.mark.usefixtures("installed")
def test_checkpoints_are_brought(tmp_path: Path) -> None:
    """One checkpoint with its settings makes it ready; none, or two, say where to put one."""
    context = EngineContext({}, tmp_path)
    ready = Roformer(RoformerOptions(), context).readiness()
    assert ready.state == "needs download"
    assert str(tmp_path / "roformer" / "vocals") in ready.fix
    folder = brought(tmp_path / "films")
    engine = Roformer(RoformerOptions(model=str(folder)), context)
    assert engine.readiness().state == "ready"
    (folder / "another.ckpt").touch()
    other = Roformer(RoformerOptions(model=str(folder)), context)
    assert other.readiness().state == "needs download"
    assert other.options != engine.options
    with pytest.raises(EngineCannot, match="RoFormer cannot run"), Studio() as studio:
        other.separate(Separate(studio.audio(np.zeros(9, np.float32), RATE), ()), studio)  # type: ignore[arg-type]


def test_which_stem_is_the_speech() -> None:
    """Vocals, speech or dialogue is taken as it is; a model for the rest gives mix minus its answer."""
    assert speech(["Vocals", "other"], "Vocals") == (0, True)
    assert speech(["music", "sfx", "speech"], None) == (2, True)
    assert speech(["vocals", "other"], "other") == (0, False)
    with pytest.raises(EngineCannot, match="no speech"):
        speech(["dry", "reverb"], "dry")


def voiceless(
    tmp_path: Path, folder: Path, mix: npt.NDArray[np.float32], *, spans: Any
) -> npt.NDArray[np.float32]:
    """The background by a real model."""
    environments = tmp_path / "environments"
    if not environments.exists():
        environments.mkdir()
        (environments / "roformer").symlink_to(Path(TORCH).parents[1])
    engine = Roformer(RoformerOptions(model=str(folder), device="cpu"), EngineContext({}, tmp_path))
    with Studio() as studio:
        audio = studio.audio(mix, RATE, layout="stereo", subtype="FLOAT")
        return studio.samples(studio.call(engine, "separate", Separate(audio, spans)).background)


@needs_package
@pytest.mark.parametrize(("kind", "target"), [("bs", "all"), ("mel", "other")])
def test_real_models_separate_alike_in_parts(tmp_path: Path, kind: str, target: str) -> None:
    """Both kinds load and answer; a stretch alone is what it is within the whole."""
    folder = tmp_path / "tiny"
    subprocess.run(
        [TORCH, "-W", "ignore", str(HERE / "tiny_roformer.py"), str(folder), kind, target],
        check=True, capture_output=True,
    )  # fmt: skip
    mix = (np.random.default_rng(5).standard_normal((RATE * 4, 2)) * 0.1).astype(np.float32)
    whole = voiceless(tmp_path, folder, mix, spans=(Span(0, 4000),))
    part = voiceless(tmp_path, folder, mix, spans=(Span(2000, 2500),))
    inside = slice(2 * RATE, round(2.5 * RATE))
    assert np.abs(whole - part)[inside].max() < 1e-5
    assert np.abs(whole - mix)[inside].max() > 1e-3
    assert np.array_equal(part[:RATE], mix[:RATE])


@needs_package
def test_files_that_are_no_model_are_said_to_be(tmp_path: Path) -> None:
    """Empty settings and checkpoints of something else have their sentence."""
    folder = brought(tmp_path / "bad")
    mix = np.zeros((RATE, 2), dtype=np.float32)
    with pytest.raises(EngineCannot, match="no section 'model'"):
        voiceless(tmp_path, folder, mix, spans=(Span(0, 500),))
    (folder / "model.yaml").write_text("model: {dim: 8, depth: 1, num_bands: 8}\n", encoding="utf-8")
    (folder / "model.ckpt").write_bytes(b"nothing")
    with pytest.raises(EngineCannot, match="cannot be loaded"):
        voiceless(tmp_path, folder, mix, spans=(Span(0, 500),))
