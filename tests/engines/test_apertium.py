"""apertium as translator."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.engines import apertium
from autodub.engines.apertium import (
    Apertium,
    ApertiumOptions,
    decode,
    encode,
    finish,
    opened,
    prepare,
    without_fillers,
)
from autodub.engines.apertium_routes import DEBIAN, directions, reachable, route
from autodub.infra.process import Result
from autodub.model.calls import Translate
from autodub.model.errors import BadAnswer, EngineCannot, Unreachable
from autodub.model.language import Language
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.testing.studio import Studio

LISTING = """
  cat-eng
  cat-eng_US
  cat-fra
  cat-ita
  eco-es-fr
  eng-cat
  eng-cat_valencia
  eng-spa
  es-fr
  es-pt
  es-pt_BR
  fra-cat
  hbs-eng
  spa-cat
  spa-eng
"""


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    """A place to call the engine."""
    with Studio() as made:
        yield made


@pytest.fixture(scope="module")
def engine(studio: Studio) -> Apertium:
    """The engine, where English to Spanish is installed."""
    made = Apertium(ApertiumOptions(), studio.context)
    if shutil.which("apertium") is None or "eng-spa" not in {step.mode for step in made._steps()}:
        pytest.skip("apertium with English to Spanish is not installed")
    return made


def lines(*texts: str) -> tuple[Line, ...]:
    """Lines to translate."""
    return tuple(
        Line(f"L{n:04}", Span(n * 1000, n * 1000 + 900), text, "S1") for n, text in enumerate(texts, 1)
    )


def spanish(studio: Studio, engine: Apertium, *texts: str) -> list[str]:
    """The natural wordings in Spanish."""
    answer = studio.call(engine, "translate", Translate(lines(*texts), "en", "es"))
    return [given.wordings[0].text for given in answer.lines]


def way(source: str, target: str) -> list[str]:
    """The modes of the route over the listing above."""
    return [step.mode for step in route(directions(LISTING), Language.parse(source), Language.parse(target))]


@pytest.mark.parametrize(
    ("source", "target", "modes"),
    [
        ("en", "es", ["eng-spa"]),
        ("en", "pt", ["eng-spa", "es-pt"]),
        ("en", "pt-BR", ["eng-spa", "es-pt_BR"]),
        ("es", "pt-BR", ["es-pt_BR"]),
        ("en", "ca-valencia", ["eng-cat_valencia"]),
        ("fr", "en-US", ["fra-cat", "cat-eng_US"]),
        ("fr", "en", ["fra-cat", "cat-eng"]),
        ("en", "ca", ["eng-spa", "spa-cat"]),
        ("en", "it", ["eng-cat", "cat-ita"]),
        ("sr", "es", ["hbs-eng", "eng-spa"]),
        ("hr", "it", ["hbs-eng", "eng-cat", "cat-ita"]),
        ("hr", "ja", []),
        ("it", "en", []),
    ],
)
def test_the_best_route_is_found(source: str, target: str, modes: list[str]) -> None:
    """Direct where possible, else by a close language, in the region's variant, never experimental."""
    assert way(source, target) == modes


def test_a_pair_served_better_through_a_third_language_is_direct_when_it_must_be() -> None:
    """English to Catalan goes through Spanish, and directly where Spanish is not installed."""
    steps = directions("eng-cat eng-spa")
    assert [step.mode for step in route(steps, Language("en"), Language("ca"))] == ["eng-cat"]


def test_what_can_be_reached_is_listed() -> None:
    """From each source every target some route leads to, and no other."""
    found = reachable(directions("eng-spa spa-cat fra-cat"))
    assert found == {"en": ("ca", "es"), "es": ("ca",), "fr": ("ca",)}


def test_the_version_follows_the_installed_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that comes, or is replaced, makes another version, so that old answers are not its own."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "apertium"
    program.write_text("#!/bin/sh\necho eng-spa\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    versions = [Apertium.describe().version]
    modes = tmp_path / "share" / "apertium" / "modes"
    modes.mkdir(parents=True)
    for at, (name, text) in enumerate([("eng-spa", "a"), ("eng-cat", "a"), ("eng-cat", "bb")]):
        (modes / f"{name}.mode").write_text(text)
        os.utime(modes, (1000 + at, 1000 + at))
        versions.append(Apertium.describe().version)
    assert len(set(versions)) == 4
    assert Apertium.describe().version == versions[-1]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Apertium.describe().version == "2+data-none"


def test_no_route_is_longer_than_three_steps() -> None:
    """What four steps would make of a sentence is not offered."""
    listing = "en-es es-pt pt-gl gl-fr"
    steps = directions(listing)
    assert len(route(steps, Language("en"), Language("gl"))) == 3
    assert route(steps, Language("en"), Language("fr")) == ()


def test_the_packages_are_named_by_what_they_provide() -> None:
    """Every entry of the package table leads from one known language to another."""
    for step in DEBIAN:
        assert Language(step.source) != Language(step.target)
        assert step.package.startswith("apertium-")


def test_a_missing_pair_names_the_package(studio: Studio, engine: Apertium) -> None:
    """The error is a sentence with the one command that helps."""
    if engine_has(engine, "is"):
        pytest.skip("Icelandic is installed")
    with pytest.raises(EngineCannot, match="Icelandic > English > Spanish") as caught:
        engine.route("is", "es")
    assert caught.value.hint == "Install them: sudo apt-get install apertium-isl-eng"
    with pytest.raises(EngineCannot, match="no data that lead from English to Japanese") as caught:
        engine.route("en", "ja")
    assert "What is installed leads from English to " in caught.value.hint
    assert "Spanish" in caught.value.hint


def engine_has(engine: Apertium, source: str) -> bool:
    """Whether any direction from a language is installed."""
    return any(step.source == source for step in engine._steps())


def test_every_line_is_translated(studio: Studio, engine: Apertium) -> None:
    """As many out as in, by id, none blank, capitals and final punctuation as in the source."""
    texts = ["Good morning.", "Where are you?", "he was not an ill man", "Stop!", "1984", "...", "The house,"]
    answer = studio.call(engine, "translate", Translate(lines(*texts), "en", "es"))
    assert [given.line for given in answer.lines] == [f"L{n:04}" for n in range(1, 8)]
    first, where, ill, stop, year, dots, house = (given.wordings[0].text for given in answer.lines)
    assert first == "Buenos días."
    assert (where[0], where[-1]) == ("¿", "?")
    assert ill.endswith("enfermo")
    assert stop.startswith("¡")
    assert (year, dots) == ("1984", "...")
    assert house == "La casa,"


def test_names_stay_and_are_counted(studio: Studio, engine: Apertium) -> None:
    """A word apertium does not know stays as it is, without a mark."""
    (text,) = spanish(studio, engine, "Kxyzzy lives in Zubrowka.")
    assert "Kxyzzy" in text
    assert "Zubrowka" in text
    assert "*" not in text
    (used,) = [use for use in studio.gateway.usage() if use.unit == "unknown_words"][-1:]
    assert used.amount >= 2


def test_hostile_text_is_only_text(studio: Studio, engine: Apertium) -> None:
    """The signs of apertium's own stream format pass through."""
    texts = ["[\n1\n]", "^cat/dog$ house", "a \\ b {c} <d> @e #f", "the * house", "$(id)", "house]\n[house"]
    made = spanish(studio, engine, *texts)
    assert len(made) == len(texts)
    assert "casa" in made[1]
    assert "casa" in made[3]
    assert made[5].lower().count("casa") == 2


def test_lines_do_not_leak_into_each_other(studio: Studio, engine: Apertium) -> None:
    """A line is translated the same alone and among others."""
    texts = ["The red", "houses are old.", "She saw the", "big dog", "What did they", "say to you?"]
    together = spanish(studio, engine, *texts)
    assert together == [spanish(studio, engine, text)[0] for text in texts]


def test_a_pivot_is_taken(studio: Studio, engine: Apertium) -> None:
    """English reaches Portuguese over Spanish, without Spanish signs."""
    if not engine_has(engine, "es") or "es-pt" not in {s.mode for s in engine._steps()}:
        pytest.skip("Spanish to Portuguese is not installed")
    assert engine.route("en", "pt") == "eng-spa > es-pt"
    answer = studio.call(engine, "translate", Translate(lines("Where is the house?"), "en", "pt"))
    text = answer.lines[0].wordings[0].text
    assert "casa" in text
    assert "¿" not in text


def test_fillers_make_a_shorter_wording(studio: Studio, engine: Apertium) -> None:
    """What carries no meaning may go, at a price; nothing else does."""
    answer = studio.call(
        engine, "translate", Translate(lines("Well, I saw the house.", "I saw the house."), "en", "es")
    )
    with_filler, without = answer.lines
    assert [w.loss for w in with_filler.wordings] == [0.0, 0.12]
    assert with_filler.wordings[1].text == without.wordings[0].text
    assert len(without.wordings) == 1
    plain = Apertium(ApertiumOptions(shorter=False), studio.context)
    answer = studio.call(plain, "translate", Translate(lines("Well, I saw the house."), "en", "es"))
    assert len(answer.lines[0].wordings) == 1


@pytest.mark.parametrize(
    ("text", "brief"),
    [
        ("Well, you know, I saw it.", "I saw it."),
        ("I saw it, you know.", "I saw it."),
        ("Well done, my friend.", None),
        ("So what?", None),
        ("Well, yes.", None),
        ("You know him.", None),
    ],
)
def test_only_real_fillers_go(text: str, brief: str | None) -> None:
    """The same words with a meaning stay, and so does a sentence that would shrink to a word."""
    assert without_fillers(text, Language("en")) == brief


@given(st.text(max_size=60))
@settings(deadline=None)
def test_coding_is_lossless(text: str) -> None:
    """What goes into the stream comes out of it, spacing and final punctuation aside."""
    plain = " ".join(text.split())
    back = decode(encode(plain).replace("\\*", "*"))[0]
    kept = "".join(c for c in plain if c.isalnum())
    assert "".join(c for c in back if c.isalnum()) == kept


def test_text_is_prepared() -> None:
    """Shouting is calmed, a lone i is a person, quotes are plain."""
    assert prepare("WHERE ARE YOU?", english=True) == "Where are you?"
    assert prepare("and i think i'm late", english=True) == "and I think I'm late"
    assert prepare("l’eau", english=False) == "l'eau"


def test_a_translation_is_finished() -> None:
    """Capital, final punctuation and opening marks follow the source and the language."""
    es, pt = Language("es"), Language("pt")
    assert finish("Are you coming?", "eres viniendo?", es) == "¿Eres viniendo?"
    assert finish("and then", "y entonces.", es) == "y entonces"
    assert finish('"Stop!"', '"para!"', es) == '"¡Para!"'
    assert finish("¿Vienes?", "¿vem?", pt) == "Vem?"
    assert opened("Hola. Vienes? No!") == "Hola. ¿Vienes? ¡No!"
    assert opened("¿Vienes?") == "¿Vienes?"


class Program:
    """Stands in for apertium: answers what it is told, counts how often it is asked."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.runs = 0

    def __call__(self, argv, *, deadline, stdin=None, check=None):
        if "-l" in argv:
            return Result(0, b"eng-spa", "")
        self.runs += 1
        return self.answer(stdin.decode())


@pytest.mark.parametrize("shown", ["all", "one"])
def test_a_lost_separator_is_found_by_halving(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    """A mangled batch is tried again in halves; a line that is always mangled is an error."""

    def answer(stream: str) -> Result:
        bad = stream.count("[\n") > 1 or shown == "one"
        return Result(0, (stream.replace("[\n0\n]", "") if bad else stream).encode(), "")

    program = Program(answer)
    monkeypatch.setattr(apertium.process, "find", lambda name, package: name)
    monkeypatch.setattr(apertium.process, "run", program)
    made = Apertium(ApertiumOptions(), studio.context)
    if shown == "one":
        with pytest.raises(BadAnswer):
            spanish(studio, made, "uno", "dos")
    else:
        assert spanish(studio, made, "a one", "a two", "a three") == ["a one", "a two", "a three"]
        assert program.runs == 5


def test_one_process_per_step_however_many_lines(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand lines are one run."""
    program = Program(lambda stream: Result(0, stream.encode(), ""))
    monkeypatch.setattr(apertium.process, "find", lambda name, package: name)
    monkeypatch.setattr(apertium.process, "run", program)
    assert len(spanish(studio, Apertium(ApertiumOptions(), studio.context), *["a word"] * 1000)) == 1000
    assert program.runs == 1


def test_a_failing_program_is_unreachable(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status and last words are in the error."""
    monkeypatch.setattr(apertium.process, "find", lambda name, package: name)
    monkeypatch.setattr(apertium.process, "run", Program(lambda stream: Result(2, b"", "no such mode")))
    with pytest.raises(Unreachable, match="status 2: no such mode"):
        spanish(studio, Apertium(ApertiumOptions(), studio.context), "a word here")


def test_a_blank_translation_keeps_its_source(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is never blank."""
    monkeypatch.setattr(apertium.process, "find", lambda name, package: name)
    monkeypatch.setattr(apertium.process, "run", Program(lambda stream: Result(0, b".[\n0\n]", "")))
    assert spanish(studio, Apertium(ApertiumOptions(), studio.context), "Zut") == ["Zut"]
