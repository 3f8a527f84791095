"""One job's use of rented voices: rented once, shared, given back at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from autodub.gateway.rentals import PREFIX, Landlord, Rental, Rentals, State
from autodub.infra.storage import Lock
from autodub.model.errors import (
    AutodubError,
    Busy,
    Cancelled,
    EngineCannot,
    EngineError,
    Full,
    Gone,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
)

_CERTAIN = (Busy, EngineCannot, Full, Gone, NoCredit, Refused, Rejected, TooLong)
"""Failures after which nothing was made, for certain."""

_STALE = 3600.0  # seconds: that a voice is used is written at most this often
_SETTLED = 3600.0  # seconds after which a voice that never turned up never will


class Told(Protocol):
    """Hears of a voice that was rented, or given back."""

    def __call__(self, rental: Rental, *, is_back: bool) -> None: ...


def silent(rental: Rental, *, is_back: bool) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of voices that were to be given back; names as the provider knows them."""

    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()
    """Another job speaks with it and will give it back."""
    failed: tuple[tuple[str, str], ...] = ()
    """(name, why) of those that are still in the account; a later sweep tries again."""
    unsure: tuple[str, ...] = ()
    """Asked for, never heard of and not in the account now; a later sweep looks again."""


@dataclass(frozen=True, slots=True)
class _Held:
    rental: Rental
    handle: str
    lock: Lock


class Tenant:
    """What one job has rented. Safe for many threads."""

    def __init__(self, rentals: Rentals, *, told: Told = silent) -> None:
        self._rentals = rentals
        self._told = told
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], _Held] = {}
        self._is_over = False
        rentals.users.add(self)

    def rent(
        self,
        account: str,
        identity: str,
        make: Callable[[str], str],
        *,
        engine: str,
        landlord: Landlord | None,
        check: Callable[[], None],
    ) -> str:
        """The handle known by ``identity``; made now, under a unique name, where there is none.

        Without a ``landlord`` nothing can be looked up or freed: what a crash left is then left to a sweep.
        """
        place = (account, identity)
        with self._lock:
            held = self._held.get(place)
        if held is not None:
            return held.handle
        with self._rentals.alone(account, identity, check):
            with self._lock:
                held = self._held.get(place)
            if held is not None:
                return held.handle
            rental = self._rentals.find(account, identity)
            if rental is not None and rental.state == "pending":
                rental = self._adopt(rental, landlord)
            if rental is None:
                rental = self._make(account, identity, make, engine=engine, landlord=landlord)
            return self._hold(place, rental).handle

    def claim(self, account: str, identity: str, *, check: Callable[[], None]) -> None:
        """Count what an earlier run rented and never gave back as this job's; nothing is rented for it."""
        with self._rentals.alone(account, identity, check):
            with self._lock:
                if (account, identity) in self._held:
                    return
            rental = self._rentals.find(account, identity)
            if rental is not None and rental.state == "ready":
                self._hold((account, identity), rental)

    def lost(self, account: str, identity: str, handle: str) -> None:
        """The provider does not know the handle any more: the next ``rent`` makes another."""
        # Alone: a thread that found the voice in the records just now would hold it once more.
        with self._rentals.alone(account, identity):
            with self._lock:
                held = self._held.get((account, identity))
                if held is not None and held.handle == handle:
                    del self._held[account, identity]
                    held.lock.free()
            self._rentals.lost(account, identity, handle)

    def names(self, account: str | None = None) -> tuple[str, ...]:
        """Names of the voices in use by this job."""
        with self._lock:
            return tuple(
                held.rental.name for (of, _), held in self._held.items() if account is None or of == account
            )

    def give_back(
        self, account: str, landlord: Landlord, *, keep: bool, check: Callable[[], None] = lambda: None
    ) -> Returned:
        """Delete the voices this job used, unless they are to be kept or somebody else uses them.

        What cannot be deleted now is recorded, and tried again by this and by :func:`sweep`. ``check`` is
        called while waiting and may raise.
        """
        with self._lock:
            mine = [place for place in self._held if place[0] == account]
            held = [self._held.pop(place) for place in mine]
        tidy = _Tidying(self._rentals, landlord, told=self._told)
        for one in held:
            one.lock.free()
        for rental in (one.rental for one in held):
            if keep or rental.kept:
                self._rentals.change(rental.token, state="ready", kept=True)
                tidy.kept.append(rental.name)
            else:
                tidy.leave(rental, check=check)
        for rental in self._rentals.all(account):
            if rental.state in ("leaving", "stray"):
                tidy.end(rental)
        return tidy.outcome()

    def release(self) -> None:
        """Say that nothing is in use any more, without giving it back: a later run may go on with it."""
        with self._lock:
            self._is_over = True
            for held in self._held.values():
                held.lock.free()
            self._held.clear()

    def _hold(self, place: tuple[str, str], rental: Rental) -> _Held:
        assert rental.handle is not None
        lock = self._rentals.use(rental.token)
        taken = lock.take(shared=True)
        assert taken, "only who holds the identity may hold this alone"
        if rental.released or self._rentals.now() - rental.used > _STALE:
            self._rentals.change(rental.token, state=rental.state)
        held = _Held(rental, rental.handle, lock)
        with self._lock:
            if self._is_over:  # an attempt that nobody waits for any more has come to its end
                lock.free()
            else:
                self._held[place] = held
        return held

    def _adopt(self, rental: Rental, landlord: Landlord | None) -> Rental | None:
        """A voice that somebody began to make and never finished, if the provider has it."""
        try:
            handle = landlord.rented(rental.name).get(rental.name) if landlord else None
        except Refused as error:
            if error.whole_account:
                raise
            handle = None  # a key may be good for cloning and still not see what there is
        if handle is None:
            self._rentals.change(rental.token, state="stray")  # it may still turn up
            return None
        self._rentals.change(rental.token, state="ready", handle=handle)
        return replace(rental, handle=handle, state="ready")

    def _make(
        self,
        account: str,
        identity: str,
        make: Callable[[str], str],
        *,
        engine: str,
        landlord: Landlord | None,
    ) -> Rental:
        rental = self._rentals.begin(account, identity, engine=engine)
        try:
            try:
                handle = make(rental.name)
            except Full:
                if landlord is None or not free_one(self._rentals, account, landlord, told=self._told):
                    raise
                handle = make(rental.name)
        except _CERTAIN:
            self._rentals.drop(rental.token)
            raise
        self._rentals.change(rental.token, state="ready", handle=handle)
        rental = replace(rental, handle=handle, state="ready")
        self._told(rental, is_back=False)
        return rental


class _Tidying:
    """Deleting voices one by one, and what came of each."""

    def __init__(self, rentals: Rentals, landlord: Landlord, *, told: Told = silent) -> None:
        self._rentals = rentals
        self._landlord = landlord
        self._told = told
        self._found: Mapping[str, str] | None = None
        self._is_blind = False
        self.deleted: list[str] = []
        self.kept: list[str] = []
        self.in_use: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.unsure: list[str] = []

    def outcome(self) -> Returned:
        """What became of them all."""
        return Returned(
            tuple(self.deleted),
            tuple(self.kept),
            tuple(self.in_use),
            tuple(self.failed),
            tuple(self.unsure),
        )

    def found(self) -> Mapping[str, str]:
        """Handles by name of everything of ours in the account, asked for once."""
        if self._found is None:
            self._found = self._landlord.rented(PREFIX)
        return self._found

    def seen(self) -> Mapping[str, str]:
        """The same, nothing where the key may not look or nobody answers."""
        if self._is_blind:
            return {}
        try:
            return self.found()
        except EngineError:
            self._is_blind = True
            return {}

    def leave(self, rental: Rental, *, check: Callable[[], None] | None = None) -> Rental | None:
        """Mark a voice as one to be deleted, unless somebody uses or makes it.

        With a ``check`` to call meanwhile, somebody who is only looking is waited for.
        """
        place = (rental.account, rental.identity)
        alone = self._rentals.alone_now(*place) if check is None else self._rentals.alone(*place, check)
        with alone as is_mine:
            lock = self._rentals.use(rental.token)
            if not is_mine or not lock.take():
                self.in_use.append(rental.name)
                return None
            state: State = "stray" if rental.handle is None else "leaving"
            self._rentals.change(rental.token, state=state)
            lock.free(remove=True)
        return replace(rental, state=state)

    def end(self, rental: Rental) -> bool:
        """Delete a voice that is leaving or stray; whether that has freed its place in the account."""
        try:
            handle = rental.handle or self.found().get(rental.name)
            if handle is not None:
                self._landlord.forget(handle)
        except Cancelled:
            raise
        except AutodubError as error:
            self._rentals.change(rental.token, state=rental.state, trouble=error.message)
            self.failed.append((rental.name, error.message))
            return False
        if handle is None and self._rentals.now() - rental.created < _SETTLED:
            self.unsure.append(rental.name)
            return False
        self._rentals.drop(rental.token)
        if handle is not None:
            self.deleted.append(rental.name)
            self._told(rental, is_back=True)
        return handle is not None


def free_one(rentals: Rentals, account: str, landlord: Landlord, *, told: Told = silent) -> bool:
    """Delete our least recently used voice that nobody uses; those left behind first, kept ones last."""
    tidy = _Tidying(rentals, landlord, told=told)
    order = {"leaving": 0, "stray": 1, "ready": 2}
    known = [rental for rental in rentals.all(account) if rental.state in order]
    for rental in sorted(known, key=lambda one: (order[one.state], one.kept, one.used)):
        leaving = tidy.leave(rental) if rental.state == "ready" else rental
        if leaving is not None and tidy.end(leaving):
            return True
    return False


def sweep(
    rentals: Rentals,
    account: str,
    landlord: Landlord,
    *,
    kept: bool = False,
    before: float = float("inf"),
    only: Callable[[Rental], bool] = lambda _: True,
    told: Told = silent,
) -> Returned:
    """Delete what nobody uses: voices of jobs that were killed, failures to delete, kept ones if asked.

    Only what was last used ``before`` a time (seconds since 1970), and what ``only`` says yes to.

    Rentals under another key of the same provider are deleted too, where this key sees them.
    """
    tidy = _Tidying(rentals, landlord, told=told)
    provider = account.partition(":")[0]
    for rental in rentals.all():
        if rental.used >= before or not only(rental):
            continue
        if rental.account != account:
            is_kin = rental.account.partition(":")[0] == provider
            if not is_kin or rental.name not in tidy.seen():
                continue
        if rental.kept and not kept and rental.state == "ready":
            tidy.kept.append(rental.name)
            continue
        leaving = tidy.leave(rental)
        if leaving is not None:
            tidy.end(leaving)
    return tidy.outcome()
