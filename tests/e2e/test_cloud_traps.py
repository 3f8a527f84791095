"""What dubbing programs get wrong with clouds: refusals that are spoken, keys that are shown, lost voices."""

import contextlib
import json
import threading
import traceback
from dataclasses import replace
from hashlib import sha256

import pytest
from cloud_desk import KEYS, cloud

from autodub.dubbing.text import looks_like_error
from autodub.model.errors import AutodubError
from autodub.testing import dialogue
from autodub.testing.loopback import Faults
from autodub.testing.loopback.deepgram import DeepgramService, Truth
from autodub.testing.loopback.elevenlabs import ElevenLabsService
from autodub.testing.loopback.openai import OpenAIService

WRONG = {name: key.replace("e2e", "bad") for name, key in KEYS.items()}


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Four lines by two speakers."""
    return dialogue.build(tmp_path_factory.mktemp("talk"), lines=4, size=(160, 90))


def spoken(place):
    """Texts that were sent to be spoken."""
    asked = place.server.asked("elevenlabs", "speech")
    return [json.loads(request.body)["text"] for request in asked if request.body]


@pytest.fixture(scope="module")
def usual(tmp_path_factory, talk):
    """Texts that are spoken when nothing goes wrong."""
    with cloud(tmp_path_factory.mktemp("usual"), talk) as place:
        place.server.bodies = True
        place.dub()
        return set(spoken(place))


@pytest.mark.parametrize(
    "oddities",
    [
        ("refusal", "filtered"), ("error_text", "length"), ("copy", "blank"), ("missing", "unknown_id"),
        ("fenced", "refusal", "error_text", "copy", "blank"),
    ],
)  # fmt: skip
def test_what_a_model_says_instead_of_a_translation_is_never_spoken(tmp_path, talk, usual, oddities):
    """Refusals, errors, blanks and English come back from the model; only translations reach the voice."""
    with cloud(tmp_path, talk) as place:
        place.server.bodies = True
        place.server.services["openai"].misbehave(*oddities)
        result = place.dub()
        said = spoken(place)
        assert said
        assert set(said) <= usual
        assert not any(looks_like_error(text) for text in said)
        count = result.receipt.line_count
        assert count.left_out == 0
        assert count.spoken + count.kept_original == count.total


class _Stubborn(OpenAIService):
    """Refuses every question that has one of the lines in it."""

    def __init__(self, phrase):
        super().__init__()
        self._phrase = phrase

    def answer(self, request):
        if request.method == "POST" and any(
            self._phrase in line["text"]
            for line in json.loads(request.json()["messages"][1]["content"])["lines"]
        ):
            self.misbehave("refusal")
        return super().answer(request)


def test_a_line_the_model_will_not_translate_stays_and_is_listed(tmp_path, talk, usual):
    """A line that is always refused keeps its original sound, with the reason; the others are dubbed."""
    with cloud(tmp_path, talk) as place:
        place.server.bodies = True
        place.server.services["openai"] = _Stubborn("How are you")
        result = place.dub()
        assert set(spoken(place)) < usual
        assert not any("how are you" in text.lower() or looks_like_error(text) for text in spoken(place))
        assert result.receipt.line_count.kept_original >= 1
        assert [note for note in result.receipt.degradations if note.what == "line" and note.reason]


def _echoing(kind, *arguments):
    """A provider that repeats the key of a request in its refusal."""

    class Echoing(kind):
        caller = threading.local()

        def key_of(self, request):
            self.caller.key = super().key_of(request)
            return self.caller.key

        def refusal(self, fault):
            reply = super().refusal(fault)
            said = f"{fault}: no for {self.caller.key}"
            body = {"detail": {"status": fault, "message": said}, "error": {"message": said}, "err_msg": said}
            return replace(reply, body=json.dumps(body).encode(), headers={**reply.headers, "x-said": said})

    return Echoing(*arguments)


@contextlib.contextmanager
def talkative(folder, talk, **settings):
    """A cloud whose providers repeat keys."""
    with cloud(folder, talk, elevenlabs=_echoing(ElevenLabsService), **settings) as place:
        place.server.bodies = True
        truth = Truth(talk.words, talk.clip.duration)
        place.server.services["deepgram"] = _echoing(DeepgramService, [truth])
        place.server.services["openai"] = _echoing(OpenAIService)
        yield place


def _search(place, *texts):
    """Where a key is found: in texts, events, recordings, and every file beside the dub and its data."""
    secrets = [*KEYS.values(), *WRONG.values()]
    found = [text[:80] for text in texts for secret in secrets if secret in text]
    told = repr(place.events) + repr(place.server.requests)
    found += [secret for secret in secrets if secret in told]
    for path in place.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [f"{path.name}" for secret in secrets if secret.encode() in content]
    return found


def test_keys_are_nowhere_after_a_dub_with_faults(tmp_path, talk, caplog, capfd):
    """Providers that repeat the key while they fail: it is in no event, log, receipt, file or recording."""
    faults = Faults(rate=0.25, seed=5, kinds=("429", "500", "503"), after=0.1)
    with talkative(tmp_path, talk, faults=faults) as place:
        result = place.dub()
        assert place.failed() > 0
        retried = [event for event in place.events if event.kind == "call.retried"]
        assert retried
        output = capfd.readouterr()
        assert _search(place, result.receipt.to_json(), caplog.text, output.out, output.err) == []
        assert (tmp_path / "data" / "index.sqlite").is_file()


@pytest.mark.parametrize(("setting", "fault"), [(name, "401") for name in sorted(KEYS)] + [("", "402")])
def test_keys_are_nowhere_after_a_refusal(tmp_path, talk, caplog, capfd, setting, fault):
    """A key that is refused, or an empty account: the provider's error repeats keys, ours does not."""
    with talkative(tmp_path, talk) as place:
        if not setting:
            place.server.faults.fail_next("elevenlabs", "*", fault, times=99)
        environ = place.environ(**({setting: WRONG[setting]} if setting else {}))
        with pytest.raises(AutodubError) as caught:
            place.dub(environ=environ)
        problem = caught.value
        texts = [repr(problem), problem.hint, "".join(traceback.format_exception(problem))]
        output = capfd.readouterr()
        assert _search(place, *texts, caplog.text, output.out, output.err) == []


def test_a_line_spoken_again_keeps_its_clone(tmp_path, talk):
    """An edited line is spoken by its speaker's clone: the kept one, or one made of the same sample (R20)."""
    for keep in (True, False):
        folder = tmp_path / str(keep)
        folder.mkdir()
        with cloud(folder, talk) as place:
            place.server.bodies = True
            first = place.dub(keep_voices=keep)
            names = {}
            for request in place.server.asked("elevenlabs", "speech"):
                names.setdefault(json.loads(request.body)["text"], request.path.rsplit("/", 1)[1])
            samples = _samples(place)
            project = first.dubbed.project
            data = json.loads(project.read_text("utf-8"))
            before = data["lines"][0]["text"]
            data["lines"][0]["text"] = "Buenos días a todos."
            project.write_text(json.dumps(data), "utf-8")
            asked = len(place.server.asked("elevenlabs", "speech"))
            place.dub(keep_voices=keep)
            again = place.server.asked("elevenlabs", "speech")[asked:]
            assert {json.loads(request.body)["text"] for request in again} == {"Buenos días a todos."}
            voice = again[0].path.rsplit("/", 1)[1]
            anew = _samples(place)[len(samples) :]
            if keep:
                assert voice == names[before]
                assert anew == []
            else:
                assert len(anew) == 1
                assert anew[0] in samples
                assert place.voices.voices() == ()


def _samples(place):
    """Digests of the sound that voices were cloned from, in order."""
    found = []
    for request in place.server.asked("elevenlabs", "clone"):
        sound = request.body[request.body.index(b'name="files"') :]
        start = sound.index(b"\r\n\r\n")
        found.append(sha256(sound[start : sound.index(b"\r\n--", start)]).hexdigest())
    return found
