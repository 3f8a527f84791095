"""Rented voices: shared, given back, and never lost, whatever is killed when."""

import json
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rental_account import ACCOUNT, Account, rent

from autodub.gateway.rentals import PREFIX, Rentals
from autodub.gateway.store import Store
from autodub.gateway.tenant import Tenant, sweep
from autodub.model.errors import Busy, Cancelled, Full, Refused, Unreachable

SCRIPT = Path(__file__).with_name("rental_account.py")


@pytest.fixture
def account(tmp_path):
    """An account with ten places."""
    return Account(tmp_path / "account")


@pytest.fixture
def rentals(store):
    """The rentals of an empty store."""
    return store.rentals


def _process(store, account, identities="voice", end="give back"):
    command = [sys.executable, str(SCRIPT), str(store.data_dir), str(account.folder), identities, end]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_voice_is_rented_once_per_job_and_given_back(rentals, account):
    """The second line costs nothing; at the end the account is as it was, and nothing is recorded."""
    events = []
    tenant = Tenant(rentals, told=lambda rental, *, is_back: events.append((is_back, rental.name)))
    handle = rent(tenant, account)
    assert rent(tenant, account) == handle
    (name,) = account.made
    assert name.startswith(PREFIX)
    assert tenant.names() == (name,)
    back = tenant.give_back(ACCOUNT, account, keep=False)
    assert (back.deleted, back.failed) == ((name,), ())
    assert account.voices() == {}
    assert rentals.all() == ()
    assert events == [(False, name), (True, name)]


def test_a_voice_found_in_the_records_and_lost_meanwhile_is_not_held(store, account):
    """Who looked it up just before another line said that it is gone does not bring it back."""
    old = rent(Tenant(store.rentals), account)
    account.forget(old)
    tenant = Tenant(store.rentals)
    told = []

    class Slow(type(store.rentals)):
        def find(self, *place):
            found = super().find(*place)
            if not told:
                told.append(threading.Thread(target=tenant.lost, args=(ACCOUNT, "voice", old)))
                told[0].start()
                told[0].join(0.5)  # without a lock it would be over by now
            return found

    store.rentals.__class__ = Slow
    assert rent(tenant, account) == old
    told[0].join()
    new = rent(tenant, account)
    assert new != old
    assert new in account.voices().values()


def test_the_record_is_there_before_the_provider_is_asked(rentals, account):
    """While a voice is being made its name is known already, so that a crash leaves a trace."""
    seen = []

    def make(name):
        seen.extend(rentals.all())
        return account.make(name)

    Tenant(rentals).rent(ACCOUNT, "v", make, engine="cloner.e", landlord=account, check=lambda: None)
    (pending,) = seen
    assert (pending.state, pending.handle, pending.name) == ("pending", None, account.made[0])
    (ready,) = rentals.all()
    assert (ready.state, ready.handle) == ("ready", account.voices()[ready.name])


def test_threads_share_one_voice(rentals, account):
    """Eight lines that begin together in one voice rent it once."""
    account.slow = 0.02
    tenant = Tenant(rentals)
    with ThreadPoolExecutor(8) as pool:
        handles = set(pool.map(lambda _: rent(tenant, account), range(8)))
    assert len(handles) == len(account.made) == 1


def test_two_jobs_of_a_process_share_a_voice_and_the_last_one_gives_it_back(rentals, account):
    """Whoever is done first leaves it to the other."""
    one, two = Tenant(rentals), Tenant(rentals)
    assert rent(one, account) == rent(two, account)
    assert len(account.made) == 1
    assert one.give_back(ACCOUNT, account, keep=False).in_use == (account.made[0],)
    assert len(account.voices()) == 1
    assert two.give_back(ACCOUNT, account, keep=False).deleted == (account.made[0],)
    assert account.voices() == {}


def test_two_processes_and_two_threads_make_one_voice(store, account):
    """However many want the same voice, it is made once, and the last to leave deletes it."""
    processes = [_process(store, account, end="wait") for _ in range(2)]
    tenant = Tenant(store.rentals)
    account.slow = 0.01
    with ThreadPoolExecutor(2) as pool:
        handles = set(pool.map(lambda _: rent(tenant, account), range(2)))
    handles |= {json.loads(process.stdout.readline())["voice"] for process in processes}
    assert len(handles) == 1
    assert len((account.folder / "made").read_text().split()) == 1
    assert tenant.give_back(ACCOUNT, account, keep=False).deleted == ()
    for process in processes:
        assert len(account.voices()) == 1
        process.communicate("\n", timeout=30)
    assert account.voices() == {}
    assert store.rentals.all() == ()


def test_a_killed_holder_holds_nothing(store, account):
    """The kernel frees what a killed process used: the next job takes the voice over and gives it back."""
    process = _process(store, account, end="wait")
    (handle,) = json.loads(process.stdout.readline()).values()
    tenant = Tenant(store.rentals)
    assert rent(tenant, account) == handle
    process.kill()
    process.communicate()
    tenant.give_back(ACCOUNT, account, keep=False)
    assert account.voices() == {}
    assert account.made == []


def test_killed_at_any_instant_nothing_is_forgotten(tmp_path):
    """Of twelve jobs killed at random moments every voice left has a record, and a sweep finds them all."""
    chance = random.Random(7)
    store, account = Store(tmp_path / "data"), Account(tmp_path / "account", slots=1000)
    whole = _process(store, account, "a,b,c,d")
    began = time.monotonic()
    whole.communicate()
    length = time.monotonic() - began
    left = 0
    for _ in range(12):
        process = _process(store, account, "a,b,c,d")
        time.sleep(length * chance.uniform(0.0, 0.9))
        process.kill()
        process.communicate()
        known = {rental.name for rental in store.rentals.all()}
        assert account.voices().keys() <= known
        left += len(known)
    swept = sweep(store.rentals, ACCOUNT, account)
    assert account.voices() == {}
    assert swept.failed == ()
    assert {rental.state for rental in store.rentals.all()} <= {
        "stray"
    }  # began, never made; looked for again
    assert left > 0, "no process was killed while it had anything"
    store.close()


def test_what_a_crash_left_is_taken_over(rentals, account):
    """A voice that was made without our hearing of it is found by its name and used."""
    pending = rentals.begin(ACCOUNT, "voice", engine="cloner.e")
    handle = account.make(pending.name)
    assert rent(Tenant(rentals), account) == handle
    assert len(account.made) == 1


def test_a_lost_connection_is_looked_into_before_trying_again(rentals, account):
    """The answer never came, the voice did: the retry finds it instead of making a second one."""

    def cut(name):
        account.make(name)
        raise Unreachable("connection reset")

    tenant = Tenant(rentals)
    with pytest.raises(Unreachable):
        tenant.rent(ACCOUNT, "voice", cut, engine="cloner.e", landlord=account, check=lambda: None)
    handle = rent(tenant, account)
    assert account.voices() == {account.made[0]: handle}
    tenant.give_back(ACCOUNT, account, keep=False)
    assert (account.voices(), rentals.all()) == ({}, ())


def test_what_never_turned_up_is_looked_for_again(store, account, clock):
    """A request that left no voice may still make one: the record goes only after an hour without one."""
    rentals = Rentals(store._database, store.data_dir / "rentals", clock=clock)

    def cut(name):
        raise Unreachable("no answer")

    tenant = Tenant(rentals)
    for _ in range(2):
        with pytest.raises(Unreachable):
            tenant.rent(ACCOUNT, "voice", cut, engine="cloner.e", landlord=account, check=lambda: None)
    rent(tenant, account)
    back = tenant.give_back(ACCOUNT, account, keep=False)
    late = back.unsure[0]
    assert len(back.unsure) == 2
    account.make(late)
    clock.now += 3601
    swept = sweep(rentals, ACCOUNT, account)
    assert swept.deleted == (late,)
    assert (account.voices(), rentals.all()) == ({}, ())


def test_a_voice_that_was_claimed_counts_as_used(store, tmp_path, clock):
    """Also by a job whose lines were all spoken before."""
    rentals = Rentals(store._database, store.data_dir / "rentals", clock=clock)
    account = Account(tmp_path / "small", slots=2)
    for identity in ("old", "young"):
        job = Tenant(rentals)
        rent(job, account, identity)
        job.release()
        clock.now += 86_400
    again = Tenant(rentals)
    again.claim(ACCOUNT, "old", check=lambda: None)
    again.release()
    rent(Tenant(rentals), account, "new")
    assert sorted(rental.identity for rental in rentals.all()) == ["new", "old"]


@pytest.mark.parametrize("error", [Refused("no cloning", whole_account=False), Busy("later")])
def test_a_clear_failure_leaves_no_record(rentals, account, error):
    """Where the provider said no, there is nothing to look for."""

    def refuse(_name):
        raise error

    with pytest.raises(type(error)):
        Tenant(rentals).rent(ACCOUNT, "v", refuse, engine="e.e", landlord=account, check=lambda: None)
    assert rentals.all() == ()
    assert account.looked == 0


def test_a_voice_deleted_behind_our_back_is_made_once_more(rentals, account):
    """Several lines find it gone: one new voice, whoever reports it how often."""
    tenant = Tenant(rentals)
    old = rent(tenant, account)
    account.forget(old)
    tenant.lost(ACCOUNT, "voice", old)
    new = rent(tenant, account)
    tenant.lost(ACCOUNT, "voice", old)
    assert rent(tenant, account) == new != old
    assert len(account.made) == 2
    tenant.give_back(ACCOUNT, account, keep=False)
    assert (account.voices(), rentals.all()) == ({}, ())


def test_a_voice_wrongly_called_gone_is_deleted_all_the_same(rentals, account):
    """A provider that errs must not leave us with a voice nobody deletes."""
    tenant = Tenant(rentals)
    tenant.lost(ACCOUNT, "voice", rent(tenant, account))
    rent(tenant, account)
    assert len(tenant.give_back(ACCOUNT, account, keep=False).deleted) == 2
    assert account.voices() == {}


def test_a_full_account_loses_our_oldest_unused_voice(rentals, account):
    """No place left: the least recently used voice that nobody uses makes room, once."""
    account.slots = 2
    for name in ("oldest", "newer"):
        tenant = Tenant(rentals)
        rent(tenant, account, name)
        tenant.release()
    names = {rental.identity: rental.name for rental in rentals.all()}
    assert rentals.all()[0].identity == "oldest"
    rent(Tenant(rentals), account, "third")
    assert names["oldest"] not in account.voices()
    assert names["newer"] in account.voices()


def test_a_full_account_with_nothing_of_ours_to_free_is_full(rentals, account):
    """Voices in use, and those that are not ours, stay."""
    account.slots = 2
    account.make("somebody else's")
    using = Tenant(rentals)
    rent(using, account, "in use")
    with pytest.raises(Full):
        rent(Tenant(rentals), account, "third")
    with pytest.raises(Full):
        rent(Tenant(rentals), account, "third", landlord=None)
    assert len(account.voices()) == 2
    assert len(rentals.all()) == 1


def test_kept_voices_stay_and_are_used_again(rentals, account):
    """What was kept on request is there for the next dub, which does not delete it either."""
    first, second = Tenant(rentals), Tenant(rentals)
    handle = rent(first, account)
    assert first.give_back(ACCOUNT, account, keep=True).kept == (account.made[0],)
    assert rent(second, account) == handle
    assert second.give_back(ACCOUNT, account, keep=False).kept == (account.made[0],)
    assert sweep(rentals, ACCOUNT, account).kept == (account.made[0],)
    assert len(account.voices()) == 1
    assert sweep(rentals, ACCOUNT, account, kept=True).deleted == (account.made[0],)
    assert account.voices() == {}


def test_a_deletion_that_fails_is_recorded_and_tried_again(rentals, account):
    """A job never fails for it; the next one, or a sweep, deletes what is left."""
    tenant = Tenant(rentals)
    rent(tenant, account)

    class Down(Account):
        def forget(self, handle):
            raise Unreachable("no answer")

    back = tenant.give_back(ACCOUNT, Down(account.folder), keep=False)
    assert back.failed == ((account.made[0], "no answer"),)
    (left,) = rentals.all()
    assert (left.state, left.trouble) == ("leaving", "no answer")
    other = Tenant(rentals)
    assert rent(other, account) != left.handle
    assert len(other.give_back(ACCOUNT, account, keep=False).deleted) == 2
    assert (account.voices(), rentals.all()) == ({}, ())


def test_a_request_to_stop_leaves_the_rest_for_another_day(rentals, account):
    """Stopped while giving back: recorded as leaving, not as a failure of the job's."""

    class Stopping(Account):
        def forget(self, handle):
            raise Cancelled("stop")

    tenant = Tenant(rentals)
    rent(tenant, account)
    with pytest.raises(Cancelled):
        tenant.give_back(ACCOUNT, Stopping(account.folder), keep=False)
    assert sweep(rentals, ACCOUNT, account).deleted == (account.made[0],)


def test_waiting_to_give_back_can_be_stopped(rentals, account):
    """While somebody looks at one voice a stop is heard, and none of them counts as used any more."""
    tenant = Tenant(rentals)
    for identity in ("first", "second"):
        rent(tenant, account, identity)

    def stop():
        raise Cancelled("stop")

    with rentals.alone(ACCOUNT, "first"), pytest.raises(Cancelled):
        tenant.give_back(ACCOUNT, account, keep=False, check=stop)
    assert not any(rentals.is_used(rental) for rental in rentals.all())
    assert len(sweep(rentals, ACCOUNT, account).deleted) == 2


def test_looking_whether_a_voice_is_used_disturbs_nobody(rentals, account):
    """Jobs rent and give back a voice while somebody looks at it all the time: none fails, none stays."""
    is_over = threading.Event()

    def look():
        while not is_over.is_set():
            for rental in rentals.all():
                rentals.is_used(rental)

    def work(_):
        tenant = Tenant(rentals)
        rent(tenant, account)
        return tenant.give_back(ACCOUNT, account, keep=False).failed

    with ThreadPoolExecutor(3) as pool:
        looking = pool.submit(look)
        assert [work(n) for n in range(20)] == [()] * 20
        is_over.set()
        looking.result()
    sweep(rentals, ACCOUNT, account)
    assert (account.voices(), rentals.all()) == ({}, ())


def test_a_sweep_leaves_strangers_and_live_jobs_alone(rentals, account):
    """Only what is recorded here and unused is deleted, under whichever key of the provider's it was made."""
    account.make("somebody's voice")
    account.make(PREFIX + "of-another-machine")
    using = Tenant(rentals)
    rent(using, account, "in use")
    old = rentals.begin("stand:old-key", "v", engine="cloner.e")
    rentals.change(old.token, state="ready", handle=account.make(old.name))
    far = rentals.begin("elsewhere:0", "v", engine="cloner.x")
    swept = sweep(rentals, ACCOUNT, account)
    assert swept.deleted == (old.name,)
    assert len(swept.in_use) == 1
    assert len(account.voices()) == 3
    assert {rental.token for rental in rentals.all()} >= {far.token}


class Blind(Account):
    """One whose key may make and delete voices, and not list them."""

    def rented(self, prefix):
        raise Refused("missing_permissions", whole_account=False)


def test_a_key_that_may_not_look_makes_a_voice_again(rentals, account):
    """After an answer that never came nobody can look for it: another is made, the first remembered."""

    def lost(name):
        account.make(name)
        raise Unreachable("The answer broke off.")

    tenant, blind = Tenant(rentals), Blind(account.folder)
    with pytest.raises(Unreachable):
        tenant.rent(ACCOUNT, "v", lost, engine="cloner.e", landlord=blind, check=lambda: None)
    handle = tenant.rent(ACCOUNT, "v", account.make, engine="cloner.e", landlord=blind, check=lambda: None)
    assert account.voices()[account.made[1]] == handle
    assert sorted(rental.state for rental in rentals.all()) == ["ready", "stray"]


def test_a_key_that_may_not_look_into_the_account_sweeps_what_it_knows(rentals, account):
    """Voices whose ids are recorded are deleted; only those of other keys are left to those keys."""
    tenant = Tenant(rentals)
    rent(tenant, account)
    tenant.release()
    other = rentals.begin("stand:old-key", "v", engine="cloner.e")
    unsure = rentals.begin(ACCOUNT, "v", engine="cloner.e")
    rentals._clock = lambda: unsure.created + 86_400
    swept = sweep(rentals, ACCOUNT, Blind(account.folder))
    assert swept.deleted == (account.made[0],)
    assert [name for name, _ in swept.failed] == [unsure.name]
    assert {rental.token for rental in rentals.all()} == {other.token, unsure.token}


def test_waiting_for_somebody_elses_voice_can_be_stopped(rentals, account):
    """A job that waits until another has made its voice hears a request to stop."""

    def stop():
        raise Cancelled("stop")

    with rentals.alone(ACCOUNT, "voice"), pytest.raises(Cancelled):
        rent(Tenant(rentals), account, check=stop)
    assert account.made == []


def test_a_job_that_is_over_holds_nothing_it_gets_later(rentals, account):
    """An attempt left behind may still finish its voice: it is recorded, and free for others to delete."""
    tenant = Tenant(rentals)
    tenant.release()
    rent(tenant, account)
    assert tenant.names() == ()
    assert sweep(rentals, ACCOUNT, account).deleted == (account.made[0],)


def test_closing_the_store_lets_go(store, account):
    """A job that ended without a word does not hold its voices for the rest of the process."""
    rent(Tenant(store.rentals), account)
    store.rentals.close()
    assert sweep(store.rentals, ACCOUNT, account).deleted == (account.made[0],)
