"""Webhooks: nothing that happens to a job is kept from them, and they cannot be turned against anybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from desk import SOURCE, Desk, Opening, token
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

from autodub.infra.signing import HEADER, is_signed
from autodub.jobs import owing
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor, Job
from autodub.jobs.sending import PAUSES, Sender
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import audit, deliveries, hooks
from autodub.jobs.webhooks import MOST, Hook
from autodub.jobs.worker import Worker
from autodub.model.errors import BadOption, Conflict, NotFound
from autodub.model.job import Event
from autodub.web import shapes

PUBLIC = "https://hooks.example.org/in"
ALL = list(owing.KINDS)


class Receiver:
    """Somebody who is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()
        self.arrived = threading.Semaphore(0)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                outer.arrived.release()
                outer.hold.wait(20)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was told."""
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that is told."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.hold.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def desk(opening: Opening) -> Desk:
    """A platform that may send to this machine, at a time that is set by hand."""
    made = Desk(opening(hook_addresses=["127.0.0.0/8"]))
    made.platform.hooks._clock = made.clock
    return made


def sender(desk: Desk, **given: Any) -> Sender:
    """Who sends, at the time of the desk."""
    return Sender(desk.platform, clock=desk.clock, chance=lambda: 0.5, **given)


def sent(desk: Desk) -> int:
    """Send everything that is due; how many tries that were."""
    one, count = sender(desk), 0
    while one.send():
        count += 1
    return count


def rows(desk: Desk) -> list[Any]:
    """All deliveries, oldest first."""
    with desk.sql.reading() as connection:
        return list(connection.execute(select(deliveries).order_by(deliveries.c.created, deliveries.c.kind)))


def hook(desk: Desk, found: Hook) -> Hook:
    """As it is now."""
    return desk.platform.hooks.get(LOCAL_ACTOR, found.id)


def test_a_hook_is_told_of_everything_that_becomes_of_a_job(desk: Desk, receiver: Receiver) -> None:
    """In bodies that are signed with its secret, say what happened and show the job as the interface does."""
    _, secret = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ALL)
    job = desk.submit(title="Talk")
    taken = desk.claims.next("worker")
    assert taken is not None
    desk.claims.end(taken, "completed", Event("job.completed"), message="done")
    assert sent(desk) == 3
    assert [body["kind"] for body in receiver.bodies] == ["job.queued", "job.started", "job.completed"]
    assert [body["number"] for body in receiver.bodies] == [1, 2, 3]
    assert [body["job"]["state"] for body in receiver.bodies] == ["queued", "processing", "completed"]
    assert receiver.bodies[-1]["job"] == shapes.brief_of_job(desk.job(job)).model_dump()
    for headers, body in receiver.got:
        assert is_signed(secret, body, headers[HEADER], clock=desk.clock)
        assert headers["Autodub-Delivery"] == json.loads(body)["id"]
        assert headers["Autodub-Event"] == json.loads(body)["kind"]
        assert headers["Content-Type"] == "application/json"
    assert [row.state for row in rows(desk)] == ["sent"] * 3
    assert sent(desk) == 0


def test_every_end_is_told(desk: Desk, receiver: Receiver) -> None:
    """Failures, cancellations, also those of a job whose worker died; of a deletion only the id."""
    desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.failed", "job.cancelled", "job.deleted"])
    failed, cancelled, crashed = desk.submit(), desk.submit(), desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None
    desk.claims.end(taken, "failed", Event("job.failed"))
    desk.jobs.cancel(LOCAL_ACTOR, cancelled.id)
    desk.claims.next("worker")
    desk.put(crashed, crashes=99)
    desk.clock.pass_(desk.platform.server.lease + 1)
    desk.claims.reclaim()
    desk.jobs.delete(LOCAL_ACTOR, cancelled.id)
    desk.platform.erasing.erase(cancelled.id)
    sent(desk)
    told = {(body["kind"], body["job"]["id"]) for body in receiver.bodies}
    assert told == {
        ("job.failed", failed.id), ("job.failed", crashed.id), ("job.deleted", cancelled.id),
    }  # fmt: skip
    gone = next(body for body in receiver.bodies if body["kind"] == "job.deleted")
    assert gone["job"] == {"id": cancelled.id}


def test_what_is_owed_is_kept_or_lost_with_what_happened(desk: Desk) -> None:
    """A change that comes to nothing is told to nobody."""
    desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ALL)
    desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None

    def fault(_: object) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        desk.claims.end(taken, "completed", Event("job.completed"), beside=fault)
    assert [row.kind for row in rows(desk)] == ["job.queued", "job.started"]


def test_a_hook_that_is_deleted_while_something_happens_does_not_break_it(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deletion waits until what it was owed is written, and then takes that along."""
    desk = Desk(opening())
    if not desk.sql.is_postgres:
        pytest.skip("on SQLite nobody else writes meanwhile")
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ALL)
    other, real = opening(), owing.outline

    def outline(job: Job) -> dict[str, Any]:
        with other.sql.writing() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                connection.execute(delete(hooks).where(hooks.c.id == made.id))
        return real(job)

    with monkeypatch.context() as patch:
        patch.setattr(owing, "outline", outline)
        desk.submit()
    assert [row.hook for row in rows(desk)] == [made.id]
    other.hooks.delete(LOCAL_ACTOR, made.id)
    assert rows(desk) == []


def test_only_the_owners_hooks_are_told_and_only_what_they_want(desk: Desk) -> None:
    """Not those of others, not those that are off, and not of other kinds."""
    other = desk.user("other")
    wanted, _ = desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ["job.queued"])
    desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ["job.failed"])
    desk.platform.hooks.create(other, PUBLIC, ALL)
    off, _ = desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ALL)
    desk.platform.hooks.change(LOCAL_ACTOR, off.id, active=False)
    desk.submit()
    assert [row.hook for row in rows(desk)] == [wanted.id]


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_what_did_not_arrive_is_tried_again_for_a_day(desk: Desk, receiver: Receiver, status: int) -> None:
    """Eight times, ever more seldom; then it has failed, and the list says why."""
    receiver.status = status
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    began = desk.clock.now
    for pause in PAUSES:
        assert sent(desk) == 1
        desk.clock.pass_(pause * 0.99)
        assert sent(desk) == 0
        desk.clock.pass_(pause * 0.02)
    assert sent(desk) == 1
    desk.clock.pass_(1e6)
    assert sent(desk) == 0
    assert 0.9 < (desk.clock.now - 1e6 - began) / 86_400 < 1.1
    ((only),), _ = desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id)
    assert (only.state, only.tries, only.status) == ("failed", 8, status)
    assert str(status) in only.trouble
    assert hook(desk, made).failing == began
    assert len({body["id"] for body in receiver.bodies}) == 1


def test_an_answer_in_time_makes_up_for_failures(desk: Desk, receiver: Receiver) -> None:
    """The hook is well again."""
    receiver.status = 500
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    sent(desk)
    assert hook(desk, made).failing == desk.clock.now
    receiver.status = 204
    desk.clock.pass_(PAUSES[0] * 1.2)
    sent(desk)
    assert hook(desk, made).failing is None
    assert [(row.state, row.status, row.tries) for row in rows(desk)] == [("sent", 204, 2)]


def test_who_does_not_answer_in_time_is_tried_again(desk: Desk, receiver: Receiver) -> None:
    """As if nobody were there."""
    desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    receiver.hold.clear()
    sender(desk, seconds=0.1).send()
    assert [(row.state, row.trouble) for row in rows(desk)] == [("waiting", "no answer within 0.1 s")]


def test_a_hook_that_fails_for_days_is_switched_off(desk: Desk, receiver: Receiver) -> None:
    """With a reason, an entry in the audit, and nothing waiting; switched on it begins afresh."""
    receiver.status = 500
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    for _ in range(5):
        if not hook(desk, made).active:
            break
        desk.submit()
        for pause in (*PAUSES, 0.0):
            sent(desk)
            desk.clock.pass_(pause * 1.02)
    off = hook(desk, made)
    assert not off.active
    assert "three days" in off.why
    assert 3 * 86_400 < desk.clock.now - (off.failing or 0.0) < 5 * 86_400
    desk.submit()
    assert {row.state for row in rows(desk)} == {"failed"}
    with desk.sql.reading() as connection:
        told = connection.execute(
            select(audit.c.actor, audit.c.subject).where(audit.c.action == "hook.switched_off")
        )
        assert told.all() == [("system", f"hook:{made.id}")]
    on = desk.platform.hooks.change(LOCAL_ACTOR, made.id, active=True)
    assert (on.active, on.failing, on.why) == (True, None, "")


def test_a_receiver_that_says_it_is_gone_is_not_asked_again(desk: Desk, receiver: Receiver) -> None:
    """410 switches the hook off at once."""
    receiver.status = 410
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    desk.submit()
    assert sent(desk) == 1
    assert "410" in hook(desk, made).why
    assert [row.state for row in rows(desk)] == ["failed", "failed"]


def test_a_hook_leads_nowhere_inside(opening: Opening, receiver: Receiver) -> None:
    """What is private by its form is refused when it is given; a name that leads there when it is used."""
    desk = Desk(opening())
    by_name = receiver.url.replace("127.0.0.1", "localhost")
    for url in (
        receiver.url, "http://10.1.2.3/", "http://[::1]/", "http://169.254.169.254/latest/meta-data", by_name,
        "http://hooks.localhost:8080/", "https://wiki.internal/", "https://intranet/", "https://nas.local/x",
    ):  # fmt: skip
        with pytest.raises(BadOption, match="not a public address"):
            desk.platform.hooks.create(LOCAL_ACTOR, url, ALL)
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, "https://example.org/", ["job.queued"])
    with pytest.raises(BadOption, match="not a public address"):
        desk.platform.hooks.change(LOCAL_ACTOR, made.id, url=by_name)
    with desk.sql.writing() as connection:  # as if it were a name that nobody knows this of
        connection.execute(update(hooks).values(url=by_name))
    desk.submit()
    sent(desk)
    assert receiver.got == []
    assert "not a public" in rows(desk)[0].trouble
    desk.platform.hooks._clock = desk.clock
    desk.platform.hooks.ping(LOCAL_ACTOR, made.id)
    assert sent(desk) == 1
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "https://u:p@example.org/",
        "https://example.org:25/",
        "nothing",
        "http://0x7f.1/",
    ],
)
def test_an_address_that_is_none_is_refused(desk: Desk, url: str) -> None:
    """As one of a webhook, with what one looks like."""
    with pytest.raises(BadOption) as caught:
        desk.platform.hooks.create(LOCAL_ACTOR, url, ALL)
    assert "https://example.org/autodub" in caught.value.hint


def test_names_of_the_own_network_are_taken_where_a_network_is_let_through(opening: Opening) -> None:
    """Where they lead shows later; this machine itself only where its own address is let through."""
    inside = opening(hook_addresses=["10.0.0.0/8"]).hooks
    assert inside.create(LOCAL_ACTOR, "https://wiki.internal/", ALL)[0].url == "https://wiki.internal/"
    with pytest.raises(BadOption, match="localhost is not a public address"):
        inside.create(LOCAL_ACTOR, "http://localhost:8080/", ALL)
    here = opening(hook_addresses=["127.0.0.0/8"]).hooks
    assert here.create(LOCAL_ACTOR, "http://localhost:8080/", ALL)[0].url == "http://localhost:8080/"


def test_a_setting_that_is_no_network_is_told_when_the_platform_begins(opening: Opening) -> None:
    """By its name."""
    with pytest.raises(BadOption, match="hook_addresses"):
        opening(hook_addresses=["everywhere"])


def test_a_test_is_sent_once_and_also_where_the_hook_is_off(desk: Desk, receiver: Receiver) -> None:
    """What came of it is listed; it neither mends nor breaks anything."""
    receiver.status = 500
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.platform.hooks.change(LOCAL_ACTOR, made.id, active=False)
    ping = desk.platform.hooks.ping(LOCAL_ACTOR, made.id)
    assert (ping.kind, ping.state, ping.job) == ("ping", "waiting", "")
    assert sent(desk) == 1
    desk.clock.pass_(1e6)
    assert sent(desk) == 0
    ((only),), _ = desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id)
    assert (only.id, only.state, only.status) == (ping.id, "failed", 500)
    assert receiver.bodies[0] == {"id": ping.id, "kind": "ping", "at": only.created}


def test_something_can_be_sent_again(desk: Desk, receiver: Receiver) -> None:
    """The same body under the same id, whatever became of it."""
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    sent(desk)
    ((only),), _ = desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id)
    again = desk.platform.hooks.redeliver(LOCAL_ACTOR, made.id, only.id)
    assert (again.state, again.tries) == ("waiting", 0)
    sent(desk)
    assert receiver.got[0][1] == receiver.got[1][1]
    with pytest.raises(NotFound):
        desk.platform.hooks.redeliver(LOCAL_ACTOR, made.id, token())


def test_nothing_is_sent_again_by_a_webhook_that_is_switched_off(desk: Desk, receiver: Receiver) -> None:
    """It would wait for ever, and come as a surprise later; a test is sent all the same."""
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    ping = desk.platform.hooks.ping(LOCAL_ACTOR, made.id)
    sent(desk)
    desk.platform.hooks.change(LOCAL_ACTOR, made.id, active=False)
    (only,) = (
        one for one in desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id)[0] if one.kind == "job.queued"
    )
    with pytest.raises(Conflict, match="switched off"):
        desk.platform.hooks.redeliver(LOCAL_ACTOR, made.id, only.id)
    left = {one.id: one.state for one in desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id)[0]}
    assert left == {only.id: "sent", ping.id: "sent"}
    assert desk.platform.hooks.redeliver(LOCAL_ACTOR, made.id, ping.id).state == "waiting"


def test_deliveries_are_listed_in_pages_newest_first(desk: Desk) -> None:
    """Each once, also those of one instant; forgotten after a week."""
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ["job.queued"])
    desk.clock.pass_(1)
    desk.jobs.submit_all(LOCAL_ACTOR, [JobSpec(source=SOURCE, target="es")] * 4)
    desk.submit()
    found, after = desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id, limit=2)
    pages = list(found)
    while after is not None:
        found, after = desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id, after=after, limit=2)
        pages += found
    assert len({one.id for one in pages}) == len(pages) == 5
    assert [one.created for one in pages] == sorted((one.created for one in pages), reverse=True)
    with pytest.raises(NotFound):
        desk.platform.hooks.deliveries(LOCAL_ACTOR, made.id, after=token())
    desk.platform.hooks.sweep(desk.clock.now + 7 * 86_400 - 0.5)
    assert len(rows(desk)) == 1
    desk.platform.hooks.sweep(desk.clock.now + 8 * 86_400)
    assert rows(desk) == []


def test_a_hook_is_its_owners(desk: Desk) -> None:
    """Nobody else sees, changes, tests or deletes it; an admin may."""
    owner, other = desk.user("owner"), desk.user("other")
    made, _ = desk.platform.hooks.create(owner, PUBLIC, ALL)
    service = desk.platform.hooks
    for ask in (service.get, service.change, service.renew, service.delete, service.ping, service.deliveries):
        with pytest.raises(NotFound):
            ask(other, made.id)  # type: ignore[operator]
    with pytest.raises(NotFound):
        service.redeliver(other, made.id, token())
    assert service.list(other) == []
    assert service.list(owner) == [made]
    assert service.get(Actor("local", role="admin"), made.id) == made


def test_a_hook_can_be_changed_and_deleted(desk: Desk, receiver: Receiver) -> None:
    """Address, kinds and secret; the audit tells of it without a secret, and what it is owed goes with it."""
    made, first = desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ALL)
    changed = desk.platform.hooks.change(LOCAL_ACTOR, made.id, url=receiver.url, kinds=["job.queued"])
    assert (changed.url, changed.kinds) == (receiver.url, ("job.queued",))
    second = desk.platform.hooks.renew(LOCAL_ACTOR, made.id)
    assert first != second
    desk.submit()
    sent(desk)
    assert is_signed(second, receiver.got[0][1], receiver.got[0][0][HEADER], clock=desk.clock)
    desk.platform.hooks.delete(LOCAL_ACTOR, made.id)
    assert rows(desk) == []
    with desk.sql.reading() as connection:
        told = connection.execute(select(audit).where(audit.c.action.like("hook.%"))).all()
    assert [row.action for row in told] == ["hook.created", "hook.changed", "hook.changed", "hook.deleted"]
    assert not any(secret in repr(told) for secret in (first, second))


def test_kinds_and_number_of_hooks_are_bounded(desk: Desk) -> None:
    """An unknown kind is named with those there are."""
    with pytest.raises(BadOption, match=r"job\.exploded"):
        desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ["job.exploded"])
    with pytest.raises(BadOption):
        desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, [])
    for _ in range(MOST):
        desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ALL)
    with pytest.raises(Conflict):
        desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ALL)


def test_several_workers_send_each_delivery_once(desk: Desk, receiver: Receiver) -> None:
    """None is sent by two at once, and none is left."""
    desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.jobs.submit_all(LOCAL_ACTOR, [JobSpec(source=SOURCE, target="es")] * 15)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: sent(desk), range(4)))
    assert sum(counts) == 30
    assert len({body["id"] for body in receiver.bodies}) == len(receiver.got) == 30


def test_what_a_dead_worker_was_sending_is_sent_by_another(desk: Desk, receiver: Receiver) -> None:
    """After a minute; and should the dead one come back, it does not overwrite what the other has written."""
    desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    dead = sender(desk)
    row = dead._take()
    assert row is not None
    assert sent(desk) == 0
    desk.clock.pass_(61)
    assert sent(desk) == 1
    dead._concluded(row, dead._post(row))
    assert [(one.state, one.tries) for one in rows(desk)] == [("sent", 2)]


def test_one_slow_receiver_does_not_keep_the_others(desk: Desk, receiver: Receiver) -> None:
    """It has one delivery on its way at a time."""
    slow, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    desk.submit()
    one = sender(desk)
    first = one._take()
    assert first is not None
    assert first.hook == slow.id
    assert one._take() is None
    quick, _ = desk.platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    desk.submit()
    second = one._take()
    assert second is not None
    assert second.hook == quick.id


@contextmanager
def _working(platform: Platform) -> Iterator[Worker]:
    worker = Worker(platform, slots=1)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(patience=20)


def test_a_worker_sends_what_is_owed_by_the_bell(
    opening: Opening, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the next look."""
    monkeypatch.setattr("autodub.jobs.sending._IDLE", 1_000.0)
    platform = opening(hook_addresses=["127.0.0.0/8"])
    made, _ = platform.hooks.create(LOCAL_ACTOR, receiver.url, ["job.queued"])
    with _working(platform):
        platform.hooks.ping(LOCAL_ACTOR, made.id)
        assert receiver.arrived.acquire(timeout=20)
    assert receiver.bodies[0]["kind"] == "ping"


def test_the_clock_of_a_delivery_is_that_of_its_event(desk: Desk) -> None:
    """And a hook knows when it was made."""
    made, _ = desk.platform.hooks.create(LOCAL_ACTOR, PUBLIC, ALL)
    assert made.created == desk.clock.now
    desk.submit()
    assert rows(desk)[0].created == desk.clock.now
    with desk.sql.reading() as connection:
        assert connection.execute(select(hooks.c.active)).scalar() in (True, 1)
