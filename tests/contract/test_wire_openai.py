"""The OpenAI engine against a provider and a wire that misbehave."""

from dataclasses import replace

from wire_specs import SPECS

from autodub.model.speech import Term
from autodub.testing.contracts import TranslatorContract
from autodub.testing.contracts.wire import WireContract
from autodub.testing.loopback.openai import OpenAIService


class TestOpenAI(WireContract, TranslatorContract):
    """The translator, through a server that speaks OpenAI's protocol."""

    name, provider, kind = "openai", "openai", "translation"
    key, endpoint = "OPENAI_API_KEY", "OPENAI_BASE_URL"
    below = "/v1"
    specs = SPECS

    def service(self):
        return OpenAIService()

    def test_every_line_is_answered_in_order(self):
        """As many lines come back as went, each under its own id, none empty."""
        with self.ready() as (studio, engine):
            lines = self.lines(tuple(f"The house number {n} is big." for n in range(1, 24)))
            asked = replace(self.request(studio), lines=lines, glossary=(Term("house", "casa"),))
            answer = studio.call(engine, "translate", asked)
            assert [line.line for line in answer.lines] == [line.id for line in lines]
            assert all(line.wordings[0].text.strip() for line in answer.lines)
