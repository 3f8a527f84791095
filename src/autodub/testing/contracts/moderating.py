"""Contract of the role that looks at texts before they are dubbed."""

from __future__ import annotations

from typing import ClassVar

from autodub.engines import roles
from autodub.infra import codec
from autodub.model.calls import Moderate
from autodub.testing.contracts.engine import EngineContract
from autodub.testing.studio import Studio


class ModeratorContract(EngineContract):
    """Says which texts are against a policy, one verdict per text."""

    role = "moderator"
    protocol = roles.Moderator
    verb = "moderate"
    harmless: ClassVar[tuple[str, ...]] = ("The house is big.", "I have two cats, and you?", "Good morning.")

    def request(self, studio: Studio) -> Moderate:  # noqa: ARG002
        return Moderate(self.harmless)

    def small(self, studio: Studio) -> Moderate:  # noqa: ARG002
        return Moderate(("House.",))

    def test_harmless_texts_pass(self) -> None:
        """Ordinary sentences are against nothing, and each has its own verdict."""
        with self.ready() as (studio, engine):
            answer = studio.call(engine, "moderate", self.request(studio))
            assert answer.found == ((),) * len(self.harmless)

    def test_its_answer_holds_no_word_of_a_text(self) -> None:
        """What is kept of an answer names findings, never what was said."""
        with self.ready() as (studio, engine):
            answer = codec.dump(studio.call(engine, "moderate", self.request(studio)))
            assert not any(word in answer for text in self.harmless for word in text.rstrip(".").split())
