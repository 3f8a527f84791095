"""The OpenAI moderator against a provider and a wire that misbehave."""

from dataclasses import replace

from autodub.model.calls import Moderate
from autodub.testing.contracts import ModeratorContract
from autodub.testing.contracts.wire import WireContract
from autodub.testing.loopback.openai import OpenAIService


class TestOpenAIModerator(WireContract, ModeratorContract):
    """The moderator, through a server that speaks OpenAI's protocol."""

    name, provider, kind = "openai", "openai", "moderation"
    key, endpoint = "OPENAI_API_KEY", "OPENAI_BASE_URL"
    below = "/v1"

    def service(self):
        return OpenAIService()

    def another(self, studio, request, number):
        return replace(request, texts=(*request.texts, f"Number {number}."))

    def empty(self, studio):
        return (Moderate(()), Moderate(("", " ")))

    def long(self, studio):
        return Moderate(("It is a very old house. " * 420,))

    def test_what_it_finds_is_named(self):
        """Categories of the provider come back for the text they were found in, and for no other."""
        with self.ready() as (studio, engine):
            answer = studio.call(
                engine, "moderate", Moderate(("A house.", "", "The murder with dynamite.", "A cat."))
            )
            assert answer.found == ((), (), ("illicit/violent", "violence"), ())
