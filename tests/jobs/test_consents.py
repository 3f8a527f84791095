"""Consent: nothing is cloned without a statement, on no path, and not any more once it is withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from policy_scene import ON_SQLITE, WHO, Scene
from sqlalchemy import insert

from autodub.jobs import audit
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.returning import Returning
from autodub.jobs.spec import Statement
from autodub.jobs.tables import users
from autodub.model.errors import ConsentMissing, Forbidden, NotFound
from autodub.testing.script import Proceed

Opening = Callable[..., Platform]
ME = Actor(LOCAL_ACTOR.id, LOCAL_ACTOR.name, "admin", address="192.0.2.7")


@pytest.fixture
def scene(platform: Platform, tmp_path: Path) -> Scene:
    """A platform with default settings: cloning needs consent."""
    return Scene(platform, tmp_path)


def user(platform: Platform, name: str) -> Actor:
    """Another user."""
    row = {"id": name, "name": name, "role": "user", "active": True, "created": 1.0}
    with platform.sql.writing() as connection:
        connection.execute(insert(users).values(**row))
    return Actor(name, name, "user", frozenset({"read", "jobs", "voices"}))


def given(scene: Scene, actor: Actor = ME) -> str:
    """A statement given ahead."""
    return scene.platform.consents.give(actor, Statement(**WHO)).id


def given_back(scene: Scene) -> None:
    """The sweeper's part: voices that are due go back to the provider."""
    with scene.engines():
        Returning(scene.platform).give_back()


def test_a_statement_is_kept_with_who_when_and_from_where(scene: Scene) -> None:
    """What a person stated can be looked up again, and the audit knows that it was given."""
    consent = scene.platform.consents.get(ME, given(scene))
    assert (consent.who, consent.statement) == (WHO["who"], WHO["statement"])
    assert (consent.owner, consent.address, consent.job) == (ME.id, "192.0.2.7", None)
    assert consent.created > 1e9
    assert consent.withdrawn is None
    actions = [(one.action, one.subject) for one in audit.entries(scene.platform.sql)]
    assert actions == [("consent.given", f"consent:{consent.id}")]
    told = scene.everything_told()
    assert "Jane" not in told


def test_a_clone_without_a_statement_is_refused_when_it_is_submitted(scene: Scene) -> None:
    """Alone and within a batch nothing is queued, and nothing is kept."""
    with pytest.raises(ConsentMissing):
        scene.submit(clone_voices=True)
    upload = scene.upload()
    specs = [scene.spec(upload), scene.spec(upload, clone_voices=True)]
    with scene.engines(), pytest.raises(ConsentMissing):
        scene.platform.jobs.submit_all(ME, specs, name="all or none")
    assert scene.platform.jobs.list(ME).total == 0


def test_matched_voices_need_no_statement(scene: Scene) -> None:
    """Moving a stock voice reproduces nobody's: the wish itself says that one may."""
    assert scene.submit(match_voices=True).state == "queued"


@ON_SQLITE
def test_an_operator_may_do_without(opening: Opening, tmp_path: Path) -> None:
    """With the setting off clones are made and recorded without a statement."""
    scene = Scene(opening(consent=False), tmp_path)
    job = scene.dub(clone_voices=True)
    assert job.state == "completed"
    assert len(scene.account) == 0  # given back at the end
    with scene.platform.sql.reading() as connection:
        made = connection.exec_driver_sql("SELECT job, consent FROM clones").all()
    assert [tuple(row) for row in made] == [(job.id, None)]


def test_a_key_without_the_scope_clones_nothing(scene: Scene) -> None:
    """Neither a job nor a statement comes from a key that may not clone."""
    weak = Actor(ME.id, scopes=frozenset({"read", "jobs"}))
    with pytest.raises(Forbidden):
        scene.submit(weak, clone_voices=True, consent=WHO)
    with pytest.raises(Forbidden):
        given(scene, weak)


def test_a_key_without_the_scope_has_no_clones_made_again(scene: Scene) -> None:
    """It may neither retry nor regenerate a job that clones; any other job it may."""
    weak, done = Actor(ME.id, scopes=frozenset({"read", "jobs"})), ("completed", "failed", "cancelled")
    clones, plain = scene.submit(clone_voices=True, consent=WHO), scene.submit()
    for job in (clones, plain):
        scene.platform.jobs.cancel(ME, job.id)
    with pytest.raises(Forbidden):
        scene.platform.jobs.retry(weak, clones.id)
    with pytest.raises(Forbidden):
        scene.platform.jobs.queue_again(weak, clones.id, of=done, action="job.regenerated")
    assert scene.platform.jobs.get(ME, clones.id).state == "cancelled"
    assert scene.platform.jobs.retry(weak, plain.id).state == "queued"
    assert scene.platform.jobs.retry(ME, clones.id).state == "queued"


def test_what_was_cloned_is_recorded_with_the_statement(scene: Scene) -> None:
    """Sample and voice of each speaker stand with the statement that came with the job."""
    job = scene.dub(clone_voices=True, consent=WHO)
    assert job.state == "completed"
    (consent,) = scene.platform.consents.list(ME)
    assert consent.job == job.id
    (voice,) = consent.voices
    assert (voice.job, voice.engine) == (job.id, "cloner.own")
    assert voice.voice == f"clone-{voice.sample[:12]}"
    assert scene.platform.store.blobs.path  # the digest names the sample in the store
    asked = scene.asked("cloner")
    assert [one.sample.blob.digest for one in asked] == [voice.sample]
    cloned = [one for one in audit.entries(scene.platform.sql) if one.action == "voice.cloned"]
    assert [(one.subject, one.data["consent"]) for one in cloned] == [(f"job:{job.id}", consent.id)]


@ON_SQLITE
def test_a_statement_given_ahead_serves_many_jobs(scene: Scene) -> None:
    """Jobs name it by its id, and what they cloned stands with it."""
    consent = given(scene)
    jobs = [scene.dub(clone_voices=True, consent_id=consent, upload=scene.upload(seed=n)) for n in (1, 2)]
    assert [job.state for job in jobs] == ["completed", "completed"]
    found = scene.platform.consents.get(ME, consent)
    assert {voice.job for voice in found.voices} == {job.id for job in jobs}


@ON_SQLITE
def test_the_voice_is_recorded_before_the_provider_is_asked(scene: Scene) -> None:
    """A clone that a crash left half made is on record with its sample."""
    seen: list[list[Any]] = []

    def look(request: Any, work: Any) -> Proceed:
        with scene.platform.sql.reading() as connection:
            seen.append(connection.exec_driver_sql("SELECT sample, voice FROM clones").all())
        return Proceed()

    scene.scripts["cloner"].play = look  # type: ignore[method-assign]
    scene.dub(clone_voices=True, consent=WHO)
    ((row,),) = seen
    assert len(row.sample) == 64
    assert row.voice == ""


def test_somebody_else_sees_and_uses_no_statement(scene: Scene) -> None:
    """A statement of another user is as one that is not there; an admin sees it and cannot use it."""
    ann, ben = user(scene.platform, "ann"), user(scene.platform, "ben")
    consent = given(scene, ann)
    consents = scene.platform.consents
    for attempt in (consents.get, consents.withdraw):
        with pytest.raises(NotFound):
            attempt(ben, consent)
    assert consents.list(ben) == ()
    assert [one.id for one in consents.list(ME, owner="ann")] == [consent]
    assert [one.id for one in consents.list(ben, owner="ann")] == []
    for stranger in (ben, ME):
        with pytest.raises(NotFound):
            scene.submit(stranger, clone_voices=True, consent_id=consent)


def test_a_withdrawn_statement_is_refused_with_a_new_job(scene: Scene) -> None:
    """From the moment of the withdrawal it cannot be referred to; withdrawing again changes nothing."""
    consent = given(scene)
    first = scene.platform.consents.withdraw(ME, consent)
    assert first.withdrawn is not None
    assert scene.platform.consents.withdraw(ME, consent).withdrawn == first.withdrawn
    with pytest.raises(ConsentMissing, match="withdrawn"):
        scene.submit(clone_voices=True, consent_id=consent)
    withdrawn = [one for one in audit.entries(scene.platform.sql) if one.action == "consent.withdrawn"]
    assert len(withdrawn) == 1


@pytest.mark.parametrize("how", ["with the job", "ahead"])
@ON_SQLITE
def test_a_queued_job_is_refused_at_its_start(scene: Scene, how: str) -> None:
    """What was submitted before the withdrawal fails before anybody is asked for anything."""
    consent = given(scene) if how == "ahead" else None
    wishes = {"consent_id": consent} if consent else {"consent": WHO}
    job = scene.submit(clone_voices=True, **wishes)
    scene.platform.consents.withdraw(ME, consent or scene.platform.consents.list(ME)[0].id)
    done = scene.run(job)
    assert (done.state, done.error and done.error.code) == ("failed", "consent_missing")
    assert not scene.asked("cloner")
    assert not scene.asked("synthesizer")


@ON_SQLITE
def test_a_retry_and_an_edit_are_refused(scene: Scene) -> None:
    """A job that failed, or was finished, is not queued again on a statement that was withdrawn."""
    job = scene.dub(clone_voices=True, consent=WHO)
    scene.platform.consents.withdraw(ME, scene.platform.consents.list(ME)[0].id)
    with pytest.raises(ConsentMissing):
        scene.platform.jobs.queue_again(ME, job.id, of=("completed",), action="job.regenerated")
    late = scene.submit(clone_voices=True, consent=WHO)
    scene.platform.jobs.cancel(ME, late.id)
    scene.platform.consents.withdraw(ME, scene.platform.consents.list(ME)[0].id)
    with pytest.raises(ConsentMissing):
        scene.platform.jobs.retry(ME, late.id)


def test_a_running_job_is_stopped_and_clones_no_more(scene: Scene) -> None:
    """A withdrawal while the voice is being made ends the job."""

    def withdraw(request: Any, work: Any) -> Proceed:
        (consent,) = scene.platform.consents.list(ME)
        scene.platform.consents.withdraw(ME, consent.id)
        for _job, _how in scene.platform.claims.wishes("worker").items():
            scene.cancel.request()  # as the worker does
        return Proceed()

    scene.scripts["cloner"].play = withdraw  # type: ignore[method-assign]
    job = scene.dub(clone_voices=True, consent=WHO)
    assert job.state == "cancelled"
    assert not scene.asked("synthesizer")
    given_back(scene)
    assert scene.account == {}


@ON_SQLITE
def test_voices_of_a_withdrawn_statement_go_back_to_the_provider(scene: Scene) -> None:
    """Also those that were to be kept in the account for later dubs."""
    job = scene.dub(clone_voices=True, consent=WHO, keep_voices=True)
    assert job.state == "completed"
    assert len(scene.account) == 1
    given_back(scene)
    assert len(scene.account) == 1  # as long as it is not withdrawn
    scene.platform.consents.withdraw(ME, scene.platform.consents.list(ME)[0].id)
    given_back(scene)
    assert scene.account == {}


@ON_SQLITE
def test_a_withdrawal_holds_for_the_voice_and_not_only_for_one_statement(scene: Scene) -> None:
    """Another statement of before does not clone the same sample; one given afterwards does."""
    upload, older = scene.upload(), given(scene)
    scene.dub(clone_voices=True, consent=WHO, upload=upload)
    newest = scene.platform.consents.list(ME)[0]
    assert newest.job is not None
    scene.platform.consents.withdraw(ME, newest.id)
    refused = scene.dub(clone_voices=True, consent_id=older, upload=upload)
    assert (refused.state, refused.error and refused.error.code) == ("failed", "consent_missing")
    again = scene.dub(clone_voices=True, consent=WHO, upload=upload)
    assert again.state == "completed"


@ON_SQLITE
def test_a_dub_with_clones_is_not_handed_to_another_statement(scene: Scene) -> None:
    """Two users who dub the same: the second one's clones stand with the second one's statement."""
    ann, ben = user(scene.platform, "ann"), user(scene.platform, "ben")
    for actor in (ann, ben):
        assert scene.dub(actor, clone_voices=True, consent=WHO).state == "completed"
    for actor in (ann, ben):
        (consent,) = scene.platform.consents.list(actor)
        assert len(consent.voices) == 1
    assert len(scene.asked("cloner")) == 1  # the answer itself is kept


def test_statements_are_listed_in_pages(scene: Scene) -> None:
    """Newest first, each once, whatever the size of a page."""
    made = [given(scene) for _ in range(5)]
    consents, found, after = scene.platform.consents, [], None
    while page := consents.list(ME, after=after, limit=2):
        found += [one.id for one in page]
        after = page[-1].id
    assert sorted(found) == sorted(made)
    times = [consents.get(ME, one).created for one in found]
    assert times == sorted(times, reverse=True)


@ON_SQLITE
def test_a_voice_that_was_made_while_its_statement_was_withdrawn_goes_back(scene: Scene) -> None:
    """The provider may have been asked just before: what it made is on record, and given back."""

    def withdraw(name: str) -> None:
        (consent,) = scene.platform.consents.list(ME)
        scene.platform.consents.withdraw(ME, consent.id)
        scene.cancel.request()

    scene.when_rented = withdraw
    assert scene.dub(clone_voices=True, consent=WHO).state == "cancelled"
    assert len(scene.account) == 1
    given_back(scene)
    assert scene.account == {}
