"""The loopback server: HTTP as clients expect it, latency, caps, faults, and a true record."""

import http.client
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from autodub.testing.loopback import FAULTS, Faults, Loopback, Profile, Reply, reply_json
from autodub.testing.loopback.__main__ import SERVICES


class Echo:
    """A provider that says how much it was sent; one unit is billed per byte."""

    name = "echo"

    def __init__(self, *, seconds=0.0, cap=None):
        self.caps = {} if cap is None else {"work": cap}
        self.latency = seconds
        self.gate = None

    def key_of(self, request):
        return request.headers.get("x-key", "")

    def kind(self, request):
        return "look" if request.method == "GET" else "work"

    def answer(self, request):
        if request.path == "/crash":
            raise ZeroDivisionError
        if self.gate is not None:
            self.gate.wait(10)
        if request.path == "/pieces":
            return Reply(200, {}, iter([b"one ", b"", b"two"]), {"bytes": 7})
        return reply_json(
            {"size": len(request.body), "query": request.query, "path": request.path},
            headers={"in-flight": str(request.in_flight)}, charges={"bytes": len(request.body)},
        )  # fmt: skip

    def seconds(self, request, profile, *, others):
        return self.latency

    def refusal(self, fault):
        return reply_json({"fault": fault}, status=int(fault[:3]) if fault[:3].isdigit() else 403)


def ask(server, body=b"hello", *, path="/work", key="k", method="POST", chunked=False, timeout=10):
    """Status and body of one request."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    try:
        client.request(
            method, f"/echo{path}", iter([body]) if chunked else body, {"x-key": key}, encode_chunked=chunked
        )
        answer = client.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        client.close()


def test_requests_are_answered_and_recorded():
    """A body arrives whole, sent in one piece or in chunks; what is billed is what was answered."""
    with Loopback([Echo()]) as server:
        assert json.loads(ask(server, b"x" * 100_000)[1])["size"] == 100_000
        assert json.loads(ask(server, b"y" * 70_000, chunked=True)[1])["size"] == 70_000
        _, body, _ = ask(server, path="/a%20b?q=1&q=2")
        assert json.loads(body) == {"size": 5, "query": [["q", "1"], ["q", "2"]], "path": "/a b"}
        assert [(r.status, r.size, r.kind) for r in server.requests] == [
            (200, 100_000, "work"), (200, 70_000, "work"), (200, 5, "work"),
        ]  # fmt: skip
        assert server.charged() == {"echo": {"bytes": 170_005}}
        assert server.crashes == ()


def test_one_connection_serves_many_requests():
    """Connections are kept open, after a refusal and an answer in pieces, too."""
    with Loopback([Echo()]) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        local = None
        server.faults.fail_next("echo", "work", ["", "500"])
        for wanted in (200, 500, 200):
            client.request("POST", "/echo/pieces", b"x", {"x-key": "k"})
            answer = client.getresponse()
            body = answer.read()
            assert answer.status == wanted
            assert body == b"one two" if wanted == 200 else b"fault" in body
            local = local or client.sock.getsockname()
            assert client.sock.getsockname() == local
        client.close()


def test_a_key_nobody_knows_is_refused_and_no_key_is_remembered():
    """Only known keys are served, and recordings hold none of them."""
    with Loopback([Echo()], keys={"echo": ["right-key-0451"]}, bodies=True) as server:
        assert ask(server, key="right-key-0451")[0] == 200
        assert ask(server, key="wrong-key-1984")[0] == 403
        assert ask(server, key="")[0] == 403
        assert [r.fault for r in server.requests] == ["", "invalid_key", "invalid_key"]
        assert "right-key-0451" not in repr(server.requests)
        assert "wrong-key-1984" not in repr(server.requests)
        assert server.requests[0].body == b"hello"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_demand_strikes_once(fault):
    """The next request fails as told and costs nothing; the one after it is served."""
    with Loopback([Echo()], faults=Faults(hold=0.05, after=3)) as server:
        server.faults.fail_next("echo", "work", fault)
        try:
            status, body, headers = ask(server)
        except (ConnectionError, http.client.HTTPException):
            assert fault in ("reset", "cut", "timeout")
        else:
            assert fault not in ("reset", "cut", "timeout")
            assert headers.get("retry-after") == ("3" if fault == "429_after" else None)
            if fault == "truncated":
                with pytest.raises(ValueError, match=r"Unterminated|Expecting|double quotes"):
                    json.loads(body)
            elif fault == "empty":
                assert (status, body) == (200, b"")
            else:
                assert json.loads(body) == {"fault": fault}
        assert server.charged() == {}
        assert ask(server)[0] == 200
        assert server.requests[0].fault == fault
        assert server.charged() == {"echo": {"bytes": 5}}


def test_faults_wait_for_their_kind_of_request():
    """A fault meant for one kind of request leaves others alone; any kind takes one meant for all."""
    with Loopback([Echo()]) as server:
        server.faults.fail_next("echo", "work", "503", times=2)
        assert ask(server, method="GET", body=None)[0] == 200
        assert [ask(server)[0] for _ in range(3)] == [503, 503, 200]
        server.faults.fail_next("echo", "*", "429")
        assert ask(server, method="GET", body=None)[0] == 429
        with pytest.raises(ValueError, match="no such fault"):
            server.faults.fail_next("echo", "work", "explosion")


def test_random_faults_depend_on_request_and_seed_alone():
    """Equal seeds strike equal requests whatever their order, at the rate asked for."""

    def struck(order, seed):
        faults = Faults(rate=0.2, seed=seed)
        return {name: faults.draw("echo", "work", str(name)) for name in order}

    forward = struck(range(3000), 5)
    assert struck(reversed(range(3000)), 5) == forward
    assert struck(range(3000), 6) != forward
    hit = [fault for fault in forward.values() if fault]
    assert 0.17 < len(hit) / 3000 < 0.23
    assert {fault: hit.count(fault) > 100 for fault in Faults().kinds} == dict.fromkeys(Faults().kinds, True)
    again = Faults(rate=0.5, seed=1)
    assert len({again.draw("echo", "work", "one") for _ in range(60)}) > 1  # a retry draws anew
    assert Faults(rate=1.0, spare=frozenset({"look"})).draw("echo", "look", "x") == ""


def test_an_account_has_so_many_requests_in_flight():
    """Requests beyond the cap are refused at once; other accounts are not counted; the most is remembered."""
    echo = Echo(cap=3)
    echo.gate = threading.Event()
    with Loopback([echo]) as server, ThreadPoolExecutor(8) as pool:
        mine = [pool.submit(ask, server) for _ in range(5)]
        other = pool.submit(ask, server, key="other")
        until = time.monotonic() + 30
        while (sum(f.done() for f in mine) < 2 or server.busiest("echo", "work") < 4) and (
            time.monotonic() < until
        ):
            time.sleep(0.01)
        echo.gate.set()
        assert sorted(f.result()[0] for f in mine) == [200, 200, 200, 403, 403]
        assert other.result()[0] == 200
        assert server.busiest("echo", "work") == 4
        assert [ask(server)[0] for _ in range(4)] == [200] * 4  # one after the other there is always room


def test_credit_runs_out_and_is_topped_up():
    """An answer that the account cannot pay for is refused; after a top-up it is served."""
    with Loopback([Echo()], faults=Faults(credit={"echo": {"bytes": 12}})) as server:
        assert [ask(server)[0] for _ in range(3)] == [200, 200, 403]
        assert server.requests[-1].fault == "quota"
        server.top_up("echo", "bytes", 5)
        assert ask(server)[0] == 200
        assert server.charged() == {"echo": {"bytes": 15}}


def test_the_same_work_paid_twice_is_found():
    """Two equal requests that were both billed are told; failed ones are not."""
    with Loopback([Echo()]) as server:
        ask(server, b"one")
        server.faults.fail_next("echo", "work", "cut")
        with pytest.raises(ConnectionError):
            ask(server, b"two")
        ask(server, b"two")
        assert server.repeated() == ()
        ask(server, b"one")
        assert [r.size for r in server.repeated()] == [3]


def test_forms_are_compared_without_their_boundary():
    """Two forms that differ in their random boundary only are the same request."""
    with Loopback([Echo()]) as server:
        for boundary in ("aaa111", "bbb222"):
            client = http.client.HTTPConnection("127.0.0.1", server.port)
            body = f'--{boundary}\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n--{boundary}--\r\n'
            kind = f"multipart/form-data; boundary={boundary}"
            client.request("POST", "/echo/form", body, {"x-key": "k", "content-type": kind})
            client.getresponse().read()
            client.close()
        assert len(server.repeated()) == 1


def test_uploads_share_one_link_and_latency_is_kept():
    """Two uploads at once take as long as one after the other; an answer comes in its time."""
    with Loopback([Echo()], profile=Profile("slow", uplink=8e6)) as server, ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        sizes = [len(f.result()[1]) for f in [pool.submit(ask, server, b"z" * 200_000) for _ in range(2)]]
        assert time.monotonic() - began >= 0.39
        assert len(sizes) == 2
    with Loopback([Echo(seconds=0.2)]) as server:
        began = time.monotonic()
        ask(server)
        assert time.monotonic() - began >= 0.2


def test_a_client_that_hangs_up_pays_nothing():
    """An answer that nobody waits for any more is not billed, and its place is free again."""
    with Loopback([Echo(seconds=0.4, cap=1)]) as server:
        with pytest.raises(TimeoutError):
            ask(server, timeout=0.05)
        until = time.monotonic() + 5
        while not server.requests and time.monotonic() < until:
            time.sleep(0.01)
        assert server.charged() == {}
        assert ask(server)[0] == 200


def test_a_service_that_crashes_is_told():
    """A bug of a service is an answer that no test takes for the provider's, and is recorded."""
    with Loopback([Echo()]) as server:
        assert ask(server, path="/crash")[0] == 599
        assert "ZeroDivisionError" in server.crashes[0]


def test_after_the_end_nobody_is_there():
    """The port refuses once the server has ended, and a request in flight is let go."""
    with Loopback([Echo(seconds=30)]) as server, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, server)
        time.sleep(0.1)
        server.stop()
        assert isinstance(waiting.exception(5), ConnectionError | http.client.HTTPException)
        with pytest.raises(ConnectionRefusedError):
            ask(server)


def test_nothing_is_served_where_nothing_is_mounted():
    """An address of no provider is not found."""
    with Loopback([Echo()]) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port)
        client.request("GET", "/nobody/v1")
        assert client.getresponse().status == 404
        client.close()
        with pytest.raises(KeyError):
            server.url("nobody")


def test_it_runs_as_a_program_that_is_asked_from_outside():
    """It prints its addresses, tells what was asked and billed, takes faults, and ends with its caller."""
    program = subprocess.Popen(
        [sys.executable, "-m", "autodub.testing.loopback", "--profile", "instant", "--port", "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        told = json.loads(program.stdout.readline())
        assert set(SERVICES) < set(told)
        client = http.client.HTTPConnection("127.0.0.1", told["port"], timeout=10)
        client.request("POST", "/-/faults", json.dumps({"rate": 0.5, "kinds": ["429"], "hold": 1}))
        assert client.getresponse().read() == b"{}"
        client.request("GET", "/-/state")
        state = json.loads(client.getresponse().read())
        assert state["charged"] == {}
        assert state["requests"] == []
        client.request("GET", "/-/nothing")
        assert client.getresponse().status == 404
        client.close()
        _, errors = program.communicate(timeout=10)
        assert errors == ""
        assert program.returncode == 0
    finally:
        program.kill()
        program.wait()
