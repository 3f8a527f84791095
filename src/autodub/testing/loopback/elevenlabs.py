"""ElevenLabs, simulated: real speech, voices and slots per account, credit, refusals in its odd forms."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from autodub.testing.loopback.elevenlabs_refusals import REFUSALS, newer, older
from autodub.testing.loopback.forms import parts
from autodub.testing.loopback.messages import Reply, Request, reply_json
from autodub.testing.loopback.profile import Profile
from autodub.testing.loopback.speaking import Speaker, Timbre, heard, timbre

MODELS: Mapping[str, tuple[int, float]] = {
    "eleven_multilingual_v2": (10_000, 1.0),
    "eleven_flash_v2_5": (40_000, 0.5),
    "eleven_v3": (3_000, 1.0),
}
"""Model -> characters a request may have, credits a character costs."""
_STOCK = (
    ("Marta", "female", "es", "premade"), ("Diego", "male", "es", "premade"),
    ("Alice", "female", "en", "premade"), ("George", "male", "en", "premade"),
    ("Lucie", "female", "fr", "premade"), ("Hans", "male", "de", "premade"),
    ("Robin", "neutral", "en", "premade"), ("Pilar", "female", "es", "professional"),
)  # fmt: skip
_RATES = {8000, 16000, 22050, 24000, 32000, 44100, 48000}
_PREMIUM = {44100, 48000}
_LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "pl", "ro", "nl", "tr", "sv", "ru")


def voice_id(name: str) -> str:
    """An id as the provider makes them: twenty letters and digits."""
    return "Lb" + sha256(name.encode()).hexdigest()[:18]


@dataclass(slots=True)
class Owned:
    """A voice of an account."""

    id: str
    name: str
    category: str
    gender: str
    timbre: Timbre
    language: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    is_isolated: bool = False
    """The noise was to be taken out of its sample."""
    size: int = 0
    """Bytes of its sample."""


@dataclass(slots=True)
class Account:
    """What one key owns."""

    voices: dict[str, Owned]
    used: int = 0
    """Credits used."""
    edits: int = 0
    """Voices added in all."""


class ElevenLabsService:
    """The provider. Every attribute may be changed while it serves."""

    name = "elevenlabs"

    def __init__(
        self,
        *,
        language: str = "es",
        lanes: int = 5,
        slots: int = 10,
        limit: int = 1_000_000,
        tier: str = "creator",
    ) -> None:
        self.language = language
        """What is spoken where a request does not say: the model hears it from the text."""
        self.caps: Mapping[str, int] = {"speech": lanes}
        self.slots = slots
        self.limit = limit
        """Credits of the plan."""
        self.tier = tier
        self.clones = True
        """The plan clones voices."""
        self.verification = False
        """Cloned voices must be verified before they may speak."""
        self.permissions = frozenset(
            {"text_to_speech", "voices_read", "voices_write", "user_read", "models_read"}
        )
        """What the keys may do."""
        self.models = dict(MODELS)
        self._speaker = Speaker()
        self._lock = threading.Lock()
        self._accounts: dict[str, Account] = {}
        self._asked = 0

    def key_of(self, request: Request) -> str:
        return request.headers.get("xi-api-key", "")

    def kind(self, request: Request) -> str:
        if request.path.startswith("/v1/text-to-speech/"):
            return "speech"
        if request.path == "/v1/voices/add":
            return "clone"
        return "voices" if "/voices" in request.path else "account"

    def seconds(self, request: Request, profile: Profile, *, others: int) -> float:
        kind = self.kind(request)
        if kind == "clone":
            return profile.cloning
        if kind != "speech":
            return 0.0
        fixed, each = profile.synthesis
        return (fixed + each * len(str(_object(request).get("text", "")))) * (1 + profile.crowding * others)

    def answer(self, request: Request) -> Reply:
        spoken = re.fullmatch(r"/v1/text-to-speech/([^/]+)", request.path)
        one = re.fullmatch(r"/v1/voices/([^/]+)", request.path)
        asked = (request.method, request.path)
        if request.method == "POST" and spoken:
            return self._told(request, "text_to_speech") or self._speech(request, spoken[1])
        if asked == ("POST", "/v1/voices/add"):
            return self._told(request, "voices_write") or self._add(request)
        if request.method == "DELETE" and one:
            return self._told(request, "voices_write") or self._delete(request, one[1])
        if asked == ("GET", "/v2/voices"):
            return self._told(request, "voices_read") or self._list(request)
        if asked == ("GET", "/v1/user/subscription"):
            return self._told(request, "user_read") or reply_json(self._subscription(request))
        if asked == ("GET", "/v1/models"):
            return self._told(request, "models_read") or reply_json(
                [self._model(name) for name in self.models]
            )
        return reply_json({"detail": "Not Found"}, status=404)

    def refusal(self, fault: str) -> Reply:
        status, body = REFUSALS[fault]
        return reply_json(body, status=status, headers=self._headers())

    def voices(self, account: str | None = None) -> tuple[Owned, ...]:
        """Voices that were cloned and are still there, of one account or of all."""
        with self._lock:
            found = [a for name, a in self._accounts.items() if account in (None, name)]
            return tuple(v for a in found for v in a.voices.values() if v.category == "cloned")

    def lose(self, handle: str | None = None) -> int:
        """Delete a cloned voice (or all) behind everybody's back; how many were there."""
        with self._lock:
            lost = 0
            for account in self._accounts.values():
                for one in [v.id for v in account.voices.values() if v.category == "cloned"]:
                    if handle in (None, one):
                        del account.voices[one]
                        lost += 1
            return lost

    def _account(self, request: Request) -> Account:
        """The account of a request; made when it is first heard of. Called with the lock held."""
        if request.account not in self._accounts:
            stock = [
                Owned(voice_id(name), name, category, gender, timbre(name, gender=gender), language)
                for name, gender, language, category in _STOCK
            ]
            self._accounts[request.account] = Account({voice.id: voice for voice in stock})
        return self._accounts[request.account]

    def _headers(self) -> dict[str, str]:
        with self._lock:
            self._asked += 1
            return {"request-id": f"lb{self._asked:08d}"}

    def _told(self, _request: Request, permission: str) -> Reply | None:
        if permission in self.permissions:
            return None
        message = f"The API key you used is missing the permission {permission} to execute this operation."
        return reply_json(older("missing_permissions", message), status=401)

    def _speech(self, request: Request, handle: str) -> Reply:
        body = _object(request)
        text, model = str(body.get("text", "")), str(body.get("model_id", "eleven_multilingual_v2"))
        wanted = dict(request.query).get("output_format", "mp3_44100_128")
        kind, _, number = wanted.partition("_")
        with self._lock:
            account = self._account(request)
            voice = account.voices.get(handle)
        if voice is None:
            return self.refusal("voice_gone")
        if model not in self.models:
            return self.refusal("model_gone")
        longest, each = self.models[model]
        problem = _problem(body, text=text, model=model, longest=longest)
        if problem is not None:
            return problem
        if kind != "pcm" or not number.isdigit() or int(number) not in _RATES:
            return _invalid(["query", "output_format"], "only pcm is spoken here")
        if int(number) in _PREMIUM and self.tier in {"free", "starter", "creator"}:
            return reply_json(
                {"detail": {"status": "output_format_not_allowed", "message": f"{wanted} needs Pro"}},
                status=403,
            )
        if self.tier == "free" and voice.category == "professional":
            message = "Free users cannot use library voices via the API. Please upgrade your subscription."
            return reply_json({"detail": {"code": "payment_required", "message": message}}, status=402)
        price = math.ceil(len(text) * each)
        with self._lock:
            if account.used + price > self.limit:
                empty = True
            else:
                account.used += price
                empty = False
        if empty:
            return self.refusal("quota")
        settings = body.get("voice_settings") or {}
        speed = float(settings.get("speed") or 1.0) if isinstance(settings, dict) else 1.0
        language = str(body.get("language_code") or self.language)
        content = self._speaker.pcm(text, voice.timbre, language=language, speed=speed, rate=int(number))
        headers = {
            "content-type": "audio/pcm",
            "character-cost": str(price),
            "current-concurrent-requests": str(request.in_flight),
            **self._headers(),
        }
        if request.cap is not None:
            headers["maximum-concurrent-requests"] = str(request.cap)
        return Reply(200, headers, content, {"characters": float(len(text))})

    def _add(self, request: Request) -> Reply:
        fields = parts(request)
        plain = {part.name: part.content.decode("utf-8", "replace") for part in fields if not part.filename}
        files = [part.content for part in fields if part.name == "files"]
        if not plain.get("name") or not files:
            return _invalid(["body", "files" if plain.get("name") else "name"], "Field required")
        if not self.clones:
            return self.refusal("no_cloning")
        try:
            gender = heard(files[0])
            labels = json.loads(plain.get("labels") or "{}")
        except ValueError as error:
            return reply_json(older("invalid_sample", str(error)), status=400)
        with self._lock:
            account = self._account(request)
            if sum(v.category == "cloned" for v in account.voices.values()) >= self.slots:
                full = True
            else:
                full = False
                account.edits += 1
                made = voice_id(f"{request.account} {account.edits} {plain['name']}")
                digest = sha256(files[0]).hexdigest()
                isolated = plain.get("remove_background_noise") == "true"
                account.voices[made] = Owned(
                    made, plain["name"], "cloned", gender, timbre(digest, gender=gender),
                    labels=labels, is_isolated=isolated, size=len(files[0]),
                )  # fmt: skip
        if full:
            return self.refusal("voices_full")
        return reply_json(
            {"voice_id": made, "requires_verification": self.verification}, headers=self._headers()
        )

    def _delete(self, request: Request, handle: str) -> Reply:
        with self._lock:
            gone = self._account(request).voices.pop(handle, None) is None
        return self.refusal("voice_gone") if gone else reply_json({"status": "ok"}, headers=self._headers())

    def _list(self, request: Request) -> Reply:
        query = dict(request.query)
        size = int(query.get("page_size", 10))
        if not 1 <= size <= 100:
            return _invalid(["query", "page_size"], "Input should be less than or equal to 100")
        first = int(query.get("next_page_token") or 0)
        with self._lock:
            voices = list(self._account(request).voices.values())
        voices = [v for v in voices if query.get("category") in (None, v.category)]
        voices = [v for v in voices if query.get("search", "").lower() in v.name.lower()]
        more = first + size < len(voices)
        return reply_json(
            {
                "voices": [_described(voice) for voice in voices[first : first + size]],
                "has_more": more,
                "total_count": len(voices),
                "next_page_token": str(first + size) if more else None,
            },
            headers=self._headers(),
        )

    def _subscription(self, request: Request) -> dict[str, Any]:
        with self._lock:
            account = self._account(request)
            slots = sum(v.category == "cloned" for v in account.voices.values())
            return {
                "tier": self.tier, "character_count": account.used, "character_limit": self.limit,
                "can_extend_character_limit": False, "allowed_to_extend_character_limit": False,
                "voice_slots_used": slots, "voice_limit": self.slots, "voice_add_edit_counter": account.edits,
                "max_voice_add_edits": 100, "professional_voice_slots_used": 0,
                "professional_voice_slots_used_in_workspace": 0, "professional_voice_limit": 0,
                "can_extend_voice_limit": False, "can_use_instant_voice_cloning": self.clones,
                "can_use_professional_voice_cloning": False, "status": "active",
                "next_character_count_reset_unix": 1_798_761_600,
            }  # fmt: skip

    def _model(self, name: str) -> dict[str, Any]:
        longest, each = self.models[name]
        return {
            "model_id": name, "name": name, "can_do_text_to_speech": True, "can_do_voice_conversion": False,
            "can_use_style": name == "eleven_multilingual_v2", "maximum_text_length_per_request": longest,
            "can_use_speaker_boost": name == "eleven_multilingual_v2",
            "languages": [{"language_id": tag, "name": tag} for tag in _LANGUAGES],
            "model_rates": {"character_cost_multiplier": each}, "concurrency_group": "standard",
        }  # fmt: skip


def _object(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _described(voice: Owned) -> dict[str, Any]:
    labels = {"gender": voice.gender, "accent": "standard", **voice.labels}
    if voice.language:
        labels["language"] = voice.language
    verified = [
        {"language": voice.language, "model_id": model, "accent": "standard"}
        for model in ("eleven_multilingual_v2", "eleven_flash_v2_5")
        if voice.language
    ]
    return {
        "voice_id": voice.id, "name": voice.name, "category": voice.category, "labels": labels,
        "available_for_tiers": [], "high_quality_base_model_ids": [], "verified_languages": verified,
        "is_owner": voice.category == "cloned", "is_legacy": False, "is_mixed": False,
    }  # fmt: skip


def _problem(body: Mapping[str, Any], *, text: str, model: str, longest: int) -> Reply | None:
    """The refusal a line of speech deserves; None when it will do."""
    settings = body.get("voice_settings")
    stability = settings.get("stability", 0.5) if isinstance(settings, dict) else 0.5
    if not text.strip():
        return reply_json(older("input_text_empty", "Input text is empty."), status=400)
    if len(text) > longest:
        message = f"A maximum of {longest} characters per request is supported."
        return reply_json(older("max_character_limit_exceeded", message), status=400)
    if not isinstance(stability, (int, float)) or not 0 <= stability <= 1:
        return _invalid(["body", "voice_settings", "stability"], "Input should be between 0 and 1")
    if model == "eleven_v3" and any(body.get(name) for name in ("previous_text", "next_text")):
        told = "Providing previous_text or next_text is not yet supported with this model."
        body = newer("validation_error", "unsupported_model", "unsupported_model", told)
        return reply_json(body, status=400)
    return None


def _invalid(where: list[str], message: str) -> Reply:
    return reply_json({"detail": [{"loc": where, "msg": message, "type": "value_error"}]}, status=422)
