"""The Deepgram engine against a provider and a wire that misbehave."""

from typing import ClassVar

from wire_specs import SPECS

from autodub.model.errors import TooLong, Unreachable
from autodub.model.speech import Word
from autodub.model.time import Span
from autodub.testing.contracts import TranscriberContract
from autodub.testing.contracts.wire import WireContract
from autodub.testing.loopback.deepgram import DeepgramService, Truth

_SAID = ("Good", "morning.", "I", "am", "here.", "Where", "are", "you", "now?")


class TestDeepgram(WireContract, TranscriberContract):
    """The transcriber."""

    name, provider, kind = "deepgram", "deepgram", "transcription"
    key, endpoint = "DEEPGRAM_API_KEY", "DEEPGRAM_BASE_URL"
    specs = SPECS
    errors: ClassVar = {"408": (Unreachable,), "504": (TooLong,)}  # 408: the upload was too slow

    def service(self):
        said = zip(_SAID, _cuts(self.spans), strict=False)
        words = tuple(Word(text, span, 0.9, "S1") for text, span in said)
        return DeepgramService([Truth(words, self.length)])

    def test_what_is_heard_is_what_was_said(self):
        """Words arrive with their times and the speaker."""
        with self.ready() as (studio, engine):
            heard = studio.call(engine, "transcribe", self.request(studio))
            words = [word for segment in heard.segments for word in segment.words]
            assert tuple(word.text for word in words) == _SAID
            assert len({word.speaker for word in words}) == 1
            assert abs(words[0].span.start - self.spans[0].start) <= 20


def _cuts(spans):
    """Three words' time in each span."""
    for span in spans:
        third = span.duration // 3
        for number in range(3):
            yield Span(span.start + number * third, span.start + (number + 1) * third - 20)
