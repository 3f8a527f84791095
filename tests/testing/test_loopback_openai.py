"""OpenAI on the loopback server: what it answers, counts and refuses; wordings made shorter."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.meaning import lost
from autodub.dubbing.prompting import Prompt, summarizing, translating
from autodub.dubbing.syllables import syllables
from autodub.model.calls import Draft, Summarize, Translate
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.testing.loopback import MODERN, PROTOTYPE, Reply, Request
from autodub.testing.loopback.faults import REFUSALS
from autodub.testing.loopback.openai import OpenAIService
from autodub.testing.loopback.shortening import lengthened, shortened

needs_apertium = pytest.mark.skipif(not OpenAIService.is_possible(), reason="apertium is not installed")


@pytest.fixture(scope="module")
def service() -> OpenAIService:
    """One for all tests."""
    return OpenAIService()


def prompt(*texts: str, to: str = "es") -> Prompt:
    """A question for natural wordings."""
    return translating(
        Translate(tuple(Line(str(n), Span(0, 1), t, "A") for n, t in enumerate(texts)), "en", to)
    )


def request(asked: Prompt, **more: object) -> Request:
    """The question as OpenAI is sent it."""
    schema = {"name": asked.name, "schema": dict(asked.schema), "strict": True}
    body: dict[str, Any] = {
        "model": "gpt-6-luna",
        "messages": [
            {"role": "system", "content": asked.system},
            {"role": "user", "content": asked.user},
        ],
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    headers = {"authorization": "Bearer sk-1", "content-type": "application/json"}
    return Request("POST", "/chat/completions", (), headers, json.dumps(body | more).encode(), account="a")


def value(reply: Reply) -> dict[str, Any]:
    """The answer's body."""
    return cast(dict[str, Any], json.loads(cast(bytes, reply.body)))


def text(reply: Reply) -> Mapping[str, Any]:
    """What the model wrote."""
    return cast(Mapping[str, Any], json.loads(value(reply)["choices"][0]["message"]["content"]))


@needs_apertium
def test_answers_are_counted_as_they_are_billed(service: OpenAIService) -> None:
    """Tokens are a quarter of the characters of question and answer, in the usage and on the bill alike."""
    asked = request(prompt("Good morning.", "The house is big."))
    reply = service.answer(asked)
    usage = value(reply)["usage"]
    written = value(reply)["choices"][0]["message"]["content"]
    assert usage["completion_tokens"] == math.ceil(len(written) / 4) == reply.charges["tokens_out"]
    assert usage["prompt_tokens"] == reply.charges["tokens_in"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert text(reply) == {"1": "Buenos días.", "2": "La casa es grande."}
    assert service.answer(asked) == reply


@needs_apertium
def test_seconds_follow_the_tokens_of_the_answer(service: OpenAIService) -> None:
    """Latency is a fixed part and one per token of output, as the profile says."""
    asked = request(prompt("Good morning."))
    count = value(service.answer(asked))["usage"]["completion_tokens"]
    for profile in (PROTOTYPE, MODERN):
        begin, each = profile.translation
        assert service.seconds(asked, profile, others=9) == pytest.approx(begin + each * count)
    models = Request("GET", "/models", (), {}, b"")
    assert service.seconds(models, PROTOTYPE, others=0) == 0


@needs_apertium
def test_too_little_room_breaks_the_answer_off(service: OpenAIService) -> None:
    """An answer longer than allowed ends with the reason ``length``."""
    reply = service.answer(request(prompt("The house is very big."), max_completion_tokens=3))
    assert value(reply)["choices"][0]["finish_reason"] == "length"
    assert value(reply)["usage"]["completion_tokens"] == 3


@needs_apertium
def test_languages_with_regions_are_understood(service: OpenAIService) -> None:
    """The pair is read from the instructions, whatever brackets the names hold."""
    if "pt" not in service._apertium.pairs().get("en", ()):
        pytest.skip("apertium has no way from English to Portuguese")
    assert "casa" in text(service.answer(request(prompt("The house is big.", to="pt-BR"))))["1"]


@needs_apertium
def test_it_may_be_wordy_and_reword_nothing() -> None:
    """Its manner is a setting: the same question then has other answers."""
    service = OpenAIService()
    line = Line("1", Span(0, 1), "The house is big.", "A")
    asked = request(prompt(line.text))
    draft = Draft("1", "La casa es muy grande.", (6,))
    again = request(translating(Translate((line,), "en", "es", drafts=(draft,))))
    assert text(service.answer(asked))["1"] == "La casa es grande."
    assert len(text(service.answer(again))["1"]) == 1
    service.wordiness, service.rewords = 1.6, False
    assert text(service.answer(asked))["1"] == "La casa es grande realmente."
    assert text(service.answer(again))["1"] == []


def test_a_summary_is_the_beginning(service: OpenAIService) -> None:
    """A summary needs no translator."""
    asked = summarizing(Summarize(("Anna meets Bob.", "They talk!", "Long."), "en"))
    assert text(service.answer(request(asked))) == {"summary": "Anna meets Bob. They talk! Long."}


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        ({"model": "gpt-4"}, 404, "gpt-4"),
        ({"messages": []}, 400, "Invalid body"),
        ({"messages": "x"}, 400, "Invalid body"),
        ({"temperature": 0.3, "reasoning_effort": "low"}, 400, "temperature"),
        ({"response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "strict": True, "schema": {"properties": {"a": {}}}}}}, 400, "schema"),
    ],
)  # fmt: skip
def test_bad_questions_are_refused(
    service: OpenAIService, more: dict[str, object], status: int, told: str
) -> None:
    """A model that is gone, a body that is none, a loose schema: OpenAI's own kind of refusal, unpaid."""
    reply = service.answer(request(prompt("Good morning."), **more))
    assert reply.status == status
    assert told in value(reply)["error"]["message"]
    assert not reply.charges


@pytest.mark.parametrize("fault", REFUSALS)
def test_every_fault_has_a_body(service: OpenAIService, fault: str) -> None:
    """Each refusal is an error in OpenAI's form."""
    reply = service.refusal(fault)
    assert reply.status >= 400
    assert set(value(reply)["error"]) == {"message", "type", "param", "code"}
    assert not fault[:3].isdigit() or reply.status == int(fault[:3])


def test_unknown_oddities_and_paths_are_refused(service: OpenAIService) -> None:
    """A misspelt oddity is a mistake of the test; an unknown path is a 404."""
    with pytest.raises(ValueError, match="no such oddity"):
        service.misbehave("refuse")
    assert service.answer(Request("GET", "/v1/engines", (), {}, b"")).status == 404


@pytest.mark.parametrize(
    ("natural", "share", "to", "expected"),
    [
        ("La casa vieja es muy grande.", 0.8, "es", "La casa es muy grande."),
        ("Por supuesto, ahora mismo lo hago.", 0.9, "es", None),
        ("¿Quieres otra taza pequeña de café?", 0.8, "es", "¿Quieres otra taza de café?"),
        ("C'est vraiment une très belle maison.", 0.8, "fr", None),
        ("Lo haré hoy, después de la reunión en Berlín.", 0.9, "es", None),
    ],
)
def test_shorter_wordings_keep_what_matters(
    natural: str, share: float, to: str, expected: str | None
) -> None:
    """Little words go first; the wording comes near what is asked and loses no fact."""
    whole = syllables(natural, to)
    wanted = round(share * whole)
    shorter = shortened(natural, wanted=wanted, source="", language=to)
    assert shorter is not None
    assert expected is None or shorter == expected
    assert abs(syllables(shorter, to) - wanted) <= 2
    assert lost(natural, shorter, source="", language=to) == ""
    assert shortened(natural, wanted=wanted, source="", language=to) == shorter


@pytest.mark.parametrize("natural", ["Sí.", "No sé.", "¿Ana?", "20 y 30.", "Vio a Ana en Roma."])
def test_what_cannot_be_shortened_is_not(natural: str) -> None:
    """Names, numbers, negations and questions alone leave nothing to take away."""
    assert shortened(natural, wanted=1, source=natural, language="es") is None


@settings(deadline=None, max_examples=80)
@given(st.text(alphabet="abcñé ,.¿?no20AB", max_size=50), st.integers(1, 20))
def test_any_text_is_shortened_or_left(natural: str, wanted: int) -> None:
    """Whatever comes back is shorter and keeps numbers, names, negations and questions."""
    shorter = shortened(natural, wanted=wanted, source="", language="es")
    if shorter is not None:
        assert syllables(shorter, "es") < syllables(natural, "es")
        assert lost(natural, shorter, source="", language="es") == ""


@settings(deadline=None, max_examples=50)
@given(
    st.text(alphabet="abcñé ,no20AB", max_size=40).map(lambda text: f"Casa {text}".strip() + "."),
    st.floats(1.1, 2.0),
    st.sampled_from(["es", "fr", "xx"]),
)
def test_padding_only_adds(natural: str, share: float, to: str) -> None:
    """A wordier text begins and ends as it did, is about as long as asked at most, and loses nothing."""
    longer = lengthened(natural, share=share, language=to)
    assert longer.startswith(natural[:-1])
    assert longer.endswith(".")
    assert syllables(longer, to) <= share * syllables(natural, to) + 1 or longer == natural
    assert to != "xx" or longer == natural
