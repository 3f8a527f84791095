"""An engine of a made-up provider: an account, a key, prices, rented voices, scripted failures."""

import threading
from dataclasses import replace

from rental_account import Account

from autodub.engines.roles import Readiness
from autodub.model.errors import Gone, Refused
from autodub.testing.fakes import FakeSynthesizer


class CloudSynthesizer(FakeSynthesizer):
    """The fake as a cloud engine; it rents a voice where the request's voice has a reference."""

    def __init__(self, *, key="good", account=None, lanes=4, examination=None, **more):
        super().__init__(**more)
        self.key = key
        self.lanes = lanes
        self.voices = account
        self.examination = examination
        self.requests = 0
        self.examined = 0
        self.reply = lambda work: None
        self._counting = threading.Lock()

    def describe(self):
        return replace(FakeSynthesizer.describe(), resource="net", paid=True, lanes=self.lanes)

    @property
    def account(self):
        return f"cloud:{self.key}"

    def pool(self, verb):
        return "speech" if verb == "synthesize" else "voices"

    @property
    def model(self):
        return "fake-1"

    def quote(self, verb, request):
        return {"characters": float(len(request.text))} if verb == "synthesize" else {}

    def examine(self):
        self._send()
        self.examined += 1
        if self.examination is not None:
            raise self.examination
        return Readiness("ready", "the key works")

    def synthesize(self, request, work):
        self._send()
        work.reference(f"req-{self.requests}")
        self.reply(work)
        if request.voice.reference is not None:
            handle = work.rent(request.voice.id, self.voices.make)
            if handle not in self.voices.voices().values():
                work.lost(request.voice.id, handle)
                raise Gone("That voice is not here.")
        return super().synthesize(request, work)

    def forget(self, request, work):
        self._send()
        self.voices.forget(request.handle)

    def rented(self, prefix, work):
        return self.voices.rented(prefix)

    def _send(self):
        with self._counting:
            self.requests += 1
        if self.key == "bad":
            raise Refused("The key was refused.", hint="Set CLOUD_KEY.")


__all__ = ["Account", "CloudSynthesizer"]
