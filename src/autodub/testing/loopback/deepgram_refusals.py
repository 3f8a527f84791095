"""How Deepgram says no: three shapes of bodies."""

from __future__ import annotations

from autodub.testing.loopback.messages import Reply, reply_json

_ID = "00000000-0000-4000-8000-00000000d690"

REFUSALS: dict[str, tuple[int, str, str]] = {
    "400": (400, "Bad Request", "Bad Request: failed to process audio: corrupt or unsupported data"),
    "401": (401, "INVALID_AUTH", "Invalid credentials."),
    "402": (402, "ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request."),
    "403": (403, "INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."),
    "413": (413, "PAYLOAD_TOO_LARGE", "The file is larger than 2 GB."),
    "429": (429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
    "missing_permission": (
        401,
        "INSUFFICIENT_PERMISSIONS",
        "Your key lacks the permission for this operation.",
    ),
}
"""Fault -> status, word and sentence of the usual shape."""
_NEWER = {
    "404": (404, "NOT_FOUND", "There is no such endpoint."),
    "422": (422, "UNPROCESSABLE_CONTENT", "The request cannot be processed."),
    "408": (408, "SLOW_UPLOAD", "The request timed out while its body was being sent."),
    "500": (500, "INTERNAL_SERVER_ERROR", "An internal error occurred."),
    "model_gone": (400, "INVALID_QUERY_PARAMETER", "No such model/language/tier combination found."),
}
"""The same in the newer shape."""
_PLAIN = {"502": (502, "Bad Gateway"), "503": (503, "Service Unavailable"), "504": (504, "Gateway Timeout")}
_SAME = {
    "429_after": "429", "concurrency": "429", "invalid_key": "401", "quota": "402", "no_cloning": "403",
    "voice_gone": "404", "voices_full": "400",
}  # fmt: skip


def refusal(fault: str, sentence: str = "") -> Reply:
    """The answer for a fault; ``sentence`` in place of the usual one."""
    fault = _SAME.get(fault, fault)
    if fault in _PLAIN:
        status, text = _PLAIN[fault]
        return Reply(status, {"content-type": "text/plain"}, (sentence or text).encode())
    if fault in _NEWER:
        status, category, message = _NEWER[fault]
        told = {"category": category, "message": sentence or message, "details": "See the documentation."}
        return reply_json(told | {"request_id": _ID}, status=status)
    status, code, message = REFUSALS.get(fault, REFUSALS["400"])
    return reply_json({"err_code": code, "err_msg": sentence or message, "request_id": _ID}, status=status)
