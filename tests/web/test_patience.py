"""Somebody who sends slowly gets no thread for long, and one address not all of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from autodub.web.patience import GRACE, HEAD, PACE, Line, Patient, Turns


class Clock:
    """A time that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_a_head_must_be_there_in_time(ends: tuple[socket.socket, socket.socket]) -> None:
    """However steadily it drips."""
    clock, (here, there) = Clock(), ends
    patient = Patient(here, "a", Turns(None), clock=clock)
    for _ in range(3):
        there.sendall(b"x")
        assert patient.chunk() == b"x"
        clock.now += HEAD / 3
    there.sendall(b"x")
    with pytest.raises(ConnectionResetError):
        patient.chunk()
    patient.begin()  # the next request has its own time
    assert patient.chunk() == b"x"


def test_a_body_must_keep_its_pace(ends: tuple[socket.socket, socket.socket]) -> None:
    """What has come already buys time; a pause of ours costs none."""
    clock, (here, there) = Clock(), ends
    patient = Patient(here, "a", Turns(None), clock=clock)
    patient.headed()
    there.sendall(b"x" * PACE)
    assert len(patient.chunk(PACE)) == PACE
    clock.now += 10 * GRACE  # we were busy
    there.sendall(b"x")
    assert patient.chunk() == b"x"
    patient._waited = GRACE + 2
    with pytest.raises(TimeoutError):
        patient.chunk()


def test_what_does_not_come_at_all_is_given_up(ends: tuple[socket.socket, socket.socket]) -> None:
    """And the connection has its own patience again."""
    clock, (here, _) = Clock(), ends
    here.settimeout(60.0)
    patient = Patient(here, "a", Turns(None), clock=clock)
    patient._began = clock.now - HEAD + 0.01
    with pytest.raises(ConnectionResetError):
        patient.chunk()
    assert here.gettimeout() == 60.0


def test_one_address_has_a_share_of_those_who_wait() -> None:
    """Others come through, and what moves goes on."""
    turns = Turns(1)
    with turns.waiting("a", is_new=True):
        with pytest.raises(ConnectionResetError), turns.waiting("a", is_new=True):
            pass
        with turns.waiting("a", is_new=False), turns.waiting("b", is_new=True):
            pass
    with turns.waiting("a", is_new=True):
        pass


def test_requests_beyond_the_share_of_an_address_wait_in_line() -> None:
    """In their order, and nobody else with them."""
    line: Line[int] = Line(1)
    assert line.enters("a", 1)
    assert not line.enters("a", 2)
    assert not line.enters("a", 3)
    assert line.enters("b", 4)
    assert (line.leaves("a"), line.leaves("a")) == (2, 3)
    assert line.leaves("a") is None
    assert line.enters("a", 5)
