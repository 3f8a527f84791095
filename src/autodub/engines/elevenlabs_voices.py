"""Voices of an ElevenLabs account: listing those that may be cast, cloning, deleting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from autodub.engines.elevenlabs_client import NAME, Client, heed
from autodub.engines.roles import Work
from autodub.media import sound
from autodub.model.errors import BadAnswer, EngineError, Gone, Refused, UnknownLanguage
from autodub.model.language import Language
from autodub.model.media import Audio
from autodub.model.speech import Voice

CLONE = "clone-"
"""How our own ids of cloned voices begin."""
ISOLATED = "-isolated"
"""How they end where the provider is to remove the noise from the sample."""
MADE_BY = "autodub"
"""Label of the voices that we cloned."""
_PAGES = 50
_PER_PAGE = 100
_MOST_SECONDS = 170
"""Of a sample: more than three minutes make a voice worse, says the provider."""
_MOST_BYTES = 10_000_000
"""Of a sample file."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_GENDERS = {"female": "female", "male": "male", "woman": "female", "man": "male"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What decides which of an account's voices are offered for casting."""

    language: Language
    model: str
    is_free: bool
    """The account has the free plan, which may not use library voices."""
    prefix: str
    """Names of voices that were cloned for a dub begin so."""
    has_clones: bool
    """Voices that somebody cloned are offered, too."""


def is_id(text: str) -> bool:
    """Whether a text can be an id of the provider's: it becomes part of an address."""
    return _ID.fullmatch(text) is not None


def listed(client: Client, work: Work | None, *, category: str | None = None) -> Iterator[Any]:
    """Every voice of the account, page by page. Raises Refused where the key may not read the list."""
    token: str | None = None
    for _ in range(_PAGES):
        if work is not None:
            work.check()
        asked = {"page_size": _PER_PAGE, "next_page_token": token, "category": category}
        page = client.ask(
            partial(_page, asked=asked, options=client.options()), what="the list of voices", work=work
        )
        voices = getattr(page, "voices", None)
        if not isinstance(voices, list):
            raise BadAnswer("ElevenLabs' list of voices cannot be read.", engine=NAME)
        yield from (voice for voice in voices if is_id(str(getattr(voice, "voice_id", ""))))
        following = getattr(page, "next_page_token", None)
        if not getattr(page, "has_more", False) or not following or following == token:
            return
        token = following


def _page(sdk: Any, *, asked: Mapping[str, object], options: Mapping[str, object]) -> Any:
    return sdk.voices.search(**asked, request_options=options)


def from_library(voice: Any) -> bool:
    """Whether a voice was added from the voice library."""
    return getattr(voice, "is_owner", None) is False and getattr(voice, "category", "") != "premade"


def offered(voices: Iterable[Any], offer: Offer) -> tuple[Voice, ...]:
    """Those that may be cast, those that are known to speak the language well first."""
    found = [voice for voice in voices if _may_speak(voice, offer)]
    ranked = sorted(enumerate(found), key=lambda pair: (_rank(pair[1], offer), pair[0]))
    unique = {voice.voice_id: voice for _, voice in ranked}
    return tuple(
        Voice(NAME, voice.voice_id, offer.language.tag, gender=_gender(voice)) for voice in unique.values()
    )


def named(text: str) -> tuple[tuple[str, str], ...]:
    """``id, id:female`` as (id, gender). Raises ValueError, saying what is wrong."""
    out: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        voice, _, gender = item.partition(":")
        if not is_id(voice.strip()):
            raise ValueError(f"{voice.strip()[:40]!r} is no id of a voice")
        if gender.strip() not in {"", "female", "male"}:
            raise ValueError(f"a voice is female or male, not {gender.strip()[:20]!r}")
        out[voice.strip()] = gender.strip() or "unknown"
    return tuple(out.items())


def clone_id(sample: Audio, *, isolated: bool) -> str:
    """Our own id of the voice that is cloned from a sample: says how, so that it can be made again."""
    from hashlib import sha256

    digest = sha256(f"{NAME} instant {sample.blob.digest} {isolated}".encode()).hexdigest()
    return f"{CLONE}{digest[:16]}{ISOLATED if isolated else ''}"


def add(client: Client, name: str, voice: Voice, work: Work) -> str:
    """Clone the voice of ``voice.reference`` under this name and return the provider's id.

    A voice that must be verified first cannot be used: it is deleted again, and Refused is raised.
    """
    assert voice.reference is not None
    content = compressed(work.path(voice.reference.blob))
    work.check()
    labels = {"made_by": MADE_BY} | ({"gender": voice.gender} if voice.gender in {"female", "male"} else {})

    def create(sdk: Any) -> Any:
        return sdk.voices.ivc.with_raw_response.create(
            name=name,
            files=[("sample.flac", content, "audio/flac")],
            remove_background_noise=voice.id.endswith(ISOLATED),
            description="Made by Autodub for a dub.",
            labels=labels,
            request_options=client.options(),
        )

    reply = client.ask(create, what="cloning a voice", work=work)
    heed(reply.headers, work)
    handle = getattr(reply.data, "voice_id", None)
    if not isinstance(handle, str) or not is_id(handle):
        raise BadAnswer("ElevenLabs says it cloned a voice, but not which.", engine=NAME)
    match = getattr(reply.data, "library_voice_match", None)
    if getattr(reply.data, "requires_verification", False) or match:
        why = "it is like a protected voice of the library" if match else "the speaker has to verify it first"
        delete(client, handle, work)
        raise Refused(
            f"ElevenLabs cloned the voice, but it cannot be used: {why}.",
            hint="This speaker gets a stock voice.",
            engine=NAME,
            whole_account=False,
        )
    return handle


def delete(client: Client, handle: str, work: Work) -> None:
    """Delete a voice; one that is gone already is no error."""
    if not is_id(handle):
        raise Gone("That is no id of an ElevenLabs voice.", engine=NAME)
    try:
        client.ask(
            lambda sdk: sdk.voices.delete(handle, request_options=client.options()),
            what="deleting a voice",
            work=work,
        )
    except Gone:
        return


def cloned(client: Client, prefix: str, work: Work) -> Mapping[str, str]:
    """Ids by name of the account's cloned voices whose name begins so."""
    voices = listed(client, work, category="cloned")
    return {
        name: voice.voice_id
        for voice in voices
        if (name := getattr(voice, "name", None) or "").startswith(prefix)
    }


def compressed(path: Path) -> bytes:
    """A mono sample as FLAC, at most 170 s and 10 MB: half the bytes of PCM, and nothing is lost."""
    import soundfile

    with sound.Reader(path) as reader:
        rate = reader.rate
        samples = reader.read(0, _MOST_SECONDS * rate)
    for target in (rate, 24_000):
        mono = sound.resample(samples.mean(axis=1), rate, target) if target < rate else samples.mean(axis=1)
        file = BytesIO()
        soundfile.write(file, mono, min(target, rate), format="FLAC", subtype="PCM_16")
        if file.tell() <= _MOST_BYTES:
            break
    return file.getvalue()


def listing_refused(error: EngineError) -> Refused:
    """What to do where a key may not read the list of voices."""
    return Refused(
        f"The ElevenLabs key may not list the account's voices ({error.message.rstrip('.')}).",
        hint="Give the key the permission “voices read”, or name voices yourself: "
        "--set synthesizer.voices=ID,ID (with :female or :male after an id, if you like).",
        engine=NAME,
        whole_account=False,
    )


def _may_speak(voice: Any, offer: Offer) -> bool:
    labels = _labels(voice)
    name = getattr(voice, "name", None) or ""
    category = getattr(voice, "category", None)
    if labels.get("made_by") == MADE_BY or (category == "cloned" and name.startswith(offer.prefix)):
        return False
    if category == "cloned" and not offer.has_clones:
        return False
    if offer.is_free and from_library(voice):
        return False
    if getattr(voice, "safety_control", None) in {"BAN", "ENTERPRISE_BAN"}:
        return False
    verification = getattr(voice, "voice_verification", None)
    if getattr(verification, "requires_verification", False) and not getattr(
        verification, "is_verified", True
    ):
        return False
    states = getattr(getattr(voice, "fine_tuning", None), "state", None)
    tuned = states.get(offer.model) if isinstance(states, dict) and category == "professional" else None
    return tuned in {None, "fine_tuned"}


def _rank(voice: Any, offer: Offer) -> tuple[int, int]:
    """Smaller = cast rather: verified for language and model, for the language, labelled with it, others."""
    verified = getattr(voice, "verified_languages", None) or []
    known = [v for v in verified if _same(getattr(v, "language", None), offer.language)]
    locales = {str(getattr(v, "locale", "") or "").lower() for v in known}
    elsewhere = 0 if offer.language.region is None or offer.language.tag.lower() in locales else 1
    if any(getattr(v, "model_id", "") == offer.model for v in known):
        return 0, elsewhere
    if known:
        return 1, elsewhere
    return (2 if _same(_labels(voice).get("language"), offer.language) else 3), 0


def _same(spoken: object, language: Language) -> bool:
    if not isinstance(spoken, str):
        return False
    try:
        return Language.parse(spoken.replace("_", "-")).primary == language.primary
    except UnknownLanguage:  # labels are whatever somebody typed
        return False


def _labels(voice: Any) -> dict[str, str]:
    found = getattr(voice, "labels", None)
    return found if isinstance(found, dict) else {}


def _gender(voice: Any) -> str:
    return _GENDERS.get(str(_labels(voice).get("gender", "")).strip().lower(), "unknown")
