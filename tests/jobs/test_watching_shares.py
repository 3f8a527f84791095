"""No user takes all streams of a server."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from desk import Desk

from autodub.jobs.platform import LOCAL_ACTOR
from autodub.jobs.watching import Watching
from autodub.model.errors import TooMany


def test_one_user_may_have_half_of_all_streams(desk: Desk) -> None:
    """The others stay for others; what is closed may be opened again."""
    watching = Watching(desk.sql, desk.jobs, most=4)
    one, other = desk.user("one"), desk.user("other")
    with ExitStack() as stack:
        stack.callback(watching.close)
        first = stack.enter_context(ExitStack())
        first.enter_context(watching.own(one))
        stack.enter_context(watching.job(one, desk.submit(one).id))
        with pytest.raises(TooMany, match="2 of your streams"):
            stack.enter_context(watching.own(one))
        stack.enter_context(watching.own(other))
        first.close()
        stack.enter_context(watching.own(one))


def test_the_local_user_may_have_all_streams(desk: Desk) -> None:
    """There is nobody else."""
    watching = Watching(desk.sql, desk.jobs, most=2)
    with ExitStack() as stack:
        stack.callback(watching.close)
        stack.enter_context(watching.own(LOCAL_ACTOR))
        stack.enter_context(watching.own(LOCAL_ACTOR))
        with pytest.raises(TooMany, match="2 "):
            stack.enter_context(watching.own(LOCAL_ACTOR))
