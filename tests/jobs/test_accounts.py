"""Accounts, their passwords and the sessions of browsers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from autodub.jobs import passwords, tables
from autodub.jobs.accounts import Accounts
from autodub.jobs.passwords import Passwords
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import LOCAL, Actor
from autodub.jobs.sessions import Sessions, guard
from autodub.model.errors import BadOption, Conflict, Forbidden, NotFound, Unauthenticated

GOOD = "a lamp by the harbour"
OTHER = "seven quiet bicycles"


@dataclass
class Clock:
    """A time that passes when it is told to."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def accounts(platform: Platform, clock: Clock) -> Accounts:
    """Accounts whose passwords are cheap to check."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return Accounts(platform.sql, Passwords(cheap), clock=clock)


@pytest.fixture
def sessions(platform: Platform, clock: Clock) -> Sessions:
    """Sessions of fourteen days."""
    return Sessions(platform.sql, platform.server, clock=clock)


def test_a_user_logs_in_with_name_and_password(accounts: Accounts) -> None:
    """The name counts without capitals and blanks around it, the password as it is."""
    made = accounts.create(LOCAL_ACTOR, " Ann@Example.org ", GOOD)
    assert (made.name, made.role, made.has_password) == ("ann@example.org", "user", True)
    assert accounts.authenticated("ANN@example.org", GOOD) == made
    with pytest.raises(Unauthenticated):
        accounts.authenticated("ann@example.org", GOOD + " ")


def test_the_database_never_holds_a_password(platform: Platform, accounts: Accounts) -> None:
    """Only an Argon2id digest is kept, with a salt of its own for each user."""
    for name in ("ann", "ben"):
        accounts.create(LOCAL_ACTOR, name, GOOD)
    with platform.sql.reading() as connection:
        wanted = select(tables.users.c.password).where(tables.users.c.id != LOCAL)
        kept = connection.execute(wanted).scalars().all()
    assert len(set(kept)) == 2
    assert all(one.startswith("$argon2id$") for one in kept)


def test_nobody_learns_which_names_exist(accounts: Accounts) -> None:
    """An unknown name, a wrong password, a user who is off and one without a password end alike."""
    accounts.create(LOCAL_ACTOR, "ann", GOOD)
    accounts.create(LOCAL_ACTOR, "keys.only", None)
    off = accounts.create(LOCAL_ACTOR, "off", GOOD)
    accounts.update(LOCAL_ACTOR, off.id, active=False)
    told = set()
    for name, password in (("nobody", GOOD), ("ann", OTHER), ("off", GOOD), ("keys.only", GOOD), (LOCAL, "")):
        with pytest.raises(Unauthenticated) as refused:
            accounts.authenticated(name, password)
        told.add(str(refused.value))
    assert len(told) == 1


def test_an_unknown_name_costs_as_much_as_a_known_one(accounts: Accounts, platform: Platform) -> None:
    """One password is hashed and one line of the audit written, whoever was asked for."""
    counted: list[int] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002 - as in argon2
            counted.append(1)
            return super().verify(hash, password)

    checked = Accounts(platform.sql, Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1)))
    checked.create(LOCAL_ACTOR, "ann", GOOD)
    before = _audited(platform)
    for name in ("ann", "nobody"):
        with pytest.raises(Unauthenticated):
            checked.authenticated(name, OTHER)
    assert len(counted) == 2
    assert _audited(platform) == [*before, "login.failed", "login.failed"]


def test_a_digest_of_older_parameters_is_renewed_at_login(platform: Platform, accounts: Accounts) -> None:
    """The next login keeps the password with the parameters of today."""
    made = accounts.create(LOCAL_ACTOR, "ann", GOOD)
    stronger = Accounts(platform.sql, Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)))
    stronger.authenticated("ann", GOOD)
    with platform.sql.reading() as connection:
        wanted = select(tables.users.c.password).where(tables.users.c.id == made.id)
        assert "m=16,t=2,p=1" in str(connection.execute(wanted).scalar())
    assert accounts.authenticated("ann", GOOD).id == made.id


@pytest.mark.parametrize(
    "password",
    ["short", "aaaaaaaaaaaaaaaa", "123456789012345", "password12345", "qwertyuiopasdf", "abcabcabcabcabc",
     "Passw0rd" * 200, "ann@example.org", "Autodub-Autodub", "correct horse battery staple"],
)  # fmt: skip
def test_passwords_that_would_be_guessed_are_refused(password: str) -> None:
    """Short, endless, repeated, from the keyboard, from the list, or the user's own name."""
    with pytest.raises(BadOption):
        passwords.check(password, name="ann@example.org")


@pytest.mark.parametrize(
    "password", [GOOD, OTHER, "xK4#pm2!vR9q", "пароль из трёх слов", "雨の降る午後に本を読む人"]
)
def test_any_characters_make_a_good_password(password: str) -> None:
    """No capitals, digits or signs are asked for."""
    passwords.check(password, name="ann")


def test_signs_that_stand_for_many_make_no_long_work() -> None:
    """A password that grows eighteenfold when it is normalised is judged by its beginning."""
    text = "".join("\ufdfa" + chr(0x4E00 + number) for number in range(512))
    assert passwords.worth(text) <= passwords.LONGEST


def test_the_same_characters_typed_another_way_are_the_same_password(accounts: Accounts) -> None:
    """Composed and decomposed letters look alike and count alike."""
    accounts.create(LOCAL_ACTOR, "ann", "trois \u00e9l\u00e8ves au caf\u00e9")
    assert accounts.authenticated("ann", "trois e\u0301le\u0300ves au cafe\u0301").name == "ann"


@pytest.mark.parametrize("name", ["ann", "\x00", "\ud800", "", "x" * 100_000])
def test_a_name_and_a_password_of_any_characters_are_judged(accounts: Accounts, name: str) -> None:
    """Lone surrogates, zero bytes and endless ones are wrong, and no fault."""
    accounts.create(LOCAL_ACTOR, "ann", GOOD)
    with pytest.raises(Unauthenticated):
        accounts.authenticated(name, "\ud800\x00" * 10)


@pytest.mark.parametrize("name", ["", "  ", "a b", "a\nb", "a\x00", "x" * 201, "a\u202eb"])
def test_names_that_could_mislead_are_refused(accounts: Accounts, name: str) -> None:
    """Blanks, controls and marks of direction make no name."""
    with pytest.raises(BadOption):
        accounts.create(LOCAL_ACTOR, name, GOOD)


def test_two_admins_who_add_the_same_name_get_one_user(accounts: Accounts) -> None:
    """The second is told that there is one already."""
    ends: list[str] = []

    def add() -> None:
        try:
            accounts.create(LOCAL_ACTOR, "ann", None)
            ends.append("made")
        except Conflict:
            ends.append("taken")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["made", "taken", "taken", "taken"]


def test_only_admins_manage_users(accounts: Accounts) -> None:
    """A user sees themselves; everybody else is not there, and lists and changes are refused."""
    ann, ben = (accounts.create(LOCAL_ACTOR, name, None) for name in ("ann", "ben"))
    asking = Actor(ann.id, "ann", scopes=ann.scopes)
    assert accounts.get(asking, ann.id) == ann
    with pytest.raises(NotFound):
        accounts.get(asking, ben.id)
    for refused in (
        lambda: accounts.list(asking),
        lambda: accounts.create(asking, "eve", None, role="admin"),
        lambda: accounts.update(asking, ann.id, role="admin"),
        lambda: accounts.set_password(asking, ben.id, GOOD),
        lambda: accounts.closed(asking, ben.id),
        lambda: accounts.named(asking, "ben"),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_a_limited_key_of_an_admin_is_no_admin(accounts: Accounts) -> None:
    """The role counts only with the scope admin."""
    with pytest.raises(Forbidden):
        accounts.list(replace(LOCAL_ACTOR, scopes=frozenset({"read", "jobs"})))


def test_limits_are_set_and_taken_back(accounts: Accounts) -> None:
    """None is what the server's settings say; what is below nothing is refused."""
    made = accounts.create(LOCAL_ACTOR, "ann", None, limits={"minutes": 5.0, "running": 1})
    changed = accounts.update(LOCAL_ACTOR, made.id, limits={"dollars": Decimal("2.5"), "minutes": None})
    assert (changed.minutes, changed.dollars, changed.running) == (None, Decimal("2.5"), 1)
    for wrong in ({"minutes": -1}, {"running": 0}, {"password": "x"}):
        with pytest.raises(BadOption):
            accounts.update(LOCAL_ACTOR, made.id, limits=wrong)


def test_the_last_admin_stays_one(accounts: Accounts) -> None:
    """They can be neither demoted, turned off nor erased until there is another."""
    assert not accounts.has_admin()
    boss = accounts.create(LOCAL_ACTOR, "boss", GOOD, role="admin")
    assert accounts.has_admin()
    for refused in (
        lambda: accounts.update(LOCAL_ACTOR, boss.id, role="user"),
        lambda: accounts.update(LOCAL_ACTOR, boss.id, active=False),
        lambda: accounts.closed(LOCAL_ACTOR, boss.id),
    ):
        with pytest.raises(Conflict, match="only admin"):
            refused()
    assert accounts.get(LOCAL_ACTOR, boss.id) == boss
    accounts.create(LOCAL_ACTOR, "second", GOOD, role="admin")
    assert accounts.update(LOCAL_ACTOR, boss.id, role="user").role == "user"


def test_the_local_user_can_be_neither_turned_off_nor_erased(accounts: Accounts) -> None:
    """Who works at the server itself must be able to."""
    for refused in (
        lambda: accounts.update(LOCAL_ACTOR, LOCAL, active=False),
        lambda: accounts.update(LOCAL_ACTOR, LOCAL, role="user"),
        lambda: accounts.closed(LOCAL_ACTOR, LOCAL),
    ):
        with pytest.raises(Conflict):
            refused()


def test_a_password_of_the_local_user_makes_it_an_admin_who_can_log_in(accounts: Accounts) -> None:
    """So whoever worked without accounts keeps their jobs when accounts come."""
    accounts.set_password(LOCAL_ACTOR, LOCAL, GOOD)
    assert accounts.has_admin()
    assert accounts.authenticated("local", GOOD).id == LOCAL


def test_a_new_password_ends_every_session(accounts: Accounts, sessions: Sessions) -> None:
    """Whoever was logged in, with whatever device, has to log in again."""
    ann = accounts.create(LOCAL_ACTOR, "ann", GOOD)
    opened = [sessions.open(ann)[0] for _ in range(3)]
    with pytest.raises(Forbidden):
        accounts.change_password(Actor(ann.id), OTHER, "three green umbrellas")
    with pytest.raises(Forbidden):
        accounts.change_password(Actor(ann.id, key="k"), GOOD, OTHER)
    assert all(sessions.find(secret) for secret in opened)
    accounts.change_password(Actor(ann.id), GOOD, OTHER)
    assert not any(sessions.find(secret) for secret in opened)
    assert accounts.authenticated("ann", OTHER).id == ann.id


def test_who_is_turned_off_is_out_at_once(accounts: Accounts, sessions: Sessions) -> None:
    """Open sessions end, and turning them on again brings none back."""
    ann = accounts.create(LOCAL_ACTOR, "ann", GOOD)
    secret, _ = sessions.open(ann)
    accounts.update(LOCAL_ACTOR, ann.id, active=False)
    accounts.update(LOCAL_ACTOR, ann.id, active=True)
    assert sessions.find(secret) is None


def test_a_closed_account_lets_nobody_in(accounts: Accounts, sessions: Sessions, platform: Platform) -> None:
    """Password, sessions and keys are good for nothing while the account is being erased."""
    ann = accounts.create(LOCAL_ACTOR, "ann", GOOD)
    secret, _ = sessions.open(ann)
    text, _ = platform.keys.create(LOCAL_ACTOR, "ci", ["read"], owner=ann.id)
    assert not accounts.closed(Actor(ann.id), ann.id).active
    assert sessions.find(secret) is None
    assert platform.keys.find(text) is None
    with pytest.raises(Unauthenticated):
        accounts.authenticated("ann", GOOD)


def test_a_session_lasts_as_long_as_it_is_used(accounts: Accounts, sessions: Sessions, clock: Clock) -> None:
    """Every use moves its end; fourteen days without one end it."""
    ann = accounts.create(LOCAL_ACTOR, "ann", None)
    secret, _ = sessions.open(ann)
    for _ in range(3):
        clock.now += 13.9 * 86_400
        found = sessions.find(secret)
        assert found is not None
        assert (found.account, found.was_renewed, found.session.expires) == (
            ann,
            True,
            clock.now + 14 * 86_400,
        )
    again = sessions.find(secret)
    assert again is not None
    assert not again.was_renewed
    clock.now += 14 * 86_400
    assert sessions.find(secret) is None


def test_the_database_cannot_open_a_session(
    accounts: Accounts, sessions: Sessions, platform: Platform
) -> None:
    """What is kept and what is listed are digests, and no secret of a cookie."""
    ann = accounts.create(LOCAL_ACTOR, "ann", None)
    secret, session = sessions.open(ann, agent="Firefox\r\nSet-Cookie: x", address="192.0.2.7")
    with platform.sql.reading() as connection:
        row = connection.execute(select(tables.sessions)).one()
    assert secret not in str(row)
    assert row.agent == "Firefox  Set-Cookie: x"
    assert len(secret) == 43
    assert all(sessions.find(shown) is None for shown in (row.digest, session.id, "", "x" * 10_000, "\ud800"))


def test_the_token_of_a_session_belongs_to_it_alone(accounts: Accounts, sessions: Sessions) -> None:
    """Two sessions of one user have different tokens, and the token is not the secret."""
    ann = accounts.create(LOCAL_ACTOR, "ann", None)
    first, second = sessions.open(ann)[0], sessions.open(ann)[0]
    assert guard(first) == guard(first)
    assert len({guard(first), guard(second), first, second}) == 4


def test_sessions_are_seen_and_ended_by_their_owner_only(accounts: Accounts, sessions: Sessions) -> None:
    """Somebody else's session is not there; all but the present one can go at once."""
    ann, ben = (accounts.create(LOCAL_ACTOR, name, None) for name in ("ann", "ben"))
    here, kept = sessions.open(ann, agent="here")
    away, gone = sessions.open(ann, agent="away")
    sessions.open(ann, agent="third")
    assert {one.agent for one in sessions.list(Actor(ann.id))} == {"here", "away", "third"}
    for wrong in (gone.id, gone.id[:31], "", "%", "x" * 32):
        with pytest.raises(NotFound):
            sessions.close(Actor(ben.id), wrong)
    with pytest.raises(Forbidden):
        sessions.close(Actor(ann.id, key="k"), gone.id)
    sessions.close(Actor(ann.id), gone.id)
    assert sessions.find(away) is None
    assert sessions.close_all(Actor(ann.id), but=kept.id) == 1
    assert sessions.find(here) is not None
    sessions.forget(here)
    assert sessions.list(Actor(ann.id)) == []


def test_sessions_that_are_over_are_taken_out(
    accounts: Accounts, sessions: Sessions, clock: Clock, platform: Platform
) -> None:
    """Their rows go; those that last stay."""
    ann = accounts.create(LOCAL_ACTOR, "ann", None)
    sessions.open(ann)
    clock.now += 14 * 86_400
    sessions.open(ann)
    sessions.sweep(clock.now)
    with platform.sql.reading() as connection:
        assert len(connection.execute(select(tables.sessions)).all()) == 1


def _audited(platform: Platform) -> list[str]:
    with platform.sql.reading() as connection:
        wanted = select(tables.audit.c.action).order_by(tables.audit.c.number)
        return list(connection.execute(wanted).scalars())


def test_what_admins_do_is_in_the_audit(accounts: Accounts, platform: Platform) -> None:
    """Every change of an account is recorded, and no password or name of a person."""
    made = accounts.create(LOCAL_ACTOR, "ann", GOOD)
    accounts.update(LOCAL_ACTOR, made.id, role="admin", limits={"dollars": Decimal(3)})
    accounts.set_password(LOCAL_ACTOR, made.id, OTHER)
    assert _audited(platform) == ["user.created", "user.changed", "user.password_changed"]
    with platform.sql.reading() as connection:
        rows = str(connection.execute(select(tables.audit)).all())
    assert not any(secret in rows for secret in (GOOD, OTHER, "ann", "argon2"))
