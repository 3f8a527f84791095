"""Options of the ElevenLabs engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from autodub.engines import elevenlabs_voices as account_voices
from autodub.engines.elevenlabs_models import DEFAULT
from autodub.engines.roles import EngineOptions


class ElevenLabsOptions(EngineOptions):
    """Options of the ElevenLabs synthesizer."""

    # A line is spoken in the voice that it names, whichever others may be cast.
    serving: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("voices", "clones", "own_prefix"), frozenset({"list_voices"})
    )
    # With these somebody could speak with voices that were cloned for others.
    reserved: ClassVar[frozenset[str]] = frozenset({"voices", "clones", "own_prefix"})

    model_id: str = Field(
        default=DEFAULT,
        pattern=r"^[A-Za-z0-9_.-]{1,80}$",
        description="Model that speaks; `autodub doctor` says when it is gone.",
    )
    voices: str = Field(
        default="",
        max_length=4000,
        description="Ids of the voices to cast, separated by commas, each with :female or :male where that "
        "is known; empty = those of the account.",
    )
    clones: bool = Field(
        default=False,
        description="Offer voices that were cloned in the account by hand for casting, too.",
    )
    own_prefix: str = Field(
        default="autodub",
        min_length=1,
        max_length=40,
        description="Names of voices cloned for a dub begin so; they are never offered as stock voices.",
    )
    stability: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Higher is steadier, lower is livelier."
    )
    similarity_boost: float = Field(
        default=0.75, ge=0.0, le=1.0, description="Nearness to the voice's samples."
    )
    style: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Exaggeration of the voice's style, where the model has it."
    )
    use_speaker_boost: bool = Field(
        default=True, description="More likeness to the speaker, where the model has it."
    )
    seed: int = Field(
        default=1, ge=0, le=4294967295, description="Equal seeds give equal speech, as far as the model can."
    )
    output_rate: Literal["16000", "22050", "24000", "32000", "44100", "48000"] = Field(
        default="24000", description="Samples per second; 44100 and above need a larger plan."
    )
    stitch: bool = Field(
        default=True,
        description="Tell the model what is said before and after a line, where it can use that.",
    )
    text_normalization: Literal["auto", "on", "off"] = Field(
        default="auto", description="Whether numbers and the like are written out before they are spoken."
    )
    timeout: float = Field(
        default=60.0,
        ge=5.0,
        le=600.0,
        exclude=True,
        description="Seconds without a byte after which a request has failed.",
    )
    lanes: int = Field(
        default=5,
        ge=1,
        le=64,
        exclude=True,
        description="Lines spoken at once; the account's own limit comes first.",
    )

    @field_validator("voices")
    @classmethod
    def _are_ids(cls, text: str) -> str:
        account_voices.named(text)
        return text


class ElevenLabsClonerOptions(EngineOptions):
    """Options of ElevenLabs' instant voice cloning."""

    least_seconds: float = Field(
        default=10.0, ge=1.0, le=120.0, description="Speech of a speaker that a clone needs, in seconds."
    )
    remove_background_noise: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Let the provider take noise out of the sample; auto = when the sample is not clean.",
    )
    timeout: float = Field(
        default=120.0,
        ge=5.0,
        le=600.0,
        exclude=True,
        description="Seconds without a byte after which a request has failed.",
    )
