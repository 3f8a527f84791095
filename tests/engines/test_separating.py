"""What neural separators share, with a numpy model in a real child process."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from autodub.engines import separating
from autodub.engines.roles import Work
from autodub.engines.separating import Recipe
from autodub.gateway.cancel import Cancel
from autodub.gateway.work import CallWork
from autodub.model.calls import Separate
from autodub.model.errors import BadAnswer, Cancelled, EngineCannot, OutputProblem, Rejected, Unreachable
from autodub.model.job import Event
from autodub.model.media import Audio, Stems
from autodub.model.time import Span
from autodub.testing.studio import Studio

RATE = 16_000
SPEECH = (Span(2000, 4000), Span(5000, 6000))


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numpy model is in the workers' reach."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A store to work in."""
    with Studio() as studio:
        yield studio


def noise(seconds: float = 8.0, channels: int = 2, *, level: float = 0.1) -> npt.NDArray[np.float32]:
    """A mix in which every sample counts."""
    rng = np.random.default_rng(7)
    return (rng.standard_normal((round(RATE * seconds), channels)) * level).astype(np.float32)


def recipe(options: dict[str, Any] | None = None, **settings: Any) -> Recipe:
    """The numpy model, set up so."""
    return Recipe(
        engine="fake",
        module="fake_separator",
        python=Path(sys.executable),
        settings=settings,
        **(options or {}),
    )


def work(studio: Studio, *, cancel: Cancel | None = None, events: list[Event] | None = None) -> CallWork:
    """What a call is handed."""
    heard = [] if events is None else events
    return CallWork(studio.store.blobs, cancel=cancel or Cancel(), listener=heard.append, stage="separate")


def separated(
    studio: Studio, samples: npt.NDArray[np.float32], how: Recipe, *, desk: Work | None = None
) -> tuple[Stems, npt.NDArray[np.float32]]:
    """The answer and its samples."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1]]
    mix: Audio = studio.audio(samples, RATE, layout=layout, subtype="FLOAT")
    stems = separating.separate(Separate(mix, SPEECH), desk or work(studio), how)
    return stems, studio.samples(stems.background)


def opened(log: Path) -> list[dict[str, Any]]:
    """The settings of every model that was opened."""
    return [json.loads(line)[1] for line in log.read_text(encoding="utf-8").splitlines()]


def test_only_speech_is_touched(studio: Studio) -> None:
    """Outside the gate around speech the background is the mix, bit for bit; inside, the speech is gone."""
    mix = noise()
    stems, out = separated(studio, mix, recipe())
    assert stems.notes == ()
    assert (stems.background.frames, stems.background.channels, stems.background.layout) == (
        len(mix), 2, "stereo",
    )  # fmt: skip
    edge = 80 + 25
    assert np.array_equal(out[: (2000 - edge) * 16], mix[: (2000 - edge) * 16])
    assert np.array_equal(out[(6000 + 175) * 16 :], mix[(6000 + 175) * 16 :])
    inside = slice(2500 * 16, 3500 * 16)
    average = np.stack([np.convolve(mix[:, c], np.ones(63) / 63, "same") for c in range(2)], axis=1)
    assert np.abs(mix - (average - mix.mean()) - out)[inside].max() < 2e-4  # cross-faded window edges


def test_batches_do_not_show(studio: Studio) -> None:
    """One window at a time or five: the same samples."""
    mix = noise()
    _, one = separated(studio, mix, recipe({"device": "cpu"}))
    _, five = separated(studio, mix, recipe({"jobs": 5}))
    assert np.array_equal(one, five)


def test_memory_running_out_asks_for_less_and_says_so(studio: Studio, tmp_path: Path) -> None:
    """A full graphics card gets one window at a time, then shorter ones; the answer notes what it cost."""
    log = tmp_path / "log"
    stems, out = separated(studio, noise(), recipe(log=str(log), memory={"cuda": 2 * 8_000}))
    assert [(one["jobs"], one["part"], one["device"]) for one in opened(log)] == [
        (1, 1.0, "auto"),  # four at once is what a graphics card gets unasked
        (1, 1.0, "auto"),
        (1, 0.5, "auto"),
    ]
    (note,) = stems.notes
    assert note.startswith("Memory ran out on cuda; the model was shown 50% of its usual window")
    assert not np.array_equal(out[2500 * 16 : 3500 * 16], noise()[2500 * 16 : 3500 * 16])


def test_a_card_without_memory_leaves_the_work_to_the_cpu(studio: Studio, tmp_path: Path) -> None:
    """Where no window is short enough the CPU takes over with full windows; that is noted."""
    log = tmp_path / "log"
    events: list[Event] = []
    stems, out = separated(
        studio, noise(), recipe(log=str(log), memory={"cuda": 10}), desk=work(studio, events=events)
    )
    assert [(one["part"], one["device"]) for one in opened(log)][-2:] == [(0.25, "auto"), (1.0, "cpu")]
    (note,) = stems.notes  # the windows are whole again
    assert "the graphics card (cuda)" in note
    assert "on the CPU instead" in note
    assert any("asking for less" in event.message for event in events)  # views are told ten times a second
    _, plain = separated(studio, noise(), recipe({"device": "cpu"}))
    assert np.array_equal(out, plain)


def test_no_memory_anywhere_is_a_refusal_with_a_way_out(studio: Studio) -> None:
    """When even the CPU cannot do it the call fails for good, naming the separator that needs no memory."""
    with pytest.raises(Rejected) as caught:
        separated(studio, noise(), recipe(memory={"cuda": 10, "cpu": 10}))
    assert "not enough memory" in caught.value.message
    assert "spectral" in caught.value.hint
    assert not caught.value.transient
    assert not list(studio.store.blobs.path(studio.audio(noise(0.1), RATE).blob).parent.glob("*.f32"))


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("nan", BadAnswer, "not numbers"),
        ("short", BadAnswer, "another length"),
        ("crash", Unreachable, "the model is broken"),
        ("die", Rejected, "the system killed the worker"),
        ("refuse", EngineCannot, "No such weights"),
    ],
)
def test_a_worker_gone_wrong_is_an_error_of_its_kind(
    studio: Studio, mode: str, kind: type[Exception], words: str
) -> None:
    """Nonsense, crashes, kills and refusals each reach the caller as what they are; nothing is kept."""
    with pytest.raises(kind, match=words):
        separated(studio, noise(), recipe(mode=mode))


@pytest.mark.parametrize("name", ["windows.f32", "speech.f32"])
def test_a_disk_that_fills_up_is_said(studio: Studio, name: str) -> None:
    """Windows that find no room on either side are about the disk, and not worth another attempt."""
    desk = work(studio)
    (desk.scratch / name).symlink_to("/dev/full")
    with pytest.raises(OutputProblem, match="no room"):
        separated(studio, noise(), recipe(), desk=desk)


def test_a_worker_the_system_kills_is_asked_for_less(studio: Studio, tmp_path: Path) -> None:
    """The kernel takes who uses the most memory: shorter windows are tried, and that is noted."""
    log = tmp_path / "log"
    how = recipe({"device": "cpu"}, log=str(log), killed={"cpu": 2 * 8_000})
    stems, out = separated(studio, noise(), how)
    assert [one["part"] for one in opened(log)] == [1.0, 0.5]
    (note,) = stems.notes
    assert note.startswith("Memory ran out on cpu; the model was shown 50% of its usual window")
    assert not np.array_equal(out[2500 * 16 : 3500 * 16], noise()[2500 * 16 : 3500 * 16])


def test_stopping_takes_no_second_and_leaves_no_process(studio: Studio, tmp_path: Path) -> None:
    """A request to stop during a batch ends the worker; its process is gone."""
    log = tmp_path / "log"
    cancel = Cancel()

    def stop() -> None:
        end = time.monotonic() + 30
        while not log.exists() and time.monotonic() < end:
            time.sleep(0.02)
        cancel.request()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Cancelled):
        separated(studio, noise(), recipe(mode="hang", log=str(log)), desk=work(studio, cancel=cancel))
    thread.join()
    pid = json.loads(log.read_text(encoding="utf-8"))[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)


def test_progress_counts_windows_up_to_all(studio: Studio) -> None:
    """Progress rises to 1 and says how many windows are done on which device."""
    events: list[Event] = []
    separated(studio, noise(), recipe({"device": "cpu"}), desk=work(studio, events=events))
    told = [event for event in events if event.message]
    assert any("windows on cpu" in event.message for event in told)


def test_nobody_speaks_and_the_mix_comes_back(studio: Studio) -> None:
    """Without speech, or with digital silence, the background is the mix."""
    mix: Audio = studio.audio(noise(), RATE, layout="stereo", subtype="FLOAT")
    stems = separating.separate(Separate(mix, ()), work(studio), recipe())
    assert np.array_equal(studio.samples(stems.background), noise())
    silence = noise(level=0.0)
    _, out = separated(studio, silence, recipe())
    assert np.array_equal(out, silence)
