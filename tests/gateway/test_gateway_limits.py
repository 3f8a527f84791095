"""Whose turn it is at an account, and the share of it that a process keeps to when it is alone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest
from cloud import CloudSynthesizer

from autodub.gateway.accounts import EVERYBODY, Accounts
from autodub.gateway.gateway import Gateway
from autodub.gateway.lanes import Lanes, Turn
from autodub.gateway.membership import Apart, Membership, Outage
from autodub.gateway.shared_accounts import SharedAccounts
from autodub.infra import settings
from autodub.model.errors import Unavailable
from autodub.model.request import DubRequest
from autodub.pipeline.making import running
from autodub.pipeline.policy import Anything


@pytest.mark.parametrize(
    ("members", "lanes", "share"), [(3, 5, 1), (3, 10, 3), (1, 8, 8), (12, 5, 1), (0, 8, 1), (2, 1, 1)]
)
def test_the_share_of_a_process(members: int, lanes: int, share: int) -> None:
    """The limit divided by the processes last seen, at least one; one where none were ever seen."""
    assert Outage("away", members).share(lanes) == share


class Watched(Lanes):
    """Gates that remember whose calls they let in."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Turn] = []

    @contextmanager
    def enter(self, *given, job, **more) -> Iterator:  # type: ignore[no-untyped-def, override]
        self.turns.append(job)
        with super().enter(*given, job=job, **more) as ticket:
            yield ticket


def test_all_calls_of_a_job_are_one_turn_of_its_user(store, say) -> None:  # type: ignore[no-untyped-def]
    """And two jobs of a user are two; who has no user is alone."""
    accounts = Accounts()
    accounts.lanes = lanes = Watched()
    for user in ("ann", "ann", ""):
        gateway = Gateway(store, accounts=accounts, user=user)
        for text in ("one", "two"):
            gateway.call(CloudSynthesizer(), "synthesize", say(f"{text} {len(lanes.turns)}"))
        gateway.close()
    first, again, other, _, nobody, _ = lanes.turns
    assert first is again
    assert (first.who, other.who) == ("ann", "ann")
    assert len({first.job, other.job, nobody.job}) == 3
    assert nobody.who == nobody.job


def test_a_dub_is_a_turn_of_who_its_policy_says(  # type: ignore[no-untyped-def]
    tmp_path, say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server that is the job's owner."""
    lanes = Watched()
    monkeypatch.setattr(EVERYBODY, "lanes", lanes)
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    request = DubRequest(source="clip.mp4", target="es", output=str(tmp_path / "out.mp4"))
    policy = Anything()
    monkeypatch.setattr(policy, "user", "ann")
    asked = running(request, settings=known, listener=lambda _: None, cancel=None, policy=policy)
    with asked as (run, _):
        run.gateway.call(CloudSynthesizer(), "synthesize", say())
    assert [turn.user for turn in lanes.turns] == ["ann"]


def test_a_call_that_is_under_way_is_counted_although_there_is_no_room() -> None:
    """It takes a lane from those that come after it."""
    lanes = Lanes()
    held = [lanes.hold("e", 2, job=Turn()) for _ in range(3)]

    def stop() -> None:
        raise Apart

    for one in held[:2]:
        with pytest.raises(Apart), lanes.enter("e", 2, stop):
            pytest.fail("it was let in")
        lanes.free(one)
    with lanes.enter("e", 2, stop):
        pass


class Memory:
    """A memory that answers or does not."""

    def __init__(self) -> None:
        self.is_away = True
        self.asked: list[str] = []

    def ask(self, *question: str | int) -> list[object]:
        self.asked.append(str(question[0]))
        if self.is_away:
            raise Unavailable("It is away.")
        return {
            "join": [4], "beat": [4], "ready": [], "leave": [], "release": [0, 9, 9, 0],
            "acquire": ["granted", 0, 9, 9, 0, "good"],
        }[str(question[0])]  # fmt: skip

    def ask_all(self, questions: Sequence[Sequence[str | int]]) -> list[list[object]]:
        if self.is_away:
            raise Unavailable("It is away.")
        return [[] for _ in questions]

    def listen(self, me: str, heard: Callable[[Sequence[str]], None], is_over: Callable[[], bool]) -> None:
        while not is_over():
            threading.Event().wait(0.01)

    def close(self) -> None:
        """Nothing is held."""


def test_nobody_waits_for_a_memory_that_is_known_to_be_away(caplog: pytest.LogCaptureFixture) -> None:
    """The first call finds out, for all; it is said once, and looked for by a thread of its own."""
    caplog.set_level(logging.WARNING, logger="autodub.limits")
    memory = Memory()
    with closing(SharedAccounts(memory)) as accounts:
        for _ in range(50):
            with accounts.lanes.enter("cloud:1/speech", 8, lambda: None) as ticket:
                assert "away" in ticket.apart
                accounts.lanes.answered(ticket)
        assert memory.asked.count("acquire") == 1
        assert "release" not in memory.asked
        (record,) = caplog.records
        assert record.getMessage() == "It is away. This process keeps to a share of each: one call at a time."
        memory.is_away = False
        outage = accounts.membership.outage
        assert outage is None or outage.over.wait(60)
        with accounts.lanes.enter("cloud:1/speech", 8, lambda: None) as ticket:
            assert not ticket.apart
        assert accounts.membership.members == 4
    assert len(caplog.records) == 2


def test_a_process_that_never_asks_is_no_member() -> None:
    """Servers and commands that call no provider take nothing of the others' shares."""
    memory = Memory()
    membership = Membership(memory)
    membership.close()
    assert memory.asked == []
