"""Headers that requests may or must have beyond what their routes' models say: their views read them."""

from __future__ import annotations

from typing import Any


def _header(name: str, told: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    whole = {"type": "string"} | schema
    return {"name": name, "in": "header", "required": required, "description": told, "schema": whole}


_AGAIN = _header(
    "Idempotency-Key", "Any word of yours, such as a UUID: the same request with it is done once.",
    minLength=1, maxLength=200, pattern="^[A-Za-z0-9_.:-]+$",
)  # fmt: skip
_RANGE = _header(
    "Range", "Only these bytes of the file, such as `bytes=0-999`.", pattern="^bytes=[0-9]{1,9}-$"
)

HEADERS: dict[str, tuple[dict[str, Any], ...]] = {
    "jobs_submit": (_AGAIN,),
    "batches_submit": (_AGAIN,),
    "estimates_estimate": (_AGAIN,),
    "events_of_job": (
        _header(
            "Last-Event-ID", "Number of the last event you have seen: a stream goes on after it.",
            pattern="^[0-9]{1,9}$",
        ),
    ),
    "files_one": (_RANGE,),
    "simple_download": (_RANGE,),
    "tus_send": (
        _header("Tus-Resumable", "The version of the protocol.", required=True, const="1.0.0"),
        _header("Upload-Offset", "Bytes that have come so far.", required=True, type="integer", minimum=0),
        _header("Upload-Checksum", "Algorithm and value in base64 of what is sent, such as `sha256 ...`."),
    ),
}  # fmt: skip
"""Operation -> its headers."""
