"""Cloned voices of jobs that are deleted: released with their answers, and given back at the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rental_account import Account

from autodub.engines.roles import EngineOptions, Info, Readiness, Work
from autodub.gateway.accounts import Accounts
from autodub.gateway.gateway import Gateway
from autodub.gateway.giving import give_back_released
from autodub.gateway.store import Answer, Store
from autodub.gateway.tenant import Returned
from autodub.infra import codec
from autodub.model.calls import Clone, Forget, Synthesize
from autodub.model.errors import Unreachable
from autodub.model.media import Audio
from autodub.model.speech import Voice
from autodub.testing.fakes import FakeSynthesizer


class Cloner:
    """Rents a voice for each sample, as a cloud does; its account is a folder."""

    Options: ClassVar[type[EngineOptions]] = EngineOptions
    options = EngineOptions()

    def __init__(self, account: Account) -> None:
        self._account = account
        self.is_down = False

    @classmethod
    def describe(cls) -> Info:
        return Info(name="stand", role="cloner", version="1", lanes=1, resource="net", summary="A stand-in.")

    def readiness(self) -> Readiness:
        return Readiness("ready", "")

    @property
    def account(self) -> str:
        return "stand:0123"

    def pool(self, _verb: str) -> str:
        return "all"

    def clone(self, request: Clone, work: Work) -> Voice:
        voice = Voice("stand", f"clone-of-{request.name}", "es", reference=request.speech)
        work.rent(voice.id, self._account.make)
        return voice

    def forget(self, request: Forget, _work: Work) -> None:
        if self.is_down:
            raise Unreachable("Nobody answers at the provider.")
        self._account.forget(request.handle)

    def rented(self, prefix: str, _work: Work) -> dict[str, str]:
        return self._account.rented(prefix)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An account with ten places."""
    return Account(tmp_path / "account")


@pytest.fixture
def sweeper(tmp_path: Path) -> Iterator[Store]:
    """The store of whoever deletes jobs."""
    store = Store(tmp_path / "data")
    yield store
    store.close()


def dub(tmp_path: Path, engine: Any, name: str, *, owner: str | None, keep: bool = True) -> None:
    """A job that clones one speaker's voice, and keeps it in the account or not."""
    store = Store(tmp_path / "data", owner=owner)
    gateway = Gateway(store, accounts=Accounts())
    with store.blobs.scratch() as folder:
        (folder / "s.wav").write_bytes(name.encode())
        blob = store.blobs.keep(folder / "s.wav")
    sample = Audio(blob, 16_000, 1, 16_000)
    gateway.call(engine, "clone", Clone(Voice("stand", "base", "es"), sample, (), name))
    if keep:
        gateway.give_back(engine, keep=True)
    gateway.close()
    store.close()


@pytest.mark.parametrize("keep", [True, False])
def test_the_last_job_with_a_voice_takes_it_along(
    tmp_path: Path, account: Account, sweeper: Store, keep: bool
) -> None:
    """A voice of two jobs, kept or left by a crash, is deleted when the second one is, and no other is."""
    engine = Cloner(account)
    dub(tmp_path, engine, "ann", owner="a", keep=keep)
    dub(tmp_path, engine, "ann", owner="b", keep=keep)
    dub(tmp_path, engine, "bob", owner="b", keep=keep)
    dub(tmp_path, engine, "eve", owner=None, keep=keep)
    assert len(account.made) == 3
    assert sweeper.release("a").voices == ()
    assert give_back_released(sweeper, [engine]) == Returned()
    assert sweeper.release("b").voices == ("clone-of-ann", "clone-of-bob")
    returned = give_back_released(sweeper, [FakeSynthesizer(), engine])
    assert sorted(returned.deleted) == sorted(account.made[:2])
    assert list(account.voices()) == account.made[2:]
    assert [rental.name for rental in sweeper.rentals.all()] == account.made[2:]
    assert give_back_released(sweeper, [engine]) == Returned()


def test_a_provider_that_does_not_answer_is_asked_again(
    tmp_path: Path, account: Account, sweeper: Store
) -> None:
    """What could not be deleted is told with the reason and deleted by a later call, without a release."""
    engine = Cloner(account)
    dub(tmp_path, engine, "ann", owner="a")
    sweeper.release("a")
    (name,) = account.made
    nobody = give_back_released(sweeper, [])
    assert nobody.failed == ((name, "No engine at hand opens its account (cloner.stand)."),)
    engine.is_down = True
    assert give_back_released(sweeper, [engine], accounts=Accounts()).failed == (
        (name, "Nobody answers at the provider."),
    )
    assert sweeper.rentals.all()[0].trouble == "Nobody answers at the provider."
    engine.is_down = False
    assert give_back_released(sweeper, [engine], accounts=Accounts()).deleted == (name,)
    assert account.voices() == {}


def test_a_voice_that_is_spoken_with_again_is_not_given_back(
    tmp_path: Path, account: Account, sweeper: Store
) -> None:
    """A job that clones the same sample between release and sweep keeps the voice."""
    engine = Cloner(account)
    dub(tmp_path, engine, "ann", owner="a")
    assert sweeper.release("a").voices == ("clone-of-ann",)
    dub(tmp_path, engine, "ann", owner="b")
    assert len(account.made) == 1
    assert give_back_released(sweeper, [engine]) == Returned()
    assert len(account.voices()) == 1


def test_a_voice_in_use_is_left_to_its_job(tmp_path: Path, account: Account, sweeper: Store) -> None:
    """A released voice that a running job still speaks with is passed over, and deleted once it has ended."""
    engine = Cloner(account)
    dub(tmp_path, engine, "ann", owner="a")
    rental = sweeper.rentals.all()[0]
    lock = sweeper.rentals.use(rental.token)
    assert lock.take(shared=True)
    sweeper.release("a")
    assert give_back_released(sweeper, [engine]).in_use == (rental.name,)
    assert len(account.voices()) == 1
    lock.free()
    assert give_back_released(sweeper, [engine]).deleted == (rental.name,)


def test_what_only_sounds_like_a_clone_is_no_rental(tmp_path: Path, sweeper: Store) -> None:
    """Answers of other verbs, and damaged ones, release no voice."""
    store = Store(tmp_path / "data", owner="a")
    voice = Voice("fake", "fake-1", "es")
    Gateway(store).call(FakeSynthesizer(), "synthesize", Synthesize("hola", voice))
    store.put("k1", Answer("cloner.x", "1", "clone", "no voice", (), (), 0.0))
    store.put("k2", Answer("translator.x", "1", "translate", codec.dump(voice), (), (), 0.0))
    store.close()
    released = sweeper.release("a")
    assert released.voices == ()
    assert released.answers == 3
