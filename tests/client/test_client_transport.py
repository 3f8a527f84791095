"""The client's requests: who asks, what is tried again, how refusals are told."""

from __future__ import annotations

import httpx
import pytest

from autodub.client import ApiError, Client, NotFound, ServerError, TooMany, Unreachable
from autodub.client.errors import refusal
from autodub.client.transport import Transport

JOB = {"id": "a" * 32, "state": "queued", "target": "es", "news": "of a later version"}


def client(
    answers: list[httpx.Response | Exception], *, key: str | None = None
) -> tuple[Client, list[httpx.Request], list[float]]:
    """A client whose server gives these answers, what it was asked, and how long was waited."""
    asked: list[httpx.Request] = []
    waited: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    server = Client(
        "http://dub.example:5000/", key, transport=httpx.MockTransport(answer), sleep=waited.append
    )
    return server, asked, waited


def test_a_key_is_sent_and_shown_nowhere() -> None:
    """It goes into the header, and into no repr."""
    server, asked, _ = client([httpx.Response(200, json=JOB)], key="adk_secret")
    with server:
        job = server.jobs.get("a" * 32)
    assert asked[0].headers["Authorization"] == "Bearer adk_secret"
    assert str(asked[0].url) == f"http://dub.example:5000/api/v1/jobs/{'a' * 32}"
    assert "adk_secret" not in repr(server) + repr(vars(server)) + repr(server.jobs) + repr(job)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "dub.example",
        "ftp://dub.example",
        "http://",
        "http://me:pw@dub.example",
        "http://dub.example/?a=b",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """Nothing is asked of what cannot be a server."""
    with pytest.raises(ValueError, match="address of a server"):
        Client(address)


def test_a_server_below_a_path_is_found() -> None:
    """A server may live below a path of a proxy."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json=JOB)

    with Client("https://example.org/dub/", transport=httpx.MockTransport(answer)) as server:
        server.jobs.get("x")
    assert asked == ["/dub/api/v1/jobs/x"]


def test_looking_is_tried_again_and_waits_longer_each_time() -> None:
    """No answer, 502 and 503 pass; the answer after them counts."""
    answers: list[httpx.Response | Exception] = [
        httpx.ConnectError("no"), httpx.Response(502), httpx.Response(503), httpx.Response(200, json=JOB),
    ]  # fmt: skip
    server, asked, waited = client(answers)
    with server:
        assert server.jobs.get("a").state == "queued"
    assert len(asked) == 4
    assert 0.3 < waited[0] < waited[1] < waited[2] < 3


def test_the_server_says_how_long_to_wait() -> None:
    """``Retry-After`` counts, also for what is not repeated otherwise; a minute is the most."""
    answers: list[httpx.Response | Exception] = [
        httpx.Response(429, headers={"Retry-After": "7"}),
        httpx.Response(429, headers={"Retry-After": "900"}),
        httpx.Response(200, json=JOB),
    ]  # fmt: skip
    server, asked, waited = client(answers)
    with server:
        server.jobs.cancel("a")
    assert (len(asked), waited) == (3, [7.0, 60.0])


def test_a_change_is_not_repeated_when_it_may_have_happened() -> None:
    """A cancellation without an answer is told as that, once."""
    server, asked, waited = client([httpx.ReadTimeout("slow")])
    with server, pytest.raises(Unreachable) as failed:
        server.jobs.cancel("a")
    assert (len(asked), waited, failed.value.status, failed.value.code) == (1, [], 0, "unreachable")
    assert "did not answer in time" in failed.value.title


def test_submitting_is_repeated_with_the_same_key() -> None:
    """A submission carries a key of its own, so that a broken connection makes no second job."""
    answers: list[httpx.Response | Exception] = [httpx.ReadError("gone"), httpx.Response(201, json=JOB)]
    server, asked, _ = client(answers)
    with server:
        server.jobs.submit("https://youtu.be/x", "es", spoken="en", start=None)
    keys = [request.headers["Idempotency-Key"] for request in asked]
    assert keys[0] == keys[1]
    assert len(keys[0]) >= 16
    assert asked[1].read() == b'{"source":"https://youtu.be/x","target":"es","spoken":"en"}'


def test_patience_ends() -> None:
    """After the last try the failure is told."""
    server, asked, _ = client([httpx.Response(503, json={"title": "Full.", "code": "unavailable"})] * 4)
    with server, pytest.raises(ServerError) as failed:
        server.jobs.get("a")
    assert (len(asked), failed.value.code) == (4, "unavailable")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "BadRequest"), (401, "Unauthenticated"), (403, "Forbidden"), (404, "NotFound"),
        (409, "Conflict"), (413, "BadRequest"), (422, "BadRequest"),
        (500, "ServerError"), (507, "ServerError"),
    ],
)  # fmt: skip
def test_refusals_have_classes_and_words(status: int, kind: str) -> None:
    """A problem becomes an error of its class with code, title, hint, place and request."""
    said = {
        "code": "some_code", "title": "It is so.", "hint": "Do this.", "request_id": "abc",
        "errors": [{"where": "target", "why": "no"}, "noise"],
    }  # fmt: skip
    server, _, _ = client([httpx.Response(status, json=said)])
    with server, pytest.raises(ApiError) as failed:
        server.jobs.get("a")
    error = failed.value
    assert type(error).__name__ == kind
    assert (error.status, error.code, error.title, error.hint) == (
        status,
        "some_code",
        "It is so.",
        "Do this.",
    )
    assert (error.request_id, error.errors) == ("abc", ({"where": "target", "why": "no"},))
    assert str(error) == "It is so. Do this."


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b"", b"\xff"])
def test_the_word_of_a_proxy_is_told_by_its_status(body: bytes) -> None:
    """What is no problem of ours is still an error that says something."""
    error = refusal(httpx.Response(418, content=body, headers={"X-Request-Id": "r1"}))
    assert (error.code, error.request_id) == ("http_418", "r1")
    assert error.title.startswith("The server answered 418")


def test_the_simple_interfaces_word_is_understood() -> None:
    """``error`` is a title."""
    assert refusal(httpx.Response(429, json={"error": "Slow."})).title == "Slow."
    assert isinstance(refusal(httpx.Response(429)), TooMany)


def test_a_redirection_is_not_followed() -> None:
    """A key goes to the server it is meant for, and nowhere else."""
    server, asked, _ = client(
        [httpx.Response(302, headers={"Location": "https://evil.example/"})], key="adk_x"
    )
    with server, pytest.raises(ApiError):
        server.jobs.get("a")
    assert len(asked) == 1


def test_lists_are_read_page_by_page_as_they_are_wanted() -> None:
    """Pages follow each other by what the one before said, and no more than wanted is asked for."""
    pages = [
        {"jobs": [JOB | {"id": "1"}, JOB | {"id": "2"}], "after": "here", "total": 3},
        {"jobs": [JOB | {"id": "3"}], "after": None, "total": 3},
    ]
    server, asked, _ = client([httpx.Response(200, json=page) for page in pages])
    with server:
        found = server.jobs.list(states=["queued", "failed"], text="talk")
        assert next(found).id == "1"
        assert len(asked) == 1
        assert [job.id for job in found] == ["2", "3"]
    assert asked[0].url.params.get_list("state") == ["queued", "failed"]
    assert "after" not in asked[0].url.params
    assert asked[1].url.params["after"] == "here"


def test_no_more_jobs_than_asked_for_are_listed() -> None:
    """``most`` bounds pages and jobs."""
    page = {"jobs": [JOB, JOB], "after": "on", "total": 9}
    server, asked, _ = client([httpx.Response(200, json=page)])
    with server:
        assert len(list(server.jobs.list(most=2))) == 2
    assert asked[0].url.params["limit"] == "2"


def test_not_found_is_told() -> None:
    """A job nobody has is NotFound."""
    server, _, _ = client([httpx.Response(404, json={"title": "No.", "code": "not_found"})])
    with server, pytest.raises(NotFound):
        server.jobs.get("a")


def test_an_estimate_is_asked_for_until_it_is_there() -> None:
    """The same question under the same key: no second job is made of it."""
    figures = {"job": "a", "title": "Talk", "seconds": 60.0, "dollars": None, "items": [], "unpriced": []}
    server, asked, _ = client([httpx.Response(202, json=JOB), httpx.Response(200, json=figures)])
    with server:
        estimate = server.estimates.ask("https://youtu.be/x", "es")
    assert (estimate.seconds, estimate.dollars) == (60.0, None)
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    assert len(asked) == 2


def test_batches_are_listed_page_by_page() -> None:
    """A full page may be followed by another one, a shorter one is the last."""
    batches = [{"id": str(n), "name": "x", "created": 1000.0 - n} for n in range(101)]
    pages = [{"batches": batches[:100]}, {"batches": batches[100:]}]
    server, asked, _ = client([httpx.Response(200, json=page) for page in pages])
    with server:
        assert len(list(server.batches.list())) == 101
    assert asked[1].url.params["before"] == "901.0"


def test_what_is_being_made_is_asked_for_again() -> None:
    """A GET that is answered 202 is repeated when the server says; a 202 to anything else is an answer."""
    answers, slept = [202, 202, 200, 202], []

    def server(_: httpx.Request) -> httpx.Response:
        return httpx.Response(answers.pop(0), json={"state": "x"}, headers={"Retry-After": "2"})

    asked = Transport(
        "http://x", None, timeout=1, tries=1, transport=httpx.MockTransport(server), sleep=slept.append
    )
    assert asked.send("GET", "/peaks").status_code == 200
    assert slept == [2.0, 2.0]
    assert asked.send("POST", "/jobs").status_code == 202
    asked.close()
