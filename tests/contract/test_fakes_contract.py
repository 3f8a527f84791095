"""The fakes keep the contracts they help to test."""

from autodub.testing import contracts, fakes


class TestFakeDetector(contracts.DetectorContract):
    """The scripted detector."""

    def engine(self, options, context):
        return fakes.FakeDetector(fakes.FakeDetector.Options(**options), context)


class TestFakeTranscriber(contracts.TranscriberContract):
    """The scripted transcriber."""

    def engine(self, options, context):
        return fakes.FakeTranscriber(fakes.FakeTranscriber.Options(**options), context)


class TestFakeDiarizer(contracts.DiarizerContract):
    """The scripted diarizer."""

    def engine(self, options, context):
        return fakes.FakeDiarizer(fakes.FakeDiarizer.Options(**options), context)


class TestFakeTranslator(contracts.TranslatorContract):
    """The scripted translator."""

    def engine(self, options, context):
        return fakes.FakeTranslator(fakes.FakeTranslator.Options(**options), context)


class TestFakeSynthesizer(contracts.SynthesizerContract):
    """The scripted synthesizer."""

    def engine(self, options, context):
        return fakes.FakeSynthesizer(fakes.FakeSynthesizer.Options(**options), context)


class TestFakeSeparator(contracts.SeparatorContract):
    """The scripted separator."""

    def engine(self, options, context):
        return fakes.FakeSeparator(fakes.FakeSeparator.Options(**options), context)


class TestFakeCloner(contracts.ClonerContract):
    """The scripted cloner."""

    def engine(self, options, context):
        return fakes.FakeCloner(fakes.FakeCloner.Options(**options), context)


class TestFakeModerator(contracts.ModeratorContract):
    """The scripted moderator."""

    def engine(self, options, context):
        return fakes.FakeModerator(fakes.FakeModerator.Options(**options), context)
