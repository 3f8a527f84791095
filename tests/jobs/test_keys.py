"""API keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event, select

from autodub.jobs import tables
from autodub.jobs.accounts import Account
from autodub.jobs.keys import PREFIX, Keys
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.model.errors import BadOption, Conflict, Forbidden, NotFound


class Clock:
    """A time that passes when it is told to."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def keys(platform: Platform, clock: Clock) -> Keys:
    """The keys of a platform."""
    return Keys(platform.sql, clock=clock)


@pytest.fixture
def ann(platform: Platform) -> Account:
    """A user."""
    return platform.accounts.create(LOCAL_ACTOR, "ann", None)


def acting(account: Account) -> Actor:
    """A user who is logged in."""
    return Actor(account.id, account.name, account.role, account.scopes)


def test_a_key_is_shown_once_and_kept_as_a_digest(keys: Keys, ann: Account, platform: Platform) -> None:
    """Lists and the database have its first characters only, and its text stands for its owner."""
    text, key = keys.create(acting(ann), " CI ", ["jobs", "read"])
    assert text.startswith(PREFIX)
    assert (key.name, key.scopes, key.hint) == ("CI", ("read", "jobs"), text[:10])
    with platform.sql.reading() as connection:
        rows = str(connection.execute(select(tables.keys)).all())
        rows += str(connection.execute(select(tables.audit)).all())
    assert text not in rows
    assert text[10:] not in rows
    found = keys.find(text)
    assert found is not None
    assert found[0].id == key.id
    assert found[1] == ann


@pytest.mark.parametrize(
    "text", ["", "adk_", "adk_" + "x" * 43, "adk_" + "\u00e9" * 43, "x" * 100_000, "adk_" + "x" * 42 + "\n"]
)
def test_what_is_no_key_stands_for_nobody(keys: Keys, text: str) -> None:
    """Nothing, a made-up one, one of other characters or of any length."""
    assert keys.find(text) is None


def test_a_key_never_does_more_than_its_owner(keys: Keys, ann: Account, platform: Platform) -> None:
    """Not when it is made, nor after its owner was an admin."""
    with pytest.raises(Forbidden):
        keys.create(acting(ann), "k", ["read", "admin"])
    with pytest.raises(Forbidden):
        keys.create(LOCAL_ACTOR, "k", ["admin"], owner=ann.id)
    platform.accounts.create(LOCAL_ACTOR, "other", None, role="admin")
    boss = platform.accounts.update(LOCAL_ACTOR, ann.id, role="admin")
    text, _ = keys.create(acting(boss), "k", ["read", "admin"])
    platform.accounts.update(LOCAL_ACTOR, ann.id, role="user")
    found = keys.find(text)
    assert found is not None
    assert found[0].scopes == ("read",)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", ""]])
def test_scopes_must_be_known(keys: Keys, ann: Account, scopes: list[str]) -> None:
    """A key that is good for nothing, or for something unknown, is refused."""
    with pytest.raises(BadOption):
        keys.create(acting(ann), "k", scopes)


def test_a_key_ends_at_its_time_and_when_revoked(keys: Keys, ann: Account, clock: Clock) -> None:
    """From that moment it stands for nobody; its row says why."""
    with pytest.raises(BadOption):
        keys.create(acting(ann), "k", ["read"], expires=clock.now)
    short, _ = keys.create(acting(ann), "short", ["read"], expires=clock.now + 10)
    leaked, key = keys.create(acting(ann), "leaked", ["read"])
    clock.now += 9.9
    assert keys.find(short) is not None
    clock.now += 0.1
    assert keys.find(short) is None
    assert keys.find(leaked) is not None
    assert keys.revoke(acting(ann), key.id).revoked == clock.now
    assert keys.find(leaked) is None
    clock.now += 5
    assert keys.revoke(acting(ann), key.id).revoked == clock.now - 5


def test_keys_of_others_are_not_there(keys: Keys, ann: Account, platform: Platform) -> None:
    """They are in no list, cannot be seen and cannot be revoked; an admin can do all of it."""
    ben = platform.accounts.create(LOCAL_ACTOR, "ben", None)
    _, key = keys.create(acting(ann), "k", ["read"])
    for owner in (None, ann.id, "*"):
        assert keys.list(acting(ben), owner=owner) == []
    with pytest.raises(NotFound):
        keys.get(acting(ben), key.id)
    with pytest.raises(NotFound):
        keys.revoke(acting(ben), key.id)
    with pytest.raises(NotFound):
        keys.create(acting(ben), "k", ["read"], owner=ann.id)
    assert [one.id for one in keys.list(LOCAL_ACTOR, owner="*")] == [key.id]
    assert keys.list(LOCAL_ACTOR) == []
    assert keys.revoke(LOCAL_ACTOR, key.id).revoked is not None


def test_a_key_makes_no_other_keys(keys: Keys, ann: Account) -> None:
    """One that leaked cannot outlive its end; it can only give itself up. An admin's may do all."""
    _, key = keys.create(acting(ann), "k", ["read", "jobs"])
    _, other = keys.create(acting(ann), "other", ["read"])
    by_key = replace(acting(ann), key=key.id)
    with pytest.raises(Forbidden):
        keys.create(by_key, "more", ["read"])
    with pytest.raises(Forbidden):
        keys.revoke(by_key, other.id)
    assert keys.revoke(by_key, key.id).revoked is not None
    assert keys.create(replace(LOCAL_ACTOR, key="k"), "more", ["read"])[1].name == "more"


def test_a_key_of_a_user_who_is_off_is_not_good(keys: Keys, ann: Account, platform: Platform) -> None:
    """It is good again when the user is."""
    text, _ = keys.create(acting(ann), "k", ["read"])
    platform.accounts.update(LOCAL_ACTOR, ann.id, active=False)
    assert keys.find(text) is None
    with pytest.raises(Conflict):
        keys.create(LOCAL_ACTOR, "k", ["read"], owner=ann.id)
    platform.accounts.update(LOCAL_ACTOR, ann.id, active=True)
    assert keys.find(text) is not None


def test_the_last_use_is_written_once_a_minute(
    keys: Keys, ann: Account, clock: Clock, platform: Platform
) -> None:
    """Two hundred requests of a minute write to the database once."""
    text, key = keys.create(acting(ann), "k", ["read"])
    written: list[str] = []

    @event.listens_for(platform.sql.engine(), "before_cursor_execute")
    def seen(*told: object) -> None:
        if str(told[2]).startswith("UPDATE"):
            written.append(str(told[2]))

    for _ in range(200):
        keys.find(text)
    assert len(written) == 1
    clock.now += 60
    keys.find(text)
    assert len(written) == 2
    assert keys.get(acting(ann), key.id).used == clock.now


def test_a_user_has_a_hundred_good_keys_at_most(keys: Keys, ann: Account, clock: Clock) -> None:
    """Those that are over do not count."""
    for number in range(100):
        keys.create(acting(ann), str(number), ["read"], expires=clock.now + 10)
    with pytest.raises(Conflict):
        keys.create(acting(ann), "one more", ["read"])
    clock.now += 10
    keys.create(acting(ann), "one more", ["read"])
