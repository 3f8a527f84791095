"""What an ElevenLabs account and plan still allow; a narrow key may not read it, which is no failure."""

from __future__ import annotations

from typing import Any

from autodub.engines.elevenlabs_client import NAME, Client
from autodub.engines.roles import Work
from autodub.model.errors import Full, Gone, NoCredit, Refused


def subscription(client: Client, work: Work | None = None) -> Any:
    """The account's subscription; None where the key may not read it."""
    try:
        return client.ask(
            lambda sdk: sdk.user.subscription.get(request_options=client.options()),
            what="the subscription",
            work=work,
        )
    except Refused as error:
        if error.whole_account:
            raise
        return None


def tier(client: Client, work: Work) -> str:
    """Name of the plan in lower case, such as ``free``; empty where nobody says."""
    tier = getattr(subscription(client, work), "tier", "")
    return tier.lower() if isinstance(tier, str) else ""


def credit(client: Client) -> str:
    """How much credit is left, for people. Raises NoCredit where there is none."""
    found = subscription(client)
    used, limit = getattr(found, "character_count", None), getattr(found, "character_limit", None)
    if not isinstance(used, int) or not isinstance(limit, int):
        return ""
    if used >= limit and not getattr(found, "can_extend_character_limit", False):
        raise NoCredit(
            f"The ElevenLabs account has used all its {limit} credits.",
            hint="Top it up, or wait for its renewal.",
            engine=NAME,
        )
    return f"{max(0, limit - used)} of {limit} credits left"


def slots(client: Client) -> str:
    """How many voices may still be cloned, for people. Raises Refused or Full where none may."""
    found = subscription(client)
    if getattr(found, "can_use_instant_voice_cloning", None) is False:
        raise Refused(
            "The plan of the ElevenLabs account does not clone voices.",
            hint="Choose a larger plan, or dub without --clone.",
            engine=NAME,
            whole_account=False,
        )
    used, limit = getattr(found, "voice_slots_used", None), getattr(found, "voice_limit", None)
    if not isinstance(used, int) or not isinstance(limit, int):
        return ""
    if used >= limit:
        raise Full(
            f"All {limit} voice slots of the ElevenLabs account are taken.",
            hint="Delete voices there that nobody needs.",
            engine=NAME,
        )
    edits, most = getattr(found, "voice_add_edit_counter", None), getattr(found, "max_voice_add_edits", None)
    changes = f", {most - edits} changes left" if isinstance(edits, int) and isinstance(most, int) else ""
    return f"{limit - used} of {limit} voice slots free{changes}"


def model(client: Client, name: str) -> str:
    """What the provider's own list says of a model; empty where the key may not read it."""
    try:
        found = client.ask(
            lambda sdk: sdk.models.list(request_options=client.options()), what="the list of models"
        )
    except Refused as error:
        if error.whole_account:
            raise
        return ""
    speaking = {m.model_id: m for m in found if getattr(m, "can_do_text_to_speech", False)} if found else {}
    if speaking and name not in speaking:
        raise Gone(
            f"ElevenLabs has no model {name} that speaks.",
            hint=f"Set synthesizer.model_id to one of {', '.join(sorted(map(str, speaking))[:8])}.",
            engine=NAME,
        )
    longest = getattr(speaking.get(name), "maximum_text_length_per_request", None)
    return f"{name} speaks up to {longest} characters at once" if isinstance(longest, int) else name
