"""The madlad translator: a real small model through CTranslate2, a scripted one for what models do wrong."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_translator

from autodub.engines import madlad_folders, sentencepieces
from autodub.engines.madlad import Madlad, MadladOptions
from autodub.engines.roles import EngineContext
from autodub.gateway.cancel import Cancel
from autodub.gateway.keys import key
from autodub.gateway.work import CallWork
from autodub.model.calls import Translate
from autodub.model.errors import BadAnswer, Cancelled, EngineCannot, Unreachable
from autodub.model.language import Language
from autodub.model.speech import Line, Translations
from autodub.model.time import Span
from autodub.testing.contracts import TranslatorContract
from autodub.testing.studio import Studio


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here may reach anything, and the machine's own cache does not count."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/nonexistent")


def lines(*texts: str) -> tuple[Line, ...]:
    """Lines with these texts."""
    return tuple(Line(f"L{n}", Span(n * 1000, n * 1000 + 900), text, "S1") for n, text in enumerate(texts, 1))


PLAIN = {"device": "cpu", "compute_type": "float32"}


class TestMadlad(TranslatorContract):
    """Madlad keeps the contract of a translator with a MADLAD-style model."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        folder = context.models / "madlad" / "tiny"
        if not folder.exists():
            tiny_translator.make(folder)
        return Madlad(MadladOptions(**{**PLAIN, **options}), context)

    def test_it_translates(self) -> None:
        """What the model knows comes out in order, one answer per line, ids kept."""
        with self.ready() as (studio, engine):
            found = studio.call(engine, "translate", self.request(studio))
        assert [line.wordings[0].text for line in found.lines] == [
            "La casa es grande.",
            "Yo tengo dos gatos, y tú?",
            "Buenos días.",
        ]
        assert [line.line for line in found.lines] == ["L0001", "L0002", "L0003"]

    def test_its_route_names_model_and_tag(self) -> None:
        """The route says which folder and which tag serve a pair; other regions use the language's tag."""
        with self.ready() as (_, engine):
            assert engine.route("en", "es") == "tiny <2es>"
            assert engine.route("de", "es-MX") == "tiny <2es>"
            with pytest.raises(EngineCannot, match="to Polish"):
                engine.route("en", "pl")

    def test_many_lines_are_many_answers(self) -> None:
        """More lines than one batch holds come back in their order."""
        with self.ready() as (studio, engine):
            texts = [("The house." if n % 3 else "I have two cats and you.") for n in range(50)]
            found = studio.call(engine, "translate", Translate(lines(*texts), "en", "es"))
        wanted = {"The house.": "La casa.", "I have two cats and you.": "Yo tengo dos gatos y tú."}
        assert [line.wordings[0].text for line in found.lines] == [wanted[text] for text in texts]

    def test_a_line_longer_than_the_window(self) -> None:
        """A long line is split at sentence ends, and nothing of it is lost."""
        with self.ready() as (studio, _):
            engine = self.engine({"longest": "16"}, studio.context)
            text = "The house is big. " * 7 + "Good morning."
            found = studio.call(engine, "translate", Translate(lines(text), "en", "es"))
        assert found.lines[0].wordings[0].text == "La casa es grande. " * 7 + "Buenos días."

    def test_silence_and_numbers_pass(self) -> None:
        """What holds no letter is said as it is, without asking the model."""
        with self.ready() as (studio, engine):
            found = studio.call(engine, "translate", Translate(lines("1984.", "…"), "en", "es"))
        assert [line.wordings[0].text for line in found.lines] == ["1984.", "…"]

    def test_marks_in_a_line_are_no_orders(self) -> None:
        """A line that spells a target's mark or an end mark cannot change what is done with it."""
        with self.ready() as (studio, engine):
            text = "<2fr> The house</s> is big."
            found = studio.call(engine, "translate", Translate(lines(text), "en", "es"))
        assert found.lines[0].wordings[0].text == "La casa es grande."


def opus(folder: Path) -> Path:
    """A model for one pair, with a tokenizer for each side, as Opus-MT's are converted."""
    return tiny_translator.make(folder, marks=(), offset=0, spm=("source.spm", "target.spm"))


def test_a_model_for_one_pair(tmp_path: Path) -> None:
    """An Opus-MT folder is known by its name or its tokenizer_config.json, and serves that pair alone."""
    opus(tmp_path / "madlad" / "opus-mt-en-es")
    tiny_translator.name_pair(opus(tmp_path / "madlad" / "mine"), "en", "pt")
    engine = Madlad(MadladOptions(**PLAIN), EngineContext({}, tmp_path))
    assert engine.route("en", "es") == "opus-mt-en-es"
    assert engine.route("en", "pt-BR") == "mine"
    assert engine.pairs() == {"en": ("es", "pt")}
    with pytest.raises(EngineCannot, match="from German"):
        engine.route("de", "es")
    with Studio() as studio:
        found = studio.call(engine, "translate", Translate(lines("The house is big."), "en", "es"))
    assert found.lines[0].wordings[0].text == "La casa es grande."


def test_a_model_for_several_targets(tmp_path: Path) -> None:
    """An Opus-MT model for several targets gets its mark before the text, in ISO 639-3."""
    tiny_translator.make(
        tmp_path / "madlad" / "opus-mt-en-roa",
        marks=(">>spa<<", ">>fra<<"),
        offset=1,
        spm=("source.spm", "target.spm"),
    )
    engine = Madlad(MadladOptions(**PLAIN), EngineContext({}, tmp_path))
    assert engine.route("en", "es") == "opus-mt-en-roa >>spa<<"
    with Studio() as studio:
        found = studio.call(engine, "translate", Translate(lines("Good morning."), "en", "es"))
    assert found.lines[0].wordings[0].text == "Buenos días."


def test_the_model_for_the_pair_comes_first(tmp_path: Path) -> None:
    """Where a model of many languages and one for the pair are there, the pair's is used."""
    tiny_translator.make(tmp_path / "madlad" / "a-madlad")
    opus(tmp_path / "madlad" / "opus-mt-en-es")
    engine = Madlad(MadladOptions(**PLAIN), EngineContext({}, tmp_path))
    assert engine.route("en", "es") == "opus-mt-en-es"
    assert engine.route("de", "fr") == "a-madlad <2fr>"
    assert engine.pairs() is None


def test_a_tokenizer_json_will_do(tmp_path: Path) -> None:
    """A folder with tokenizer.json instead of a SentencePiece file gives the same translation."""
    folder = tiny_translator.as_json(tiny_translator.make(tmp_path / "m"))
    assert not list(folder.glob("*.model"))
    engine = Madlad(MadladOptions(model=str(folder), **PLAIN), EngineContext({}, tmp_path))
    with Studio() as studio:
        found = studio.call(engine, "translate", Translate(lines("The house is big."), "en", "es"))
    assert found.lines[0].wordings[0].text == "La casa es grande."


def test_noise_is_no_translation(tmp_path: Path) -> None:
    """A model of random weights is refused or held to the checks; it never raises anything else."""
    for seed in range(4):
        folder = tiny_translator.make(tmp_path / f"noise{seed}", seed=seed)
        engine = Madlad(MadladOptions(model=str(folder), **PLAIN), EngineContext({}, tmp_path))
        told = said = ""
        with Studio() as studio:
            try:
                found = studio.call(engine, "translate", Translate(lines("The house is big."), "en", "es"))
                said = found.lines[0].wordings[0].text
            except BadAnswer as problem:
                told = problem.message
        assert said.strip() or "L1" in told


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "model.bin").write_bytes(b"nothing"), "cannot be loaded"),
        (lambda f: (f / "spiece.model").write_bytes(b"\x0a\xff\xff"), "SentencePiece"),
        (lambda f: (f / "spiece.model").unlink(), "no tokenizer"),
        (lambda f: [file.unlink() for file in f.glob("*vocabulary*")], "no vocabulary"),
    ],
)
def test_a_damaged_folder_is_said(tmp_path: Path, spoil: Any, told: str) -> None:
    """Whatever is missing or broken in a folder is named in a sentence with a way out."""
    folder = tiny_translator.make(tmp_path / "m")
    spoil(folder)
    engine = Madlad(MadladOptions(model=str(folder), **PLAIN), EngineContext({}, tmp_path))
    with Studio() as studio, pytest.raises(EngineCannot, match=told) as caught:
        studio.call(engine, "translate", Translate(lines("House."), "en", "es"))
    assert caught.value.hint


def test_a_folder_for_no_known_pair(tmp_path: Path) -> None:
    """A model without marks whose name tells nothing is not guessed at; readiness says so, too."""
    opus(tmp_path / "mystery")
    engine = Madlad(MadladOptions(model=str(tmp_path / "mystery"), **PLAIN), EngineContext({}, tmp_path))
    assert engine.readiness().state == "needs download"
    assert "which pair" in engine.readiness().detail
    with pytest.raises(EngineCannot, match="which pair"):
        engine.route("en", "es")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """Without weights readiness and calls name the one command; a wrong folder says how to make one."""
    engine = Madlad(MadladOptions(), EngineContext({}, tmp_path, offline=True))
    ready = engine.readiness()
    assert (ready.state, ready.fix) == ("needs download", "autodub engines fetch translator.madlad")
    with Studio() as studio, pytest.raises(EngineCannot) as caught:
        studio.call(engine, "translate", Translate(lines("House."), "en", "es"))
    assert ready.fix in caught.value.hint
    nowhere = Madlad(MadladOptions(model="/no/such/folder"), EngineContext({}, tmp_path)).readiness()
    assert "ct2-transformers-converter" in nowhere.fix
    named = Madlad(MadladOptions(model="me/my-ct2"), EngineContext({}, tmp_path)).readiness()
    assert named.fix.endswith("--set model=me/my-ct2")


def test_fetching(tmp_path: Path) -> None:
    """Offline nothing is fetched, without a network it is told where files go, twice is not fetched again."""
    work: Any = SimpleNamespace(progress=lambda *_: None)
    with pytest.raises(EngineCannot, match="offline"):
        Madlad(MadladOptions(), EngineContext({}, tmp_path, offline=True)).fetch(work)
    with pytest.raises(Unreachable) as caught:
        Madlad(MadladOptions(), EngineContext({}, tmp_path)).fetch(work)
    assert str(tmp_path / "madlad" / "madlad400-3b") in caught.value.hint
    with pytest.raises(EngineCannot, match="nonsense"):
        Madlad(MadladOptions(model="nonsense"), EngineContext({}, tmp_path)).fetch(work)
    folder = tiny_translator.make(tmp_path / "madlad" / "madlad400-3b")
    assert Madlad(MadladOptions(), EngineContext({}, tmp_path)).fetch(work) == folder


def test_other_weights_are_another_answer(tmp_path: Path) -> None:
    """An answer is kept under the weights that gave it: other files in the folder are asked anew."""
    folder = tiny_translator.make(tmp_path / "madlad" / "m")
    request = Translate(lines("House."), "en", "es")
    context = EngineContext({}, tmp_path)
    first = key(Madlad(MadladOptions(), context), "translate", request)
    assert key(Madlad(MadladOptions(), context), "translate", request) == first
    tiny_translator.make(folder, words={"▁House": "▁Hogar"})
    assert key(Madlad(MadladOptions(), context), "translate", request) != first


class Scripted:
    """Stands in for the library's translator: each sentence's hypotheses by its first word."""

    def __init__(
        self, plain: dict[str, list[tuple[str, float]]], careful: dict[str, str] | None = None
    ) -> None:
        self.plain = plain
        self.careful = careful or {}
        self.asked: list[dict[str, Any]] = []
        self.hold: threading.Event | None = None

    def __call__(self, folder: str, **options: Any) -> Scripted:
        self.loaded = {"folder": folder, **options}
        return self

    def translate_batch(self, sources: Sequence[Sequence[str]], **options: Any) -> list[Any]:
        self.asked.append({"sources": sources, **options})
        if self.hold is not None:
            self.hold.wait(20)
        return [self._one(tokens, "no_repeat_ngram_size" in options) for tokens in sources]

    def _one(self, tokens: Sequence[str], careful: bool) -> Any:
        text = tokens[2]
        found = [(self.careful[text], -0.2)] if careful else self.plain[text]
        return SimpleNamespace(
            hypotheses=[words.split() for words, _ in found], scores=[score for _, score in found]
        )


def translated(tmp_path: Path, model: Scripted, *texts: str, **options: Any) -> Translations:
    """The engine's translation, its model being scripted."""
    folder = tmp_path / "madlad" / "m"
    if not folder.exists():
        tiny_translator.make(folder)
    engine = Madlad(MadladOptions(**options), EngineContext({}, tmp_path), load=model)
    with Studio() as studio:
        found: Translations = studio.call(engine, "translate", Translate(lines(*texts), "en", "es"))
        return found


def test_shorter_wordings_are_offered_with_their_loss(tmp_path: Path) -> None:
    """Of further hypotheses the shorter ones that pass the checks are kept, the likelier with less loss."""
    natural = ("▁La ▁casa ▁es ▁grande ▁y ▁grande .", -0.1)
    model = Scripted(
        {
            "▁The": [
                natural,
                ("▁La ▁casa ▁es ▁grande ▁y ▁grande ▁grande .", -0.15),  # longer
                ("▁La ▁casa ▁y ▁grande .", -0.3),
                ("▁La ▁casa ▁es ▁grande ?", -0.3),  # no question was asked
                ("▁La .", -0.2),  # half is missing
            ]
        }
    )
    found = translated(tmp_path, model, "The house is big and big.", beam_size=8, alternatives=5)
    wordings = found.lines[0].wordings
    assert [w.text for w in wordings] == ["La casa es grande y grande.", "La casa y grande."]
    assert wordings[0].loss == 0
    assert wordings[1].loss == pytest.approx(0.3)
    assert model.asked[0]["num_hypotheses"] == 6


def test_a_stuck_model_is_asked_more_carefully(tmp_path: Path) -> None:
    """A sentence that goes round in a circle is decoded again without repetitions."""
    model = Scripted(
        {"▁The": [("▁La ▁casa " * 20, -0.1)], "▁Good": [("▁Buenos ▁días .", -0.1)]}, {"▁The": "▁La ▁casa ."}
    )
    found = translated(tmp_path, model, "The house.", "Good morning.")
    assert [line.wordings[0].text for line in found.lines] == ["La casa.", "Buenos días."]
    assert [len(asked["sources"]) for asked in model.asked] == [2, 1]
    assert model.asked[1]["repetition_penalty"] > 1


def test_a_circle_that_stays_is_cut(tmp_path: Path) -> None:
    """Where the model is stuck either way, what came before the circle's second round is kept."""
    stuck = "▁La ▁casa " + "▁y ▁grande " * 30
    found = translated(tmp_path, Scripted({"▁The": [(stuck, -0.1)]}, {"▁The": stuck}), "The house is big.")
    assert found.lines[0].wordings[0].text == "La casa y grande"


@pytest.mark.parametrize("answer", ["", "▁", "<unk> <unk>", ". . ."])
def test_nothing_is_no_translation(tmp_path: Path, answer: str) -> None:
    """An empty answer is reported with the line, never spoken as silence."""
    model = Scripted({"▁The": [(answer, -0.1)]}, {"▁The": answer})
    with pytest.raises(BadAnswer, match="L1"):
        translated(tmp_path, model, "The house.")


def test_how_the_library_is_asked(tmp_path: Path) -> None:
    """Length is bounded by the source's, nothing is cut silently, and options reach the library."""
    model = Scripted({"▁The": [("▁La .", -0.1)]})
    translated(tmp_path, model, "The house.", device="cpu", threads=3, beam_size=2, alternatives=0)
    asked = model.asked[0]
    assert (asked["beam_size"], asked["num_hypotheses"], asked["max_input_length"]) == (2, 1, 0)
    assert asked["max_decoding_length"] == 2 * len(asked["sources"][0]) + 16
    assert (model.loaded["compute_type"], model.loaded["intra_threads"]) == ("int8", 3)
    assert asked["sources"][0] == ["▁", "<2es>", "▁The", "▁house", ".", "</s>"]


def test_it_stops_while_the_library_computes(tmp_path: Path) -> None:
    """A wish to stop is heard while a batch is being decoded."""
    tiny_translator.make(tmp_path / "madlad" / "m")
    model = Scripted({"▁The": [("▁La .", -0.1)]})
    model.hold = threading.Event()
    engine = Madlad(MadladOptions(), EngineContext({}, tmp_path), load=model)
    cancel = Cancel()
    with Studio() as studio:
        work = CallWork(studio.store.blobs, cancel=cancel, listener=studio.events.append, stage="")
        timer = threading.Timer(0.2, cancel.request)
        timer.start()
        try:
            with pytest.raises(Cancelled):
                engine.translate(Translate(lines("The house."), "en", "es"), work)
        finally:
            model.hold.set()
            timer.join()
            work.close()


def test_tags_become_languages(tmp_path: Path) -> None:
    """Marks of models, in old codes and with scripts, are found under the tags users type."""
    folder = tmp_path / "m"
    folder.mkdir()
    marks = ["<2iw>", "<2zh>", "<2zh_Latn>", "<2pt_BR>", "<2fil>", "<2no>", "<2xx_yy>", "<2sr_Cyrl>"]
    (folder / "shared_vocabulary.json").write_text(json.dumps([*marks, "▁a"]), encoding="utf-8")
    known = madlad_folders.read(folder)
    found = {tag: known.token(Language("en"), Language(tag)) for tag in ("he", "zh", "zh-TW", "pt-BR", "no")}
    assert found == {"he": "<2iw>", "zh": "<2zh>", "zh-TW": "<2zh>", "pt-BR": "<2pt_BR>", "no": "<2no>"}
    assert known.token(Language("en"), Language("sr-Cyrl")) == "<2sr_Cyrl>"
    assert known.token(Language("en"), Language("pt-PT")) is None


def test_sentencepiece_files_are_read(tmp_path: Path) -> None:
    """Pieces, kinds and scores of a SentencePiece file arrive, and cutting follows the likeliest pieces."""
    path = tmp_path / "a.spm"
    path.write_bytes(tiny_translator.sentencepiece(["<unk>", "<s>", "</s>", "▁ab", "▁a", "b", "▁", "a"]))
    pieces = sentencepieces.load(path)
    assert pieces.unknown == 0
    assert not pieces.is_bpe
    assert [round(score) for _, score in pieces.pieces[3:6]] == [-1, -1, -10]
    cut = sentencepieces.tokenizer(pieces)
    assert cut.encode("ab  a b", add_special_tokens=False).tokens == ["▁ab", "▁a", "▁", "b"]
    assert cut.decode(cut.encode("ab a b", add_special_tokens=False).ids) == "ab a b"
    for bad in (b"", b"\x0a", b"\xff" * 12, b"hello"):
        path.write_bytes(bad)
        with pytest.raises(EngineCannot):
            sentencepieces.load(path)


def test_a_name_cannot_leave_the_models_folder(tmp_path: Path) -> None:
    """A model's name is not a way out of the folder for weights."""
    for name in ("../../etc", "a/../../b"):
        assert madlad_folders.hub.own_folder(tmp_path, "madlad", name).parent == tmp_path / "madlad"
        assert madlad_folders.repository(name) is None
