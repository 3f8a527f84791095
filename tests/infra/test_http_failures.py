"""Refusals and broken connections of the three providers, read into the error tree."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.engines.deepgram_wire import DEEPGRAM
from autodub.engines.elevenlabs_client import PROVIDER as ELEVENLABS
from autodub.engines.openai_wire import PROVIDER as OPENAI
from autodub.infra.http import Kind, Provider, account, failure, unreachable
from autodub.model.errors import (
    BadAnswer,
    Busy,
    EngineError,
    Full,
    Gone,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
    Unreachable,
)

KEY = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"


def deepgram(code, message="It did not work."):
    """The older shape of its bodies."""
    return {"err_code": code, "err_msg": message, "request_id": "9e2c"}


def deepgram_newer(category, message="It did not work."):
    """The newer shape of its bodies."""
    return {"category": category, "message": message, "details": "More.", "request_id": "9e2c"}


def openai(code, kind="invalid_request_error", message="It did not work."):
    """Its one shape."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def older(status, message="It did not work."):
    """ElevenLabs' older object."""
    return {"detail": {"status": status, "message": message}}


def newer(code, status=None, message="It did not work."):
    """ElevenLabs' newer object, in which the telling word stands now here, now there."""
    return {"detail": {"type": "x", "code": code, "status": status, "message": message, "request_id": "q"}}


DOCUMENTED = [
    (
        DEEPGRAM,
        400,
        deepgram("Bad Request", "failed to process audio: corrupt or unsupported data"),
        Rejected,
    ),
    (DEEPGRAM, 400, deepgram_newer("INVALID_QUERY_PARAMETER"), Rejected),
    (DEEPGRAM, 401, deepgram("INVALID_AUTH", "Invalid credentials."), Refused),
    (DEEPGRAM, 401, deepgram_newer("INVALID_AUTH"), Refused),
    (DEEPGRAM, 401, "Invalid credentials", Refused),
    (DEEPGRAM, 402, deepgram("ASR_PAYMENT_REQUIRED"), NoCredit),
    (DEEPGRAM, 400, deepgram_newer("ASR_PAYMENT_REQUIRED"), NoCredit),
    (DEEPGRAM, 413, "too large", TooLong),
    (DEEPGRAM, 429, deepgram("TOO_MANY_REQUESTS"), Busy),
    (DEEPGRAM, 500, deepgram_newer("INTERNAL_SERVER_ERROR"), Unreachable),
    (DEEPGRAM, 503, "Service Unavailable", Unreachable),
    (DEEPGRAM, 504, "Gateway Timeout", TooLong),
    (DEEPGRAM, 504, b"", TooLong),
    (OPENAI, 401, openai("invalid_api_key"), Refused),
    (OPENAI, 404, openai("model_not_found"), Gone),
    (OPENAI, 429, openai("rate_limit_exceeded", "tokens"), Busy),
    (OPENAI, 429, openai("insufficient_quota", "insufficient_quota"), NoCredit),
    (OPENAI, 429, openai(None, "insufficient_quota"), NoCredit),
    (OPENAI, 400, openai("context_length_exceeded"), TooLong),
    (OPENAI, 400, openai("unsupported_value"), Rejected),
    (OPENAI, 400, openai("unsupported_parameter"), Rejected),
    (OPENAI, 500, openai(None, "server_error"), Unreachable),
    (ELEVENLABS, 401, older("invalid_api_key"), Refused),
    (ELEVENLABS, 401, older("quota_exceeded"), NoCredit),
    (ELEVENLABS, 400, newer("quota_exceeded"), NoCredit),
    (ELEVENLABS, 401, older("detected_unusual_activity"), Refused),
    (ELEVENLABS, 402, newer("insufficient_credits"), NoCredit),
    (ELEVENLABS, 402, newer("payment_required"), NoCredit),
    (ELEVENLABS, 402, newer("paid_plan_required"), Refused),
    (ELEVENLABS, 402, newer("payment_required", None, "Free users cannot use library voices."), Refused),
    (ELEVENLABS, 400, older("can_not_use_instant_voice_cloning"), Refused),
    (ELEVENLABS, 403, older("only_for_creator+"), Refused),
    (ELEVENLABS, 404, older("voice_not_found"), Gone),
    (ELEVENLABS, 400, older("voice_not_found"), Gone),
    (ELEVENLABS, 400, older("voice_does_not_exist"), Gone),
    (ELEVENLABS, 400, older("voice_limit_reached", "10 / 10"), Full),
    (ELEVENLABS, 400, older("max_character_limit_exceeded"), TooLong),
    (ELEVENLABS, 400, newer("unsupported_model"), Rejected),
    (ELEVENLABS, 400, newer("bad_request", "invalid_uid"), Rejected),
    (
        ELEVENLABS,
        422,
        {"detail": [{"loc": ["body", "text"], "msg": "required", "type": "missing"}]},
        Rejected,
    ),
    (ELEVENLABS, 429, older("concurrent_limit_exceeded"), Busy),
    (ELEVENLABS, 429, older("too_many_concurrent_requests"), Busy),
    (ELEVENLABS, 429, newer("rate_limit_exceeded"), Busy),
    (ELEVENLABS, 429, older("system_busy"), Busy),
    (ELEVENLABS, 500, older("internal_error"), Unreachable),
    (ELEVENLABS, 503, older("maintenance"), Unreachable),
    (ELEVENLABS, 401, {"detail": "quota_exceeded"}, NoCredit),
]
PARTIAL = [
    (DEEPGRAM, 401, deepgram("INSUFFICIENT_PERMISSIONS")),
    (DEEPGRAM, 403, deepgram("INSUFFICIENT_PERMISSIONS", "Project does not have access to the model.")),
    (ELEVENLABS, 401, newer("unauthorized", "missing_permissions")),
    (ELEVENLABS, 401, older("missing_permissions")),
    (ELEVENLABS, 403, older("can_not_use_instant_voice_cloning")),
]


def forms(body):
    """The same body as the SDKs hand it over: parsed, text, bytes."""
    if isinstance(body, dict):
        return [body, json.dumps(body), json.dumps(body).encode()]
    return [body]


@pytest.mark.parametrize(("provider", "status", "body", "kind"), DOCUMENTED)
def test_every_documented_refusal_is_told_apart(provider, status, body, kind):
    """Word beats status, in whatever form the body comes."""
    for form in forms(body):
        error = failure(provider, status=status, headers={}, body=form, what="asking")
        assert type(error) is kind, error
        assert error.message.startswith(provider.name)
        assert f"HTTP {status}" in error.message
        assert error.hint


@pytest.mark.parametrize(("provider", "status", "body"), PARTIAL)
def test_a_permission_that_is_missing_leaves_the_key_good(provider, status, body):
    """Only the one kind of call is refused, not the whole account."""
    for form in forms(body):
        error = failure(provider, status=status, headers={}, body=form)
        assert isinstance(error, Refused)
        assert not error.whole_account


@pytest.mark.parametrize("provider", [DEEPGRAM, OPENAI, ELEVENLABS])
def test_a_wrong_key_names_the_setting(provider):
    """The hint says which setting to correct and where; the account as a whole is refused."""
    error = failure(provider, status=401, headers={}, body=b"")
    assert isinstance(error, Refused)
    assert error.whole_account
    assert provider.key in error.hint
    assert "config file" in error.hint


PLAIN = Provider("Someone", "SOMEONE_API_KEY", endpoint="SOMEONE_BASE_URL", credit="someone.example/billing")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, BadAnswer), (302, Rejected), (400, Rejected), (401, Refused), (402, NoCredit), (403, Refused),
        (404, Gone), (405, Rejected), (408, Busy), (409, Rejected), (410, Gone), (413, TooLong),
        (422, Rejected), (425, Busy), (429, Busy), (500, Unreachable), (502, Unreachable),
        (503, Unreachable), (504, Unreachable), (529, Unreachable),
    ],
)  # fmt: skip
def test_without_a_word_the_status_decides(status, kind):
    """Every status means something where the body says nothing useful."""
    for body in (b"", "", None, {}, [], "oops", b"\xff\xfe", {"detail": None}, "[" * 60_000):
        assert type(failure(PLAIN, status=status, headers={}, body=body)) is kind


def test_the_first_word_of_the_table_wins():
    """Of several words in a body the one that stands first in the table counts."""
    body = {"detail": {"code": "general", "status": "special"}}
    for words, kind in (
        ({"special": Kind.GONE, "general": Kind.BUSY}, Gone),
        ({"general": Kind.BUSY, "special": Kind.GONE}, Busy),
    ):
        provider = Provider("Someone", "KEY", words)
        assert type(failure(provider, status=400, headers={}, body=body)) is kind


def test_what_a_validation_error_repeats_of_the_request_means_nothing():
    """A word inside the text that was sent is not the provider's word, and is not shown."""
    told = [{"loc": ["body", "text"], "msg": "too short", "type": "x", "input": "quota_exceeded tonight"}]
    error = failure(ELEVENLABS, status=422, headers={}, body={"detail": told})
    assert type(error) is Rejected
    assert "tonight" not in error.message
    assert "body" in error.message  # which field it is about


def test_the_provider_is_quoted_in_one_short_line():
    """Control characters and markup go, and no more than 500 bytes are repeated."""
    error = failure(
        PLAIN, status=400, headers={}, body={"message": "first\r\n\x1b[31msecond\u202e " + "ä" * 2000}
    )
    assert "first" in error.message
    assert "second" in error.message
    assert len(error.message.encode()) < 620
    assert error.message.isprintable()
    page = b"<html><head><title>502 Bad&nbsp;Gateway</title><style>x{}</style></head><body>x</body></html>"
    error = failure(PLAIN, status=502, headers={}, body=page)
    assert "502 Bad" in error.message
    assert "<" not in error.message


def test_no_credit_says_where_to_pay():
    """The hint names the place, and that finished work is kept."""
    hint = failure(PLAIN, status=402, headers={}, body=b"").hint
    assert "someone.example/billing" in hint
    assert "kept" in hint


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"RETRY-AFTER-MS": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e12"}, 900.0),
        ({"retry-after": "86400"}, 900.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:00 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 99 Nov 2026 09:00:00 GMT"}, None),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset-requests": "1m30s", "x-ratelimit-remaining-requests": "0"}, 90.0),
        ({"x-ratelimit-reset-requests": "9m", "x-ratelimit-remaining-requests": "5"}, None),
        (
            {
                "x-ratelimit-reset-requests": "9m", "x-ratelimit-remaining-requests": "5",
                "x-ratelimit-reset-tokens": "60ms", "x-ratelimit-remaining-tokens": "0",
            },
            0.06,
        ),
    ],
)  # fmt: skip
def test_a_pause_that_was_asked_for_is_understood(headers, wanted):
    """Seconds, milliseconds, dates and reset times; never negative, never for ever."""
    error = failure(PLAIN, status=429, headers=headers, body=b"")
    assert error.retry_after == (None if wanted is None else pytest.approx(wanted))


def test_a_date_without_a_servers_clock_is_compared_with_ours():
    """An HTTP date in the future is some seconds away, and so is a reset as a point in time."""
    soon = time.time() + 60
    for headers in ({"retry-after": formatdate(soon, usegmt=True)}, {"x-ratelimit-reset": str(int(soon))}):
        wait = failure(PLAIN, status=503, headers=headers, body=b"").retry_after
        assert 50 < wait <= 61


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["detail", "error", "code", "message", "loc", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(
    body=st.binary(max_size=200) | st.text(max_size=200) | JSON,
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset", "date"]), st.text(max_size=12)
    ),
)
def test_no_answer_is_too_odd(body, status, headers):
    """Whatever comes back becomes an error with a sentence; a pause is 0..900 s or none."""
    for provider in (DEEPGRAM, OPENAI, ELEVENLABS):
        error = failure(provider, status=status, headers=headers, body=body)
        assert isinstance(error, EngineError)
        assert error.message.isprintable()
        assert error.hint
        assert error.retry_after is None or 0 <= error.retry_after <= 900


@settings(deadline=None, max_examples=150)
@given(
    key=st.from_regex(r"[A-Za-z0-9_+/.\-]{8,60}", fullmatch=True),
    before=st.text(max_size=30),
    after=st.text(max_size=30),
    shape=st.sampled_from(["plain", "detail", "error", "list", "what"]),
)
def test_the_key_is_never_repeated(key, before, after, shape):
    """Wherever a provider puts the key it was sent, it is in no message and no hint."""
    text = f"{before} {key} {after}"
    body: object = {
        "plain": text, "detail": {"detail": {"status": text, "message": text}}, "error": {"error": text},
        "list": {"detail": [{"msg": text, "loc": [key]}]}, "what": "",
    }[shape]  # fmt: skip
    for form in (body, json.dumps(body)):
        for status in (400, 401, 503):
            error = failure(
                PLAIN, status=status, headers={}, body=form, what=text if shape == "what" else "", secret=key
            )
            spoken = str(error).lower()
            ours = str(failure(PLAIN, status=status, headers={}, body="")).lower()
            assert key.lower() not in spoken or key.lower() in ours


@pytest.mark.parametrize(
    "text",
    [
        f"Invalid key {KEY}.", "Incorrect API key provided: sk-proj-abcd****wxyz.", "Bearer abcdefgh12345678",
        "xi-api-key: 0123456789abcdef", "sk_8d1f0c7be2a94f6d8d1f0c7be2a94f6d", "eyJhbGciOi.eyJzdWIiOi.c2ln",
    ],
)  # fmt: skip
def test_what_looks_like_a_key_is_not_repeated_either(text):
    """Keys of somebody else's, masked keys and tokens are left out, known or not."""
    message = failure(PLAIN, status=401, headers={}, body={"message": text}).message
    for piece in (KEY, "abcd****wxyz", "abcdefgh12345678", "0123456789abcdef", "8d1f0c7be2a9", "hbGciOi"):
        assert piece not in message
    assert "***" in message


def test_ids_and_models_are_no_keys():
    """Names that people need to understand a sentence stay."""
    said = "The voice 21m00Tcm4TlvDq8ikWAM has no model eleven_multilingual_v2 or gpt-4o-mini-2024-07-18."
    assert said in failure(PLAIN, status=400, headers={}, body={"message": said}).message


def caused(error, cause):
    """An error with a cause, as libraries raise them."""
    error.__cause__ = cause
    return error


class ChunkedEncodingError(OSError):
    """Named as that of the requests package."""


class NameResolutionError(Exception):
    """Named as that of the urllib3 package."""


class APITimeoutError(Exception):
    """Named as that of the openai package."""


class APIConnectionError(Exception):
    """Named as that of the openai package."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (httpx.ConnectTimeout("x"), "in time"),
        (httpx.ReadTimeout("x"), "in time"),
        (TimeoutError(), "in time"),
        (APITimeoutError("x"), "in time"),
        (caused(httpx.ConnectError("x"), ConnectionRefusedError()), "refused"),
        (
            caused(APIConnectionError("x"), caused(httpx.ConnectError("x"), ConnectionRefusedError())),
            "refused",
        ),
        (caused(httpx.ConnectError("x"), socket.gaierror(-2, "x")), "DNS"),
        (NameResolutionError("x"), "DNS"),
        (caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("x")), "TLS"),
        (httpx.ConnectError("x"), "no connection"),
        (caused(httpx.ReadError("x"), ConnectionResetError()), "broke"),
        (httpx.WriteError("x"), "broke"),
        (httpx.RemoteProtocolError("peer closed"), "before the answer was complete"),
        (http.client.IncompleteRead(b"x", 5), "broke off"),
        (ChunkedEncodingError(), "broke off"),
        (httpx.ProxyError("x"), "proxy"),
        (OSError("x"), "failed"),
    ],
)
def test_a_broken_connection_says_how_it_broke(error, told):
    """Every library's way of failing is unreachable, in words for people."""
    found = unreachable(PLAIN, error, what="asking")
    assert type(found) is Unreachable
    assert told in found.message
    assert "SOMEONE_BASE_URL" in found.hint


def test_a_broken_connection_repeats_no_address_and_no_key():
    """What an exception says itself may hold anything, so nothing of it is shown."""
    request = httpx.Request("GET", f"https://api.example/x?token={KEY}")
    error = httpx.ConnectError(f"cannot reach https://api.example/x?token={KEY}", request=request)
    assert KEY not in str(unreachable(PLAIN, error))
    assert "token" not in str(unreachable(PLAIN, error))


def test_what_can_never_be_sent_is_not_tried_again():
    """An address that is none and a key with line breaks are the operator's to correct."""
    for wrong in (httpx.UnsupportedProtocol("x"), httpx.InvalidURL("x")):
        found = unreachable(PLAIN, wrong)
        assert type(found) is Rejected
        assert "SOMEONE_BASE_URL" in found.hint
    found = unreachable(PLAIN, UnicodeEncodeError("ascii", "schlüssel", 4, 5, "x"))
    assert isinstance(found, Refused)
    assert "SOMEONE_API_KEY" in found.hint


def test_causes_that_go_round_end():
    """Exceptions that are each other's cause are looked at once."""
    first, second = OSError("1"), OSError("2")
    first.__cause__, second.__cause__ = second, first
    assert isinstance(unreachable(PLAIN, first), Unreachable)


def test_an_account_is_known_by_a_digest():
    """Equal for the same key and address, different for others, and the key is not in it."""
    one = account("elevenlabs", endpoint="https://api.example/", key=KEY)
    assert one == account("elevenlabs", endpoint="https://API.example", key=KEY)
    assert one != account("elevenlabs", endpoint="https://eu.api.example", key=KEY)
    assert one != account("elevenlabs", endpoint="https://api.example", key=KEY + "0")
    name, _, digest = one.partition(":")
    assert name == "elevenlabs"
    assert len(digest) == 8
    assert digest not in KEY
