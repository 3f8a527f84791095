"""The threads that answer: few for what is quick, more for what is held up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from autodub.web.crew import Crew

PATIENCE = 60.0


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set at the end, so that nothing stays held up."""
    event = threading.Event()
    yield event
    event.set()


def test_quick_work_is_done_by_few_in_the_order_it_came() -> None:
    """A burst starts no more threads than begin at once, and what came first is taken first."""
    crew = Crew(100, few=1, moment=PATIENCE)
    begun: list[int] = []
    done = [crew.submit(begun.append, number) for number in range(200)]
    for one in done:
        one.result(PATIENCE)
    assert crew.size == 1
    assert begun == list(range(200))


def test_work_is_not_held_up_by_threads_that_are(release: threading.Event) -> None:
    """However many answers are held up, others begin, as far as there may be threads."""
    crew = Crew(32, few=2, moment=0.01)
    stuck = [crew.submit(release.wait, PATIENCE) for _ in range(31)]
    assert crew.submit(lambda: "answered").result(PATIENCE) == "answered"
    assert crew.size == 32
    assert not any(one.done() for one in stuck)


def test_there_are_never_more_threads_than_allowed(release: threading.Event) -> None:
    """What comes when all are held up waits until one is free."""
    crew = Crew(3, few=2, moment=0.001)
    here = threading.Barrier(4)

    def held() -> None:
        here.wait(PATIENCE)
        release.wait(PATIENCE)

    stuck = [crew.submit(held) for _ in range(3)]
    here.wait(PATIENCE)
    late = crew.submit(threading.get_ident)
    with pytest.raises(TimeoutError):
        late.result(0.05)
    release.set()
    assert late.result(PATIENCE)
    assert [one.result(PATIENCE) for one in stuck] == [None] * 3
    assert crew.size == 3


def test_whoever_worked_last_works_next() -> None:
    """Of threads without work the one that became free last takes what comes: its memory is still near."""
    crew = Crew(8, few=3, moment=PATIENCE)
    gates = [threading.Event() for _ in range(3)]
    all_here = threading.Barrier(3)

    def named(gate: threading.Event) -> str:
        all_here.wait(PATIENCE)
        gate.wait(PATIENCE)
        return threading.current_thread().name

    under_way = [crew.submit(named, gate) for gate in gates]
    names = []
    for number in (1, 2, 0):
        gates[number].set()
        names.append(under_way[number].result(PATIENCE))
        while crew.idle < len(names):
            time.sleep(0.001)
    assert len(set(names)) == 3
    assert crew.submit(lambda: threading.current_thread().name).result(PATIENCE) == names[-1]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Set the first, and the system has no room for more threads that answer; the second: one was refused."""
    is_full, refused = threading.Event(), threading.Event()

    class Scarce(threading.Thread):
        def start(self) -> None:
            if is_full.is_set() and self.name.startswith("answers-"):
                refused.set()
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(threading, "Thread", Scarce)
    return is_full, refused


def test_more_threads_begin_once_there_is_room_for_them(
    release: threading.Event, full: tuple[threading.Event, threading.Event]
) -> None:
    """A machine that was full for a moment does not leave the server with few threads for ever."""
    is_full, refused = full
    crew = Crew(4, few=1, moment=0.01)
    crew.submit(release.wait, 2 * PATIENCE)
    second = crew.submit(release.wait, 2 * PATIENCE)
    while crew.size < 2:  # whoever looks after what waits has begun
        time.sleep(0.001)
    is_full.set()
    late = crew.submit(lambda: "answered")
    assert refused.wait(PATIENCE)
    assert not late.done()
    is_full.clear()
    assert late.result(PATIENCE) == "answered"
    assert not second.done()
    assert crew.size > 2


def test_without_a_thread_nothing_is_taken(full: tuple[threading.Event, threading.Event]) -> None:
    """Whoever asks is told; once there is room the next one is answered, and nothing is done late."""
    is_full, _ = full
    crew = Crew(4)
    done: list[int] = []
    is_full.set()
    with pytest.raises(RuntimeError, match="no thread"):
        crew.submit(done.append, 1)
    is_full.clear()
    crew.submit(done.append, 2).result(PATIENCE)
    assert done == [2]


def test_what_goes_wrong_is_told_and_the_thread_goes_on() -> None:
    """An exception reaches whoever waits for the answer, and takes no thread away."""
    crew = Crew(1)
    wrong = crew.submit(int, "x")
    assert isinstance(wrong.exception(PATIENCE), ValueError)
    assert crew.submit(int, "1").result(PATIENCE) == 1
    assert crew.size == 1


def test_a_dismissed_crew_ends_what_it_has(release: threading.Event) -> None:
    """What was taken is done, what waits may be called off, nothing new is taken, and all threads end."""
    crew = Crew(1)
    begun = threading.Event()

    def held() -> str:
        begun.set()
        release.wait(PATIENCE)
        return "done"

    first, second = crew.submit(held), crew.submit(int, "2")
    begun.wait(PATIENCE)
    crew.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="dismissed"):
        crew.submit(int, "3")
    release.set()
    assert (first.result(PATIENCE), second.result(PATIENCE)) == ("done", 2)
    crew.shutdown()


def test_what_waits_may_be_called_off() -> None:
    """With ``cancel_futures`` only what is under way is ended."""
    other = Crew(1)
    held_up = threading.Event()
    busy, waiting = other.submit(held_up.wait, PATIENCE), other.submit(int, "2")
    other.shutdown(wait=False, cancel_futures=True)
    held_up.set()
    other.shutdown()
    assert waiting.cancelled()
    assert busy.done()
