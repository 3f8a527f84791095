"""A server's refusals in the words of the command line."""

from __future__ import annotations

import pytest

from autodub.cli import jobs_words
from autodub.client import ApiError


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Give `consent` (who they are, and what was agreed), or a `consent_id`.",
            "Give --consent-of and --consent (who they are, and what was agreed), or a --consent-id.",
        ),
        ("Name it in `engines.translator`, too.", "Name it in --translator, too."),
        ("Dub a part of it: `start` and `end`.", "Dub a part of it: --start and --end."),
        ("The request is not right: speakers must be 1.", "The request is not right: --speakers must be 1."),
        ("The request is not right: wishes.tone is long.", "The request is not right: --tone is long."),
        ("What may be sent is described at /docs.", "See: autodub jobs submit --help"),
        ("GET /api/v1/jobs/7/files lists what it has.", "`autodub jobs show` lists what it has."),
        ("Run `autodub doctor` or `something`.", "Run `autodub doctor` or `something`."),
    ],
)
def test_fields_become_options(said: str, told: str) -> None:
    """And addresses the commands that ask them; other words stay."""
    assert jobs_words.in_options(said) == told


def test_a_refused_batch_says_which_of_its_jobs() -> None:
    """By their input and language, the first ten."""
    wrong = tuple({"where": f"sources.1, targets.{n}", "why": "Give `spoken`."} for n in range(12))
    error = ApiError(422, "bad_request", "No.", errors=({"where": "name", "why": "x"}, *wrong))
    found = jobs_words.places(error, ["a.mp4", "b.mp4"], [f"l{n}" for n in range(12)])
    assert found[0] == "b.mp4 into l0: Give --from."
    assert (len(found), found[-1]) == (11, "... and 2 more")
