"""Every engine that comes with Autodub keeps its role's contract."""

import importlib
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from autodub.engines import registry
from autodub.engines.roles import Fetching
from autodub.media import sound
from autodub.model.calls import Transcribe
from autodub.model.errors import RequestError
from autodub.model.time import Span
from autodub.testing import contracts
from autodub.testing.site import Site

_SENTENCES = (
    "The old man walked down to the harbour.",
    "Good morning.",
    "She was reading a long letter from home.",
)
_GAP = 600  # ms


@cache
def _speech():
    """Three sentences of a synthetic voice with pauses: 16 kHz samples and where they lie."""
    parts, spans, at = [np.zeros(_GAP * 16, dtype=np.float32)], [], _GAP
    with TemporaryDirectory() as folder:
        for number, sentence in enumerate(_SENTENCES):
            path = Path(folder) / f"{number}.wav"
            subprocess.run(["flite", "-voice", "slt", "-t", sentence, "-o", path], check=True, timeout=60)
            samples, rate = sound.load(path)
            spoken = sound.resample(samples, rate, 16_000)[:, 0]
            loud = np.flatnonzero(np.abs(spoken) > 0.02)
            spoken = spoken[loud[0] : loud[-1]]
            spans.append(Span(at, at + len(spoken) // 16))
            parts += [spoken, np.zeros(_GAP * 16, dtype=np.float32)]
            at += len(spoken) // 16 + _GAP
    return np.concatenate(parts), tuple(spans)


class _Builtin:
    """Built through the registry, as a dub does it."""

    name: str

    def engine(self, options, context):
        return registry.build(self.role, self.name, options, context)


class _RealSpeech(_Builtin):
    """Hears a synthetic voice instead of tones."""

    def samples(self):
        return _speech()[0]

    @property
    def spans(self):
        return _speech()[1]


class TestLocal(_Builtin, contracts.DownloaderContract):
    """Files of this machine."""

    name = "local"


class TestYtDlp(_Builtin, contracts.DownloaderContract):
    """Pages of the web; here of a site of this machine."""

    name = "ytdlp"

    @classmethod
    def setup_class(cls):
        cls.folder = TemporaryDirectory()
        clip = Path(cls.folder.name) / "clip.mp4"
        streams = ["-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-f", "lavfi", "-i", "sine=d=1"]
        coding = ["-c:v", "libx264", "-c:a", "aac"]
        subprocess.run(["ffmpeg", "-v", "error", *streams, *coding, clip], check=True, timeout=60)
        cls.site = Site(clip, Path(cls.folder.name) / "site")
        cls.site.__enter__()

    @classmethod
    def teardown_class(cls):
        cls.site.__exit__()
        cls.folder.cleanup()

    def engine(self, options, context):
        fetching = Fetching(sites=("127.0.0.1",), addresses=("127.0.0.1/32",))
        return super().engine(options, replace(context, offline=False, fetching=fetching))

    def address(self, studio, samples):
        path = Path(super().address(studio, samples))
        shutil.copyfile(path, self.site.folder / path.name)
        return self.site.url(path.name.replace(" ", "%20"))

    def test_it_leaves_the_source_alone(self):
        """What is fetched is what the site has, byte for byte (R23)."""
        with self.ready() as (studio, engine):
            source = studio.call(engine, "download", self.request(studio))
            assert Path(source.path).read_bytes() == (self.site.folder / "my clip.wav").read_bytes()
            assert source.digest == source.files[0].digest


class TestSilero(_RealSpeech, contracts.DetectorContract):
    """The voice-activity detector."""

    name = "silero"

    def test_it_finds_the_sentences(self):
        """Each sentence is found, to within a fifth of a second, and the silence is not."""
        with self.ready() as (studio, engine):
            found = studio.call(engine, "detect", self.request(studio)).spans
            assert abs(found[0].start - self.spans[0].start) < 200
            assert abs(found[-1].end - self.spans[-1].end) < 300
            assert all(any(span.overlap(known) for known in self.spans) for span in found)

    def test_silence_is_empty(self):
        """Where nobody speaks nothing is found."""
        with self.ready() as (studio, engine):
            assert studio.call(engine, "detect", self.small(studio)).spans == ()


class TestSphinx(_RealSpeech, contracts.TranscriberContract):
    """The recogniser with its model in the wheel."""

    name = "sphinx"


class TestWhisper(_RealSpeech, contracts.TranscriberContract):
    """The neural recogniser; skipped where its weights are not on disk."""

    name = "whisper"


class TestSubtitles(_Builtin, contracts.TranscriberContract):
    """The transcriber that reads a file."""

    _SRT = (
        b"1\n00:00:00,500 --> 00:00:02,200\nHello there, old friend.\n\n"
        b"2\n00:00:02,800 --> 00:00:03,400\nYes.\n"
    )
    name = "subtitles"

    def request(self, studio):
        return Transcribe(self.speech(studio), "en", self.spans, subtitles=studio.file(self._SRT, ".srt"))

    def small(self, studio):
        one = studio.file(b"1\n00:00:00,500 --> 00:00:02,200\nHello.\n", ".srt")
        return Transcribe(self.speech(studio), "en", self.spans[:1], subtitles=one)

    def test_it_hears_nothing_where_nobody_speaks(self):
        """Without a file there is nothing to read, and it says so."""
        with self.ready() as (studio, engine), pytest.raises(RequestError):
            studio.call(engine, "transcribe", Transcribe(self.speech(studio), "en", self.spans))


class TestClustering(_RealSpeech, contracts.DiarizerContract):
    """The diarizer without weights."""

    name = "clustering"


class TestApertium(_Builtin, contracts.TranslatorContract):
    """The rule-based translator."""

    name = "apertium"


class TestEspeak(_Builtin, contracts.SynthesizerContract):
    """The synthesizer without weights."""

    name = "espeak"


class TestSpectral(_Builtin, contracts.SeparatorContract):
    """The separator without weights."""

    name = "spectral"


class TestMatching(_Builtin, contracts.ClonerContract):
    """Voice matching by pitch and tone."""

    name = "matching"


class TestSherpaDiarizer(_RealSpeech, contracts.DiarizerContract):
    """The neural diarizer; skipped where its weights are not on disk."""

    name = "sherpa"


class TestMadladTranslator(_Builtin, contracts.TranslatorContract):
    """The neural translator; skipped where its weights are not on disk."""

    name = "madlad"


class TestDemucsSeparator(_Builtin, contracts.SeparatorContract):
    """The neural separator; skipped where its package or weights are not on disk."""

    name = "demucs"


class TestRoformerSeparator(_Builtin, contracts.SeparatorContract):
    """The one for checkpoints people bring; skipped where there is none."""

    name = "roformer"


class TestPiperVoices(_Builtin, contracts.SynthesizerContract):
    """The neural synthesizer of preset voices; skipped where none is on disk."""

    name = "piper"


class TestChatterboxVoices(_Builtin, contracts.SynthesizerContract):
    """The neural synthesizer of cloned voices; skipped where its weights are not on disk."""

    name = "chatterbox"

    def test_a_higher_rate_is_shorter(self):
        """It has no rate of its own, and does not claim one."""
        with self.ready() as (_, engine):
            assert engine.describe().rates == (1.0, 1.0)


class TestChatterboxClones(_Builtin, contracts.ClonerContract):
    """Its cloner."""

    name = "chatterbox"


def test_every_builtin_engine_has_a_contract_here():
    """A new engine cannot be registered without keeping its role's contract."""
    kinds = _Builtin.__subclasses__() + _RealSpeech.__subclasses__()
    covered = {(kind.role, kind.name) for kind in kinds if hasattr(kind, "name")}
    own = {
        (role, name)
        for role in registry.ROLES
        for name in registry.names(role)
        if (kind := registry.load(role, name)).__module__.startswith("autodub.") and not _is_cloud(kind)
    }
    assert own == covered


def _is_cloud(kind):
    """Engines of a provider have contracts with the wire of their own, in a module named after them."""
    key = kind.describe().key
    if key:
        assert (Path(__file__).parent / f"test_wire_{kind.describe().name}.py").is_file()
    return bool(key)


@pytest.mark.parametrize("program", ["flite", "espeak-ng", "apertium"])
def test_the_programs_these_contracts_need_are_here(program):
    """Without them the contracts above would be skipped, which would look like a pass."""
    assert shutil.which(program)
    assert importlib.util.find_spec("pocketsphinx")
