"""Batches: all jobs or none, once however often they are asked for, and stopped or deleted together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from autodub.jobs import audit, events
from autodub.jobs.batches import BatchRefused
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.model.errors import Conflict, NotFound, QuotaExceeded, UnknownEngine

Opening = Callable[..., Platform]
BOB = Actor("bob", "bob")
TWO = [
    {"source": "https://youtube.com/watch?v=1"},
    {"source": "https://youtube.com/watch?v=2", "title": "Two"},
]


def submit(platform: Platform, *, key: str | None = None, **given: Any) -> tuple[str, list[Any], bool]:
    """Two sources in three languages."""
    asked: dict[str, Any] = {
        "name": "Talks", "sources": TWO, "targets": ["es", "fr", "German"], "wishes": {}
    } | given  # fmt: skip
    return platform.batches.submit(LOCAL_ACTOR, **asked, idempotency=key)


def test_every_source_is_dubbed_into_every_language(platform: Platform) -> None:
    """Six jobs in the order asked for; what a source says goes before the wishes of all."""
    wishes = {"title": "All", "tone": "playful", "priority": 3}
    batch, jobs, is_new = submit(platform, wishes=wishes)
    assert is_new
    assert [(job.spec["source"][-1], job.spec["target"]) for job in jobs] == [
        (source, target) for source in "12" for target in ("es", "fr", "de")
    ]
    assert [job.title for job in jobs] == ["All"] * 3 + ["Two"] * 3
    assert {(job.spec["tone"], job.priority, job.batch) for job in jobs} == {("playful", 3, batch)}
    found = platform.batches.get(LOCAL_ACTOR, batch)
    assert (found.name, dict(found.counts), found.total, found.progress) == ("Talks", {"queued": 6}, 6, 0.0)


def test_a_batch_keeps_the_audit_for_a_moment_only(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever else has something to record waits for no batch: all of its rows are written at its end."""
    done: list[str] = []
    change, alone = events.change, platform.sql.alone

    def changed(*given: Any, **named: Any) -> Any:
        done.append("job")
        return change(*given, **named)

    def taken(connection: Any, number: int) -> None:
        done.append("audit" if number == audit._LOCK else "other")
        alone(connection, number)

    monkeypatch.setattr(events, "change", changed)
    monkeypatch.setattr(platform.sql, "alone", taken)
    _, made, _ = submit(platform, sources=TWO[:1])
    assert done == ["job"] * 3 + ["audit"]
    told = [one.subject for one in audit.entries(platform.sql, audit.Filter(action="job.submitted"))]
    assert told == [f"job:{job.id}" for job in made]
    assert audit.verify(platform.sql).first_bad is None


def test_when_one_job_cannot_be_none_is(platform: Platform) -> None:
    """The refusal names each of them by its place, with the reason."""
    sources = [*TWO, {"source": "https://example.org/private"}, {"upload": "nothere"}]
    with pytest.raises(BatchRefused) as refused:
        submit(platform, sources=sources, targets=["es", "xx-nonsense"])
    places = {(one.source, one.target) for one in refused.value.refusals}
    assert places == {(0, 1), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)}
    assert platform.jobs.list(LOCAL_ACTOR).total == 0
    assert platform.batches.list(LOCAL_ACTOR) == []


def test_what_is_no_job_at_all_is_named_by_its_place(platform: Platform) -> None:
    """A source with both an address and an upload is one for none of its languages."""
    with pytest.raises(BatchRefused) as refused:
        submit(platform, sources=[TWO[0], {"source": "https://youtube.com/w", "upload": "x"}])
    assert {one.source for one in refused.value.refusals} == {1}
    assert "either source" in refused.value.refusals[0].why


def test_what_concerns_all_jobs_alike_is_told_once(platform: Platform) -> None:
    """An engine that does not exist is no list of six refusals."""
    with pytest.raises(UnknownEngine):
        submit(platform, wishes={"engines": {"translator": "nobody"}})


@pytest.mark.parametrize("address", [""], ids=["sqlite"])
def test_more_jobs_than_may_wait_are_refused_whole(opening: Opening) -> None:
    """Five may wait, six were asked for: none is queued."""
    platform = opening(queued=5)
    with pytest.raises(QuotaExceeded):
        submit(platform)
    assert platform.jobs.list(LOCAL_ACTOR).total == 0


def test_the_same_request_with_its_key_is_the_same_batch(platform: Platform) -> None:
    """Asked twice it is made once; another request with that key is refused, and changes nothing."""
    batch, jobs, _ = submit(platform, key="k1")
    again, same, is_new = submit(platform, key="k1")
    assert (again, [job.id for job in same], is_new) == (batch, [job.id for job in jobs], False)
    for other in ({"targets": ["es"]}, {"targets": ["es", "fr", "it"]}, {"sources": [*TWO, TWO[0]]}):
        with pytest.raises(Conflict, match="idempotency key"):
            submit(platform, key="k1", **other)
    assert len(platform.batches.list(LOCAL_ACTOR)) == 1
    assert platform.jobs.list(LOCAL_ACTOR).total == 6


def test_the_same_request_at_the_same_moment_is_one_batch(platform: Platform) -> None:
    """Four people press the button at once: one batch of six jobs, known to all four."""
    ready, found = threading.Barrier(4), []

    def ask() -> None:
        ready.wait()
        found.append(submit(platform, key="k2"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({batch for batch, _, _ in found}) == 1
    assert sum(is_new for _, _, is_new in found) == 1
    assert platform.jobs.list(LOCAL_ACTOR).total == 6
    assert len(platform.batches.list(LOCAL_ACTOR)) == 1


def test_a_batch_is_stopped_tried_again_and_deleted_as_one(platform: Platform) -> None:
    """Cancel stops what is not over, retry queues it again, delete leaves nothing."""
    batch, jobs, _ = submit(platform)
    platform.jobs.delete(LOCAL_ACTOR, jobs[0].id)
    assert dict(platform.batches.cancel(LOCAL_ACTOR, batch).counts) == {"cancelled": 5}
    assert dict(platform.batches.retry(LOCAL_ACTOR, batch).counts) == {"queued": 5}
    platform.batches.delete(LOCAL_ACTOR, batch)
    with pytest.raises(NotFound):
        platform.batches.get(LOCAL_ACTOR, batch)
    assert platform.jobs.list(LOCAL_ACTOR).total == 0


def test_nobody_else_sees_or_stops_it(platform: Platform) -> None:
    """For others there is no such batch."""
    batch, _, _ = submit(platform)
    for way in ("get", "jobs", "cancel", "retry", "delete"):
        with pytest.raises(NotFound, match="no batch"):
            getattr(platform.batches, way)(BOB, batch)
    assert platform.batches.list(BOB) == []
    assert dict(platform.batches.get(LOCAL_ACTOR, batch).counts) == {"queued": 6}


@pytest.mark.parametrize("what", ["cancel", "retry", "delete"])
def test_who_is_faster_with_one_job_does_not_stop_what_is_done_with_all(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """One of them was deleted, and one was tried again, just after the batch was looked at."""
    batch, made, _ = submit(platform)
    if what == "retry":
        platform.batches.cancel(LOCAL_ACTOR, batch)
    seen = platform.batches.jobs(LOCAL_ACTOR, batch)
    platform.jobs.delete(LOCAL_ACTOR, made[0].id)
    if what == "retry":
        platform.jobs.retry(LOCAL_ACTOR, made[1].id)
    monkeypatch.setattr(platform.batches, "jobs", lambda *_: seen)
    getattr(platform.batches, what)(LOCAL_ACTOR, batch)
    left = platform.jobs.list(LOCAL_ACTOR).jobs
    wanted = {"cancel": "cancelled", "retry": "queued"}
    assert [job.state for job in left] == ([] if what == "delete" else [wanted[what]] * 5)


def test_batches_are_listed_in_as_many_questions_however_many_there_are(platform: Platform) -> None:
    """Each with the counts of its own jobs."""
    for targets in (["es"], ["es", "de"], ["fr"]):
        submit(platform, targets=targets)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(platform.sql.engine(), "before_cursor_execute", note)
    found = platform.batches.list(LOCAL_ACTOR)
    event.remove(platform.sql.engine(), "before_cursor_execute", note)
    assert [dict(one.counts) for one in found] == [{"queued": 2}, {"queued": 4}, {"queued": 2}]
    assert len(asked) == 2


def test_batches_are_listed_newest_first_and_page_by_page(platform: Platform) -> None:
    """The moment of the last one seen is where the next page begins."""
    made = [submit(platform, targets=["es"], name=f"no. {number}")[0] for number in range(3)]
    first = platform.batches.list(LOCAL_ACTOR, limit=2)
    assert [one.id for one in first] == [made[2], made[1]]
    rest = platform.batches.list(LOCAL_ACTOR, limit=2, before=first[-1].created)
    assert [one.id for one in rest] == [made[0]]
