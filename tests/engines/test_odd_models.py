"""Model folders with anything but a model in them are told by name, and so are paths that can be none."""

from __future__ import annotations

import errno
import io
import json
import os
import ssl
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from autodub.engines import checkpoints, hub, madlad_folders, sentencepieces
from autodub.engines.chatterbox import Chatterbox, ChatterboxOptions
from autodub.engines.checkpoints import Checkpoint
from autodub.engines.demucs import Demucs, DemucsOptions
from autodub.engines.madlad import Madlad, MadladOptions
from autodub.engines.piper import Piper, PiperOptions
from autodub.engines.roformer import Roformer, RoformerOptions
from autodub.engines.roles import EngineContext
from autodub.engines.sherpa import Sherpa, SherpaOptions
from autodub.model.errors import BadOption, EngineCannot, OutputProblem, Unreachable

DEEP = b"[" * 100_000
PIECE = b"\x0a\x03\x0a\x01a"
"""A SentencePiece piece, "a"."""


def context(models: Path) -> EngineContext:
    """Nothing but a folder for weights."""
    return EngineContext(secrets={}, models=models)


def translator(models: Path, **files: bytes | None) -> Path:
    """A folder that looks like a translation model; None = a folder where a file is expected."""
    folder = models / "madlad" / "opus-mt-en-es"
    folder.mkdir(parents=True)
    for name, content in ({"model.bin": b"x", "shared_vocabulary.json": b'["a", "</s>"]'} | files).items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"tokenizer_config.json": b"[]"}, "not a table"),
        ({"tokenizer_config.json": DEEP}, "recursion"),
        ({"shared_vocabulary.json": DEEP}, "recursion"),
        ({"shared_vocabulary.json": b"\xff"}, "cannot be read"),
        ({"source_vocabulary.txt": b"\xff\xfe"}, "source_vocabulary.txt cannot be read"),
    ],
)
def test_a_translation_model_of_rubbish_is_told_by_the_survey(
    tmp_path: Path, files: dict[str, bytes], why: str
) -> None:
    """The engine can be made and says what is wrong with its folder."""
    folder = translator(tmp_path, **files)
    ready = Madlad(MadladOptions(), context(tmp_path)).readiness()
    assert ready.state == "needs download"
    assert why in ready.detail
    assert str(folder) in ready.detail


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"config.json": b"[]", "x.spm": PIECE},
        {"config.json": DEEP, "x.spm": PIECE},
        {"config.json": b"{}", "x.spm": b""},
        {"config.json": b"{}", "x.spm": None},
        {"config.json": b"{}", "x.spm": b"\x0a\x05\x15\x00\x00\x00\x00"},
        {"config.json": b"{}", "x.spm": PIECE + b"\x1a\x06\x12\x04\xff\xff\xff\xff"},
        {"config.json": b"{}", "tokenizer.json": DEEP},
    ],
    ids=lambda files: " ".join(f"{name}={(content or b'folder')[:8]!r}" for name, content in files.items()),
)
def test_a_tokenizer_of_rubbish_is_said(tmp_path: Path, files: dict[str, bytes | None]) -> None:
    """Broken, empty, nested without end, or no file at all."""
    folder = translator(tmp_path, **files)
    with pytest.raises(EngineCannot) as problem:
        madlad_folders.Tongue(madlad_folders.read(folder))
    assert problem.value.hint


def test_any_bytes_are_a_sentencepiece_model_or_are_said_to_be_none(tmp_path: Path) -> None:
    """Nothing but the error of the tree comes out, whatever is in the file."""
    draw = __import__("random").Random(3)
    file = tmp_path / "x.spm"
    said = 0
    for _ in range(2000):
        content = bytearray(PIECE * 3 + b"\x12\x02\x18\x02")
        for _ in range(draw.randint(1, 6)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        file.write_bytes(content)
        try:
            assert sentencepieces.load(file).pieces
        except EngineCannot:
            said += 1
    assert 0 < said < 2000


VOICE: dict[str, Any] = {
    "phoneme_id_map": {"^": [1], "_": [0], "$": [2], "a": [3]},
    "audio": {"sample_rate": 22050},
    "espeak": {"voice": "es-419"},
}


@pytest.mark.parametrize(
    "said",
    [
        DEEP,
        b"[]",
        b"\xff",
        {"audio": {"sample_rate": 0}},
        {"audio": {"sample_rate": 10**12}},
        {"audio": {"sample_rate": float("inf")}},
        {"inference": {"length_scale": float("nan")}},
        {"inference": {"length_scale": 0}},
        {"inference": None},
        {"espeak": {"voice": "../../../etc/passwd"}},
        {"espeak": {"voice": "--help"}},
        {"espeak": {"voice": ["es"]}},
    ],
    ids=str,
)
def test_a_voice_that_cannot_be_is_told_by_the_survey(tmp_path: Path, said: bytes | dict[str, Any]) -> None:
    """Rates and scales of no voice, and names that espeak-ng would take for a path."""
    folder = tmp_path / "piper"
    folder.mkdir()
    (folder / "es_ES-a-low.onnx").write_bytes(b"x")
    settings = folder / "es_ES-a-low.onnx.json"
    settings.write_text(json.dumps(VOICE))
    assert Piper(PiperOptions(), context(tmp_path)).readiness().state == "ready"
    settings.write_bytes(said if isinstance(said, bytes) else json.dumps(VOICE | said).encode())
    ready = Piper(PiperOptions(), context(tmp_path)).readiness()
    assert ready.state == "needs download"
    assert "es_ES-a-low.onnx.json" in ready.detail


MADE: dict[str, Callable[[str, EngineContext], Any]] = {
    "madlad": lambda path, context: Madlad(MadladOptions(model=path), context),
    "demucs": lambda path, context: Demucs(DemucsOptions(model=path), context),
    "roformer": lambda path, context: Roformer(RoformerOptions(model=path), context),
    "chatterbox": lambda path, context: Chatterbox(ChatterboxOptions(model=Path(path)), context),
    "sherpa": lambda path, context: Sherpa(SherpaOptions(segmentation=Path(path)), context),
    "piper": lambda path, context: Piper(PiperOptions(voices=Path(path)), context),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0b", "a" * 5000, "a/" * 3000])
def test_a_path_that_can_be_none_is_a_bad_option(tmp_path: Path, name: str, path: str) -> None:
    """Users that do not exist, NULs and endless names are said in a sentence of bearable length."""
    with pytest.raises(BadOption) as problem:
        MADE[name](path, context(tmp_path))
    assert len(str(problem.value)) < 300


@pytest.mark.parametrize("name", MADE)
def test_links_to_nowhere_and_folders_named_like_files_are_no_models(tmp_path: Path, name: str) -> None:
    """What only looks like weights makes an engine that is not ready, and says so."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for ending in ("th", "ckpt", "onnx", "onnx.json", "yaml"):
        (folder / f"a.{ending}").symlink_to(tmp_path / "nowhere")
        (folder / f"b.{ending}").mkdir()
    (folder / "model.bin").mkdir()
    assert MADE[name](str(folder), context(tmp_path)).readiness().state != "ready"


class _Breaking(io.BytesIO):
    """An answer whose encryption breaks off."""

    status = 200

    def __init__(self, length: str, error: OSError | None) -> None:
        super().__init__(b"half")
        self.headers = Message()
        self.headers["Content-Length"] = length
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        if not (block := super().read(size)) and self._error is not None:
            raise self._error
        return block


def test_a_download_that_breaks_in_odd_ways_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken encryption and a length that is no number are passing failures like any other."""
    checkpoint = Checkpoint("w.th", "https://models.example/w.th", "0" * 64)
    broken = ssl.SSLError(1, "decryption failed")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: _Breaking("9", broken))
    with pytest.raises(Unreachable, match="cannot be fetched"):
        checkpoints.fetch(checkpoint, tmp_path, engine="demucs")
    assert (tmp_path / "w.th.partial").read_bytes() == b"half"
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: _Breaking("many", broken))
    with pytest.raises(Unreachable):
        checkpoints.fetch(checkpoint, tmp_path, engine="demucs")


def test_a_disk_that_fills_up_while_weights_come_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room is no network trouble: it is not worth another attempt, and the hint is about the disk."""
    import huggingface_hub

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hub, "probe", lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    with pytest.raises(OutputProblem, match="no room"):
        hub.fetch("owner/name", tmp_path / "model", files=["*"], engine="madlad")
    (tmp_path / "w.th.partial").symlink_to("/dev/full")
    checkpoint = Checkpoint("w.th", "https://models.example/w.th", "0" * 64)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: _Breaking("4", None))
    with pytest.raises(OutputProblem, match="No space left"):
        checkpoints.fetch(checkpoint, tmp_path, engine="demucs")
