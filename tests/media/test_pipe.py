"""Sound on its way to the encoder while it is being made."""

from __future__ import annotations

import itertools
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from recordings import Clip, noise

from autodub.media import sound
from autodub.media.containers import container_of
from autodub.media.mux import Extras, mux
from autodub.media.mux_command import MuxCommand
from autodub.media.probe import probe
from autodub.media.sound import Pipe
from autodub.model.errors import MediaError


def write(pipe: Pipe, samples: np.ndarray, *, block: int) -> threading.Thread:
    """Write into a pipe from a thread of its own."""

    def body() -> None:
        with pipe:
            for start in range(0, len(samples), block):
                pipe.write(samples[start : start + block])

    thread = threading.Thread(target=body)
    thread.start()
    return thread


@pytest.mark.parametrize("ending", [".mp4", ".m4a", ".wav", ".flac"])
def test_a_file_made_through_a_pipe_is_the_one_made_from_a_file(
    ending: str, clip: Clip, tmp_path: Path
) -> None:
    """Byte for byte (Matroska, which gives every file a number of its own, is left out)."""
    source = clip("stereo.mp4")
    info = probe(source)
    stream = info.audio[0]
    samples = noise(round(info.duration * stream.rate / 1000), stream.channels)
    sound.store(samples, stream.rate, tmp_path / "mix.wav")
    mux(source, info, tmp_path / "mix.wav", tmp_path / f"a{ending}", stream=stream)
    pipe = Pipe(rate=stream.rate, channels=stream.channels, frames=len(samples))
    thread = write(pipe, samples, block=4096)
    mux(source, info, pipe, tmp_path / f"b{ending}", stream=stream)
    pipe.stop_reading()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_who_writes_is_not_held_up_by_a_reader_that_has_gone() -> None:
    """The rest is dropped: why nobody reads any more is for the reader to say."""
    pipe = Pipe(rate=48_000, channels=2, frames=1 << 20)
    thread = write(pipe, np.zeros((1 << 20, 2), dtype=np.float32), block=1 << 16)
    thread.join(timeout=0.2)
    assert thread.is_alive()  # eight megabytes do not fit into a pipe
    pipe.stop_reading()
    thread.join(timeout=30)
    assert not thread.is_alive()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux makes pipes larger")
def test_whoever_mixes_is_ahead_of_the_encoder() -> None:
    """Half a megabyte fits into a pipe that nobody reads: mixing and encoding need not take turns."""
    pipe = Pipe(rate=48_000, channels=2, frames=1 << 16)
    with pipe:
        pipe.write(np.zeros((1 << 16, 2), dtype=np.float32))
    pipe.stop_reading()


def test_ffmpeg_takes_a_piped_mix_in_large_bites(clip: Clip, tmp_path: Path) -> None:
    """Trap: it sleeps 10 ms whenever its queue is empty, which by default holds 4096 samples."""
    source = clip("stereo.mp4")
    info = probe(source)
    pipe = Pipe(rate=48_000, channels=2, frames=0)
    job = MuxCommand(source, info, pipe, container_of(tmp_path / "a.mp4"), info.audio[0], Extras(), 0, None)
    arguments = job.arguments()
    pipe.stop_writing()
    pipe.stop_reading()
    heard = arguments[: arguments.index(f"pipe:{pipe.reading}")]
    asked = dict(itertools.pairwise(heard[len(heard) - 12 :]))
    queue = int(asked["-thread_queue_size"]) * int(asked["-max_size"])
    assert queue >= 1 << 21, "a block of the mixer"


def test_an_encoder_that_gets_too_little_does_not_wait_for_more(clip: Clip, tmp_path: Path) -> None:
    """A writer that stops ends the stream, whatever length its header promised."""
    source = clip("stereo.mp4")
    info = probe(source)
    pipe = Pipe(rate=48_000, channels=2, frames=48_000 * 3600)
    thread = write(pipe, np.zeros((4800, 2), dtype=np.float32), block=4800)
    mux(source, info, pipe, tmp_path / "short.mkv", stream=info.audio[0])
    thread.join(timeout=30)
    pipe.stop_reading()
    assert probe(tmp_path / "short.mkv").audio


def test_ends_of_a_pipe_are_closed_once(tmp_path: Path) -> None:
    """Closing again must not close what got the same number meanwhile."""
    pipe = Pipe(rate=8000, channels=1, frames=0)
    pipe.stop_writing()
    pipe.stop_reading()
    with (tmp_path / "other").open("wb") as other:
        pipe.stop_writing()
        pipe.stop_reading()
        other.write(b"still open")
    assert (tmp_path / "other").read_bytes() == b"still open"


def test_samples_that_are_no_numbers_are_refused_in_a_pipe_as_in_a_file() -> None:
    """Whichever way sound goes out, an engine's nonsense does not get into it."""
    pipe = Pipe(rate=8000, channels=1, frames=1)
    with pytest.raises(MediaError, match="not numbers"), pipe:
        pipe.write(np.full((1, 1), np.nan, dtype=np.float32))
    pipe.stop_reading()
