"""The demucs separator: readiness and weights without PyTorch, and a real tiny Demucs where there is one.

Tests that need PyTorch and demucs-infer use the interpreter that ``AUTODUB_TEST_TORCH_PYTHON`` names, in an
environment folder of its own (``.../bin/python``), and are skipped without it.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from autodub.engines import checkpoints, demucs
from autodub.engines.checkpoints import Checkpoint
from autodub.engines.demucs import Demucs, DemucsOptions
from autodub.engines.roles import EngineContext
from autodub.gateway.cancel import Cancel
from autodub.gateway.work import CallWork
from autodub.model.calls import Separate
from autodub.model.errors import Cancelled, EngineCannot, OutputProblem, Rejected, Unreachable
from autodub.model.time import Span
from autodub.testing.contracts import SeparatorContract
from autodub.testing.studio import Studio

HERE = Path(__file__).parent
RATE = 44_100
TORCH = os.environ.get("AUTODUB_TEST_TORCH_PYTHON", "")
needs_torch = pytest.mark.skipif(
    not TORCH, reason="set AUTODUB_TEST_TORCH_PYTHON to an interpreter with torch and demucs-infer"
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is importable here, as far as can be told without importing it."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "demucs_infer.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def options(**given: Any) -> DemucsOptions:
    """Options as a user gives them."""
    return DemucsOptions.model_validate(given)


def work(studio: Studio, *, cancel: Cancel | None = None) -> CallWork:
    """What a call is handed."""
    return CallWork(studio.store.blobs, cancel=cancel or Cancel(), listener=lambda _: None, stage="fetch")


@pytest.mark.usefixtures("installed")
class TestDemucs(SeparatorContract):
    """Demucs keeps the contract of a separator, with a numpy model in its worker."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        folder = context.models / "mine"
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "model.th").touch()
        given = {"model": str(folder), "device": "cpu", **options}
        return Demucs(DemucsOptions.model_validate(given), context, worker="fake_separator")


def test_not_installed_names_the_command(tmp_path: Path) -> None:
    """Without the package the readiness says what to type, and a call says the same."""
    engine = Demucs(options(), EngineContext({}, tmp_path))
    ready = engine.readiness()
    assert (ready.state, ready.fix) == ("not installed", "autodub engines install demucs")
    with Studio() as studio:
        mix = studio.audio(np.zeros((100, 2), dtype=np.float32), RATE, layout="stereo", subtype="FLOAT")
        with pytest.raises(EngineCannot, match="Demucs cannot run") as caught:
            engine.separate(Separate(mix, (Span(0, 1),)), work(studio))
    assert "autodub engines install demucs" in caught.value.hint


@pytest.mark.usefixtures("installed")
def test_missing_weights_name_the_command_and_found_ones_the_folder(tmp_path: Path) -> None:
    """Known names are fetched, folders must hold weights, unknown names are answered with the known ones."""
    context = EngineContext({}, tmp_path)
    ready = Demucs(options(), context).readiness()
    assert (ready.state, ready.fix) == ("needs download", "autodub engines fetch demucs")
    unknown = Demucs(options(model="htdemucz"), context)
    assert "htdemucs_ft" in unknown.readiness().fix
    with pytest.raises(EngineCannot, match="nothing to fetch"), Studio() as studio:
        unknown.fetch(work(studio))
    (tmp_path / "empty").mkdir()
    assert Demucs(options(model=str(tmp_path / "empty")), context).readiness().state == "needs download"
    own = tmp_path / "demucs" / "htdemucs"
    own.mkdir(parents=True)
    (own / demucs.MODELS["htdemucs"][0].name).touch()
    ready = Demucs(options(), context).readiness()
    assert ready.state == "ready"
    assert str(own) in ready.detail


def test_other_weights_are_another_engine(tmp_path: Path) -> None:
    """Answers are kept under the weights they were made with, not only under their name."""
    first = Demucs(options(model=str(tmp_path)), EngineContext({}, tmp_path)).options
    (tmp_path / "a.th").write_bytes(b"1")
    second = Demucs(options(model=str(tmp_path)), EngineContext({}, tmp_path)).options
    (tmp_path / "a.th").write_bytes(b"12")
    third = Demucs(options(model=str(tmp_path)), EngineContext({}, tmp_path)).options
    (tmp_path / "bag.yaml").write_text("models: [a]\n", encoding="utf-8")
    fourth = Demucs(options(model=str(tmp_path)), EngineContext({}, tmp_path)).options
    assert len({str(one.model_dump()) for one in (first, second, third, fourth)}) == 4


@pytest.mark.parametrize(
    "given",
    [{"overlap": 0.0}, {"overlap": 0.9}, {"shifts": 0}, {"segment": -1}, {"device": "tpu"}, {"model": ""}],
)
def test_options_out_of_range_are_refused(given: dict[str, Any]) -> None:
    """Holes between windows, no pass at all and devices nobody has are no options."""
    with pytest.raises(ValidationError):
        options(**given)


class Shelf(http.server.SimpleHTTPRequestHandler):
    """A server of files that knows ranges and cuts an answer short when told to."""

    cut = 0
    asked: list[str | None] = []  # noqa: RUF012 - set anew for every server

    def do_GET(self) -> None:
        path = Path(self.directory) / self.path.lstrip("/")
        self.asked.append(self.headers.get("Range"))
        if not path.is_file():
            self.send_error(404)
            return
        data, start = path.read_bytes(), 0
        if self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start : self.cut or None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[type[Shelf], str, Path]]:
    """(handler, address, folder) of a server on this machine."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    handler = type("Handler", (Shelf,), {"asked": []})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def published(folder: Path, address: str, content: bytes) -> Checkpoint:
    """A file of weights on the shelf."""
    (folder / "w.th").write_bytes(content)
    return Checkpoint("w.th", f"{address}/w.th", hashlib.sha256(content).hexdigest())


def test_fetching_shows_progress_and_makes_it_ready(
    shelf: tuple[type[Shelf], str, Path], monkeypatch: pytest.MonkeyPatch, installed: None
) -> None:
    """``fetch`` downloads what the model needs into its own folder, once; then the engine is ready."""
    handler, address, folder = shelf
    files = []
    for number in range(2):
        content = os.urandom(500_000)
        (folder / f"{number}.th").write_bytes(content)
        files.append(
            Checkpoint(f"{number}.th", f"{address}/{number}.th", hashlib.sha256(content).hexdigest())
        )
    monkeypatch.setitem(demucs.MODELS, "htdemucs", tuple(files))
    events: list[Any] = []
    with Studio() as studio:
        context = EngineContext({}, studio.folder / "models")
        desk = CallWork(studio.store.blobs, cancel=Cancel(), listener=events.append, stage="fetch")
        place = Demucs(options(), context).fetch(desk)
        assert sorted(path.name for path in place.iterdir()) == ["0.th", "1.th"]
        assert Demucs(options(), context).readiness().state == "ready"
        assert Demucs(options(), context).fetch(desk) == place
    assert len(handler.asked) == 2
    assert events
    with pytest.raises(EngineCannot, match="offline"), Studio() as studio:
        Demucs(options(), studio.context).fetch(work(studio))


def test_a_broken_download_goes_on_where_it_stopped(
    shelf: tuple[type[Shelf], str, Path], tmp_path: Path
) -> None:
    """A connection that ends early is a passing failure; the next attempt asks for the rest only."""
    handler, address, folder = shelf
    checkpoint = published(folder, address, os.urandom(700_000))
    handler.cut = 300_000
    with pytest.raises(Unreachable, match="cannot be fetched"):
        checkpoints.fetch(checkpoint, tmp_path / "models", engine="demucs")
    assert not (tmp_path / "models" / "w.th").exists()
    handler.cut = 0
    parts: list[float] = []
    path = checkpoints.fetch(checkpoint, tmp_path / "models", engine="demucs", progress=parts.append)
    assert path.read_bytes() == (folder / "w.th").read_bytes()
    assert handler.asked == [None, "bytes=300000-"]
    assert parts == sorted(parts)
    assert parts[-1] == 1.0


def test_other_content_than_expected_is_thrown_away(
    shelf: tuple[type[Shelf], str, Path], tmp_path: Path
) -> None:
    """Weights whose checksum differs never appear, nor does the next attempt go on with them."""
    _, address, folder = shelf
    checkpoint = published(folder, address, b"right")
    (folder / "w.th").write_bytes(b"wrong")
    with pytest.raises(Rejected, match="checksum"):
        checkpoints.fetch(checkpoint, tmp_path / "models", engine="demucs")
    assert list((tmp_path / "models").iterdir()) == []
    (tmp_path / "models" / "w.th.partial").write_bytes(b"longer than it is")
    with pytest.raises(Rejected, match="checksum"):  # the server answers 416
        checkpoints.fetch(checkpoint, tmp_path / "models", engine="demucs")


def test_no_server_no_file_no_room_and_a_stop_are_said(
    shelf: tuple[type[Shelf], str, Path], tmp_path: Path
) -> None:
    """What can go wrong on the way has its own sentence; a stop leaves what came for the next time."""
    _, address, folder = shelf
    checkpoint = published(folder, address, os.urandom(600_000))
    with pytest.raises(Unreachable) as unreachable:
        checkpoints.fetch(Checkpoint("w.th", "http://127.0.0.1:9/w.th", ""), tmp_path / "m", engine="demucs")
    assert str(tmp_path / "m") in unreachable.value.hint
    with pytest.raises(Rejected, match="404"):
        checkpoints.fetch(Checkpoint("w.th", f"{address}/other", ""), tmp_path / "m", engine="demucs")
    (tmp_path / "file").touch()
    with pytest.raises(OutputProblem):
        checkpoints.fetch(checkpoint, tmp_path / "file", engine="demucs")

    def stop(_: float) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        checkpoints.fetch(checkpoint, tmp_path / "m", engine="demucs", progress=stop)
    assert (tmp_path / "m" / "w.th.partial").stat().st_size > 0


def tiny(*arguments: object) -> None:
    """Run the maker of tiny models with PyTorch's interpreter."""
    subprocess.run(
        [TORCH, "-W", "ignore", str(HERE / "tiny_demucs.py"), *map(str, arguments)],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Demucs that was never trained and sees 1.5 seconds."""
    folder = tmp_path_factory.mktemp("weights") / "one"
    tiny("make", folder, "3/2")
    return folder


@pytest.fixture
def context(tmp_path: Path) -> EngineContext:
    """Models of a machine on which the environment is installed."""
    if Path(TORCH) == Path(sys.executable):
        return EngineContext({}, tmp_path)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "demucs").symlink_to(Path(TORCH).parents[1])
    return EngineContext({}, tmp_path)


def voiceless(
    context: EngineContext, mix: npt.NDArray[np.float32], *, rate: int = RATE, spans: Any = None, **given: Any
) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    """The background by a real model, and the notes."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[mix.shape[1]]
    with Studio() as studio:
        audio = studio.audio(mix, rate, layout=layout, subtype="FLOAT")
        engine = Demucs(options(**{"device": "cpu", **given}), context)
        everywhere = (Span(0, -(-len(mix) * 1000 // rate)),)
        stems = engine.separate(Separate(audio, everywhere if spans is None else spans), work(studio))
        return studio.samples(stems.background), stems.notes


def noise(seconds: float, channels: int = 2, rate: int = RATE) -> npt.NDArray[np.float32]:
    """A mix whose second half is louder, with a mean that is not 0."""
    out = np.random.default_rng(3).standard_normal((round(seconds * rate), channels)) * 0.05 + 0.01
    out[len(out) // 2 :] *= 3
    return out.astype(np.float32)


def difference(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Level of the difference over the level of ``other``, dB."""
    apart = np.sqrt(np.mean(np.square(one.astype(np.float64) - other)))
    return float(
        20 * np.log10(max(float(apart), 1e-12) / np.sqrt(np.mean(np.square(other, dtype=np.float64))))
    )


@needs_torch
def test_streamed_equals_the_library_on_the_whole_file(
    context: EngineContext, weights: Path, tmp_path: Path
) -> None:
    """Window by window the speech is what Demucs finds in one piece (-60 dB is asked, -100 dB held)."""
    mix = noise(5.3)
    mix.tofile(tmp_path / "mix.f32")
    tiny("whole", weights, tmp_path / "mix.f32", tmp_path / "speech.f32")
    speech = np.fromfile(tmp_path / "speech.f32", dtype="<f4").reshape(-1, 2)
    background, notes = voiceless(context, mix, model=str(weights))
    assert notes == ()
    # The library gives every stem the programme's mean; here it stays in the background.
    assert difference(mix - background, speech - mix.mean(dtype=np.float64)) < -100
    batched, _ = voiceless(context, mix, model=str(weights), jobs=2)
    assert difference(batched, background) < -100
    some, _ = voiceless(context, mix, model=str(weights), spans=(Span(3000, 4000),))
    inside = slice(3 * RATE, 4 * RATE)
    assert difference((mix - some)[inside], (mix - background)[inside]) < -100


@needs_torch
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (16_000, 1), (48_000, 6)])
def test_other_rates_and_layouts_come_back_as_they_went(
    context: EngineContext, weights: Path, rate: int, channels: int
) -> None:
    """Only the channels with dialogue change, at the mix's own rate; a centre is treated like mono."""
    mix = noise(3.0, channels, rate)
    out, _ = voiceless(context, mix, rate=rate, model=str(weights), spans=(Span(1000, 2000),))
    assert out.shape == mix.shape
    changed = [not np.array_equal(out[:, channel], mix[:, channel]) for channel in range(channels)]
    assert changed == {1: [True], 2: [True, True], 6: [False, False, True, False, False, False]}[channels]
    if channels == 6:
        alone, _ = voiceless(context, mix[:, 2:3], rate=rate, model=str(weights), spans=(Span(1000, 2000),))
        assert difference(out[:, 2:3], alone) < -100


@needs_torch
def test_shifts_bags_and_short_windows_are_repeatable(context: EngineContext, tmp_path: Path) -> None:
    """Shifted passes are the same each time; a bag asks only the models that know speech; dialogue counts."""
    folder = tmp_path / "bag"
    tiny("make", folder, "1", 2, "music", "sfx", "speech")
    mix = noise(2.5)
    both, _ = voiceless(context, mix, model=str(folder), shifts=3)
    again, _ = voiceless(context, mix, model=str(folder), shifts=3)
    assert np.array_equal(both, again)
    plain, _ = voiceless(context, mix, model=str(folder))
    assert not np.array_equal(both, plain)
    short, _ = voiceless(context, mix, model=str(folder), segment=0.5)
    assert not np.array_equal(short, plain)
    (folder / "bag.yaml").write_text("models: [tiny0, tiny1]\nweights: [[1, 1, 1], [1, 1, 0]]\n")
    one, _ = voiceless(context, mix, model=str(folder))
    (folder / "bag.yaml").unlink()
    (folder / "tiny1.th").unlink()
    alone, _ = voiceless(context, mix, model=str(folder))
    assert difference(one, alone) < -100
    assert difference(plain, alone) > -60


@needs_torch
def test_weights_that_are_none_are_said_to_be(context: EngineContext, weights: Path, tmp_path: Path) -> None:
    """Damaged files, files that are something else and models without speech each have their sentence."""
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "model.th").write_bytes(b"no weights at all")
    with pytest.raises(EngineCannot, match="cannot be loaded"):
        voiceless(context, noise(0.5), model=str(bad))
    (bad / "model.th").rename(bad / "abc-00000000.th")
    with pytest.raises(EngineCannot, match="damaged"):
        voiceless(context, noise(0.5), model=str(bad))
    tiny("make", tmp_path / "drums", "1", 1, "drums", "bass")
    with pytest.raises(EngineCannot, match="no speech"):
        voiceless(context, noise(0.5), model=str(tmp_path / "drums"))
    with pytest.raises(EngineCannot, match="no mps device"):
        voiceless(context, noise(0.5), model=str(weights), device="mps")
