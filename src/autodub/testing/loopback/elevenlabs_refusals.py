"""How ElevenLabs refuses: older and newer objects, lists, strings, and the pages of proxies."""

from __future__ import annotations

from collections.abc import Mapping


def older(status: str, message: str) -> dict[str, object]:
    """A refusal as it used to be written."""
    return {"detail": {"status": status, "message": message}}


def newer(kind: str, code: str, status: str, message: str) -> dict[str, object]:
    """A refusal as the documents have it now; the telling word may stand in either place."""
    told = {"type": kind, "code": code, "message": message, "status": status, "request_id": "lb-refused"}
    return {"detail": told}


REFUSALS: Mapping[str, tuple[int, object]] = {
    "400": (400, newer("validation_error", "bad_request", "invalid_uid", "An invalid ID was received.")),
    "401": (401, older("invalid_api_key", "Invalid API key")),
    "402": (402, newer("payment_required", "insufficient_credits", "", "Not enough credits.")),
    "403": (403, older("only_for_creator+", "This needs the Creator plan or above.")),
    "404": (404, older("voice_not_found", "A voice for the voice_id was not found.")),
    "408": (408, {"detail": "Request Timeout"}),
    "413": (413, {"detail": "Payload Too Large"}),
    "422": (422, {"detail": [{"loc": ["body", "text"], "msg": "Field required", "type": "missing"}]}),
    "429": (429, older("system_busy", "We are experiencing heavy traffic, please try again later.")),
    "429_after": (429, older("rate_limit_exceeded", "Slow down.")),
    "500": (500, newer("internal_error", "internal_error", "internal_error", "Something went wrong.")),
    "502": (502, "<html><head><title>502 Bad Gateway</title></head></html>"),
    "503": (503, older("service_unavailable", "The service is temporarily unavailable.")),
    "504": (504, {"detail": "Gateway Timeout"}),
    "invalid_key": (401, older("invalid_api_key", "Invalid API key")),
    "quota": (
        401,
        older("quota_exceeded", "This request exceeds your quota. You have 0 credits remaining."),
    ),
    "concurrency": (
        429,
        older("too_many_concurrent_requests", "Too many concurrent requests for your subscription."),
    ),
    "voice_gone": (
        400,
        newer("not_found", "bad_request", "voice_not_found", "A voice for the voice_id was not found."),
    ),
    "voices_full": (
        400,
        older("voice_limit_reached", "You have reached your maximum amount of custom voices (10 / 10)."),
    ),
    "no_cloning": (
        400,
        older("can_not_use_instant_voice_cloning", "Your plan has no access to instant voice cloning."),
    ),
    "missing_permission": (
        401,
        newer("authentication_error", "unauthorized", "missing_permissions",
               "The API key you used is missing the permission voices_read."),
    ),
    "model_gone": (400, older("model_not_found", "A model with this id does not exist.")),
}  # fmt: skip
"""Fault -> status and body."""
