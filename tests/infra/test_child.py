"""Worker processes: order, errors, crashes, hangs, cancellation, no leaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from autodub.infra.child import Workers
from autodub.model.errors import BadAnswer, Cancelled, EngineCannot, Unreachable

WORKER = """
import os, sys, time
from autodub.infra.child import serve
from autodub.model.errors import EngineCannot

def handler(request):
    what, value = request
    if what == "echo":
        return value
    if what == "sleep":
        time.sleep(value)
        return value
    if what == "pid":
        time.sleep(0.2)
        return os.getpid()
    if what == "print":
        print("chatter on stdout")
        os.system("echo more of it")
        return value
    if what == "crash":
        raise RuntimeError("the model is broken")
    if what == "die":
        os.kill(os.getpid(), 9)
    if what == "noisy":
        sys.stderr.write("x" * 1_000_000 + chr(10))
        sys.stderr.flush()
        return value
    if what == "refuse":
        raise EngineCannot("No Klingon.", hint="Learn it.")
    if what == "nonsense":
        os.write(3, b"")
    return {"environment": sorted(os.environ), "argv": sys.argv[1:]}

serve(handler)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A worker module that can misbehave in every way."""
    (tmp_path / "worker_for_test.py").write_text(WORKER, encoding="utf-8")
    (tmp_path / "babbler_for_test.py").write_text(
        "print('not json', flush=True); input(); input()", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "worker_for_test"


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_answers_come_in_request_order(module: str) -> None:
    """Three workers finishing out of order still answer in the order asked, with progress counted."""
    seen: list[tuple[int, int]] = []
    requests = [["sleep", 0.3], ["sleep", 0.0], ["sleep", 0.1], ["echo", "é\n中"]]
    with Workers(module, count=3) as workers:
        answers = workers.map(requests, deadline=20, progress=lambda done, all_: seen.append((done, all_)))
    assert answers == [0.3, 0.0, 0.1, "é\n中"]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_workers_run_at_once_and_are_kept(module: str) -> None:
    """Two workers share the requests, live on between calls, and are gone afterwards."""
    with Workers(module, count=2) as workers:
        first = workers.map([["pid", 0]] * 4, deadline=20)
        again = workers.call(["pid", 0], deadline=20)
        assert len(set(first)) == 2
        assert again in first
        assert all(map(alive, first))
    assert not any(map(alive, first))


def test_nothing_is_started_for_nothing(module: str) -> None:
    """No request, no process."""
    with Workers("no.such.module", count=2) as workers:
        assert workers.map([], deadline=1) == []


def test_library_chatter_does_not_disturb(module: str) -> None:
    """What a library (or its child) prints goes to stderr, and a flood of it neither blocks nor is kept."""
    with Workers(module) as workers:
        assert workers.call(["print", 7], deadline=20) == 7
        assert workers.call(["noisy", 8], deadline=20) == 8


def test_large_request_and_answer(module: str) -> None:
    """Values far larger than a pipe's buffer travel both ways."""
    text = "x" * 3_000_000
    with Workers(module) as workers:
        assert workers.call(["echo", text], deadline=30) == text


def test_errors_of_the_tree_travel(module: str) -> None:
    """A handler's error arrives as the same class with message and hint, and the pool can be used again."""
    with Workers(module, engine="klingon") as workers:
        with pytest.raises(EngineCannot) as caught:
            workers.call(["refuse", 0], deadline=20)
        assert (caught.value.message, caught.value.hint) == ("No Klingon.", "Learn it.")
        assert workers.call(["echo", 1], deadline=20) == 1


@pytest.mark.parametrize(
    ("request_", "reason"), [(["crash", 0], "RuntimeError: the model is broken"), (["die", 0], "signal 9")]
)
def test_crash_is_unreachable(module: str, request_: list[object], reason: str) -> None:
    """A worker that dies gives Unreachable with its last words; the other workers are stopped too."""
    with Workers(module, count=2) as workers:
        pids = workers.map([["pid", 0]] * 2, deadline=20)
        with pytest.raises(Unreachable, match=reason):
            workers.map([["sleep", 30], request_], deadline=60)
        assert not any(map(alive, pids))


def test_missing_module_is_unreachable(module: str) -> None:
    """A module that cannot be run is reported, not waited for."""
    with Workers("no_such_module_anywhere") as workers, pytest.raises(Unreachable, match="No module named"):
        workers.call(1, deadline=20)


def test_nonsense_is_a_bad_answer(module: str) -> None:
    """A line that is no answer is BadAnswer."""
    with Workers("babbler_for_test", engine="babbler") as workers, pytest.raises(BadAnswer, match="not json"):
        workers.call(1, deadline=20)


def test_deadline_kills(module: str) -> None:
    """A hanging worker is killed at its deadline and reported as Unreachable."""
    with Workers(module) as workers:
        pid = workers.call(["pid", 0], deadline=20)
        with pytest.raises(Unreachable, match=r"within 0\.3 seconds"):
            workers.call(["sleep", 60], deadline=0.3)
        assert not alive(pid)


def test_cancel_kills(module: str) -> None:
    """What ``check`` raises comes out, and no worker is left."""

    def check() -> None:
        if pids:
            raise Cancelled("Stopped.")

    pids: list[int] = []
    with Workers(module) as workers:
        pids.append(workers.call(["pid", 0], deadline=20))
        with pytest.raises(Cancelled):
            workers.call(["sleep", 60], deadline=60, check=check)
        assert not alive(pids[0])


def test_reduced_environment(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker sees no secret of ours, only what it needs and is given."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with Workers(module, arguments=["--fast"], environment={"EXTRA": "1"}) as workers:
        seen = workers.call(["look", 0], deadline=20)
    assert "OPENAI_API_KEY" not in seen["environment"]
    assert {"EXTRA", "PATH"} <= set(seen["environment"])
    assert seen["argv"] == ["--fast"]


def test_no_descriptor_leaks(module: str) -> None:
    """Crashing and closing pools again and again leaves no open file behind."""
    count = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(3):
        with Workers(module, count=2) as workers, pytest.raises(Unreachable):
            workers.map([["echo", 1], ["die", 0]], deadline=20)
    if count:
        assert len(list(Path("/proc/self/fd").iterdir())) == count


def test_worker_dies_with_its_caller(module: str, tmp_path: Path) -> None:
    """After kill -9 of the caller a busy worker is gone too."""
    script = textwrap.dedent("""
        from autodub.infra.child import Workers
        with Workers("worker_for_test") as workers:
            print(workers.call(["pid", 0], deadline=20), flush=True)
            workers.call(["sleep", 60], deadline=60)
    """)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment) as caller:
        assert caller.stdout is not None
        pid = json.loads(caller.stdout.readline())
        caller.send_signal(signal.SIGKILL)
        caller.wait()
    for _ in range(100):
        if not alive(pid):
            break
        time.sleep(0.05)
    assert not alive(pid)


def test_zero_workers_is_a_mistake() -> None:
    """A pool of none is refused."""
    with pytest.raises(ValueError, match="at least one"):
        Workers("x", count=0)


def test_another_interpreter_sees_this_package_and_none_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker under another interpreter serves as ever, with that interpreter's own packages only."""
    place = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (tmp_path / "seer_for_test.py").write_text(
        "import importlib.util, sys\n"
        "from autodub.infra.child import serve\n"
        "find = importlib.util.find_spec\n"
        "serve(lambda names: [sys.prefix, sys.argv[1:], [find(name) is not None for name in names]])\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "of_the_parent"))
    with Workers(
        "seer_for_test",
        arguments=["a", "b"],
        environment={"PYTHONPATH": str(tmp_path)},
        python=place / "bin" / "python",
    ) as workers:
        prefix, arguments, seen = workers.call(["autodub", "autodub.model.errors", "pydantic"], deadline=20)
    assert Path(prefix) == place
    assert arguments == ["a", "b"]
    assert seen == [True, True, False]


def test_an_interpreter_that_is_gone_is_said(tmp_path: Path) -> None:
    """A missing interpreter is an error with a sentence, not a traceback."""
    with Workers("sphinx_worker", python=tmp_path / "nowhere") as workers, pytest.raises(EngineCannot) as no:
        workers.call([], deadline=5)
    assert "cannot be started" in no.value.message
    assert str(tmp_path / "nowhere") in no.value.hint
