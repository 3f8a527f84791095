"""What no engine here can do is refused before it is queued, with what would make it possible."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desk import SOURCE, Clock, Desk, Opening
from policy_scene import WHO, Scene
from sqlalchemy import select, update

from autodub.engines import registry
from autodub.engines.roles import Info, Readiness
from autodub.infra import settings
from autodub.jobs.batches import BatchRefused
from autodub.jobs.feasible import SECONDS, Feasible, Given
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import UNSENT, JobSpec
from autodub.jobs.tables import jobs, uploads
from autodub.model.errors import AutodubError, EngineCannot
from autodub.testing import fakes


@pytest.fixture
def address() -> str:
    """The database is asked nothing here that others do not ask of both kinds."""
    return ""


def engine(role: str, *, ready: Readiness | None = None, pairs: Any = None, **facts: Any) -> type[Any]:
    """A class of engines with these facts."""
    kind: type[Any] = fakes.FAKES.get(role, fakes.FakeDetector)

    def describe(_: type[Any]) -> Info:
        return replace(kind.describe(), role=role, **facts)

    def route(_: Any, source: str, target: str) -> str:
        if target not in pairs.get(source, ()):
            raise EngineCannot(
                f"Nothing leads from {source} to {target}.", hint=f"Install {source}-{target}."
            )
        return f"{source}-{target}"

    parts: dict[str, Any] = {"describe": classmethod(describe)}
    if ready is not None:
        parts["readiness"] = lambda _: ready
    if pairs is not None:
        parts |= {"route": route, "pairs": lambda _: pairs}
    return type("Engine", (kind,), parts)


NO_KEY = Readiness("needs key", "CLOUD_KEY is not set", "Set CLOUD_KEY.")
ENGINES: Mapping[tuple[str, str], type[Any]] = {
    ("downloader", "ytdlp"): engine("downloader", name="ytdlp"),
    ("downloader", "local"): engine("downloader", name="local"),
    ("detector", "ears"): engine("detector", name="ears"),
    ("separator", "knife"): engine("separator", name="knife"),
    ("diarizer", "who"): engine("diarizer", name="who"),
    ("transcriber", "english"): engine("transcriber", name="english", languages=frozenset({"en"})),
    ("transcriber", "cloud"): engine("transcriber", name="cloud", resource="net", ready=NO_KEY),
    ("transcriber", "subtitles"): engine("transcriber", name="subtitles"),
    ("translator", "rules"): engine(
        "translator", name="rules", pairs={"en": ("es", "fr"), "pt": ("fr", "de")}
    ),
    ("synthesizer", "robot"): engine(
        "synthesizer", name="robot", languages=frozenset({"en", "es", "fr", "de", "pt"})
    ),
    ("synthesizer", "cloud"): engine("synthesizer", name="cloud", resource="net", ready=NO_KEY),
    ("cloner", "cloud"): engine("cloner", name="cloud", clones="cloud", resource="net", ready=NO_KEY),
}  # fmt: skip


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with these engines and no others."""
    monkeypatch.setattr(registry, "_installed", dict)
    with ExitStack() as stack:
        for (role, name), kind in ENGINES.items():
            stack.enter_context(registry.registered(role, name, kind))
        yield


@pytest.fixture
def desk(only: None, opening: Opening) -> Desk:
    """A platform that looks at its engines."""
    return Desk(opening(check_engines=True))


def refused(desk: Desk, **wishes: Any) -> AutodubError:
    """How a request is refused; that no row was made is asserted on the way."""
    with pytest.raises(AutodubError) as caught:
        desk.jobs.submit(LOCAL_ACTOR, JobSpec.model_validate({"source": SOURCE, "target": "es"} | wishes))
    with desk.sql.reading() as connection:
        assert connection.execute(select(jobs)).all() == []
    return caught.value


@pytest.mark.parametrize(
    ("wishes", "code", "why", "fix"),
    [
        ({"target": "zu"}, "engine_cannot", "robot does not know Zulu", "Set CLOUD_KEY."),
        ({"target": "de"}, "engine_cannot", "from en to de", "Install en-de."),
        ({"target": "de", "spoken": "en"}, "engine_cannot", "from en to de", "Install en-de."),
        ({"target": "en"}, "engine_cannot", "Only English can be recognised", "`engines.transcriber`"),
        ({"spoken": "pt"}, "engine_cannot", "english does not know Portuguese", "Set CLOUD_KEY."),
        ({"engines": {"synthesizer": "cloud"}}, "engine_cannot", "CLOUD_KEY is not set", "Set CLOUD_KEY."),
        (
            {"engines": {"synthesizer": "robot"}, "target": "zu"},
            "engine_cannot", "robot does not know Zulu", "/api/v1/engines",
        ),
        ({"engines": {"cloner": "nobody"}}, "unknown_engine", "nobody", "There is: cloud"),
        (
            {"clone_voices": True, "consent": WHO},
            "engine_cannot", "cloner", "`match_voices`",
        ),
        ({"spoken": "es-MX"}, "unknown_language", "both Spanish", "`spoken`"),
        ({"upload": UNSENT, "source": None, "captions": True}, "bad_option", "an address", "`subtitles`"),
    ],
)  # fmt: skip
def test_what_no_engine_can_do_is_refused(
    desk: Desk, wishes: dict[str, Any], code: str, why: str, fix: str
) -> None:
    """It says what, why and how to fix it, in the words of the interface."""
    problem = refused(desk, **wishes)
    assert (problem.code, why in problem.message, fix in problem.hint) == (code, True, True), str(problem)
    assert "--" not in str(problem)


def test_a_target_that_no_language_leads_to_is_refused(desk: Desk) -> None:
    """Also while nobody knows what is spoken; it says what can be had."""
    with registry.registered("transcriber", "any", engine("transcriber", name="any")):
        assert desk.submit(target="de").state == "queued", "Portuguese may be spoken"
        with pytest.raises(EngineCannot, match="cannot translate into Portuguese") as caught:
            desk.submit(target="pt")
    assert "It translates into: de, es, fr" in caught.value.hint


def test_a_setting_turns_it_off(only: None, opening: Opening) -> None:
    """Workers on other machines may have more engines than the server's."""
    assert Desk(opening(check_engines=False)).submit(target="zu").state == "queued"


@pytest.mark.parametrize(
    ("wishes", "resource"),
    [
        ({}, "cpu"),
        ({"engines": {"separator": "demucs"}}, "gpu"),
        ({"engines": {"transcriber": "heard", "translator": "heard", "synthesizer": "heard"}}, "net"),
        ({"engines": {"translator": "heard", "synthesizer": "heard"}, "captions": True}, "net"),
        ({"engines": {"transcriber": "heard", "translator": "heard"}}, "cpu"),
    ],
)
def test_a_job_is_bound_by_the_scarcest_of_what_it_needs(
    only: None, opening: Opening, wishes: dict[str, Any], resource: str
) -> None:
    """A GPU, then processors; work that is done elsewhere alone is bound by nothing here."""
    facts: dict[str, dict[str, Any]] = {
        "heard": {"resource": "net", "pairs": {"en": ("es",)}},
        "demucs": {"resource": "gpu", "needs_weights": True},
    }
    with ExitStack() as stack:
        for role, name in wishes.get("engines", {}).items():
            kind = engine(role, name=name, **facts[name])
            stack.enter_context(registry.registered(role, name, kind))
        desk = Desk(opening(check_engines=True))
        spec = JobSpec.model_validate({"source": SOURCE, "target": "es"} | wishes)
        assert desk.platform.admission.resource(spec) == resource


def test_named_engines_with_weights_are_taken_to_run_on_a_gpu_elsewhere(only: None, opening: Opening) -> None:
    """Where workers have what this machine lacks; what nobody named may be anything."""
    slow = engine("separator", name="slow", needs_weights=True)
    with registry.registered("separator", "slow", slow):
        for looks, wishes, resource in (
            (False, {"engines": {"separator": "slow"}}, "gpu"),
            (False, {}, "cpu"),
            (True, {"engines": {"separator": "slow"}}, "cpu"),
        ):
            job = Desk(opening(check_engines=looks)).submit(**wishes)
            assert job.resource == resource


def test_without_the_moderator_that_is_wanted_nothing_is_taken(only: None, opening: Opening) -> None:
    """What nobody looks at is not dubbed, so it would only fail later."""
    with registry.registered("moderator", "openai", engine("moderator", name="openai", ready=NO_KEY)):
        problem = refused(Desk(opening(check_engines=True, moderation="openai")))
    assert "moderator openai cannot run here: CLOUD_KEY is not set" in problem.message


def test_a_user_is_not_told_how_to_mend_the_server(desk: Desk) -> None:
    """Which key is missing is for admins."""
    with pytest.raises(EngineCannot) as caught:
        desk.jobs.submit(desk.user("ann"), JobSpec(source=SOURCE, target="zu"))
    assert "CLOUD_KEY" not in str(caught.value)
    assert "/api/v1/engines" in caught.value.hint


def test_an_estimate_and_a_retry_are_looked_at_alike(desk: Desk, only: None) -> None:
    """What would fail is not queued again when an engine is gone meanwhile."""
    with pytest.raises(EngineCannot, match="Zulu"):
        desk.jobs.submit(LOCAL_ACTOR, JobSpec(source=SOURCE, target="zu"), kind="estimate")
    job = desk.put(desk.submit(engines={"translator": "rules"}), state="failed")
    gone = engine("translator", name="rules", pairs={"en": ("fr",)})
    with registry.registered("translator", "rules", gone), pytest.raises(EngineCannot, match="to es"):
        desk.jobs.retry(LOCAL_ACTOR, job.id)
    assert desk.jobs.retry(LOCAL_ACTOR, job.id).state == "queued"


def test_a_batch_tells_which_of_its_jobs_cannot_be_made(desk: Desk) -> None:
    """And makes none."""
    with pytest.raises(BatchRefused) as caught:
        desk.platform.batches.submit(LOCAL_ACTOR, "All", [{"source": SOURCE}], ["es", "zu", "fr"], {})
    assert [(one.source, one.target) for one in caught.value.refusals] == [(0, 1)]
    assert "Zulu" in caught.value.refusals[0].why


@pytest.mark.parametrize(
    ("info", "wishes", "why"),
    [
        ({"seconds": 60.0}, {"start": 90}, "the upload ends at 60 s"),
        ({"seconds": 60.0}, {"start": 60}, "the upload ends at 60 s"),
        ({"seconds": 60.0, "audio": []}, {}, "no sound"),
        ({"audio": [{"language": "pt"}]}, {}, "does not know Portuguese"),
        ({"audio": [{"language": None}]}, {"engines": {"transcriber": "subtitles"}}, "no subtitles to read"),
        ({"audio": [{"language": None}]}, {"subtitles": True}, "do not say which language"),
        ({"audio": [{"language": None}]}, {"subtitles": True, "spoken": "pt"}, "from pt to es"),
    ],
)
def test_what_is_known_of_an_upload_counts(
    desk: Desk, tmp_path: Path, info: dict[str, Any], wishes: dict[str, Any], why: str
) -> None:
    """Its length, its sounds, their languages."""
    upload = Scene(desk.platform, tmp_path).upload()
    with desk.sql.writing() as connection:
        connection.execute(update(uploads).values(info=json.dumps(info)))
    if wishes.get("subtitles"):
        wishes = wishes | {"subtitles": UNSENT}
    assert why in refused(desk, source=None, upload=upload, **wishes).message


def test_the_end_of_a_range_may_be_beyond_the_end(desk: Desk, tmp_path: Path) -> None:
    """It is dubbed up to where it ends; and what a tag calls the target's language is not believed."""
    upload = Scene(desk.platform, tmp_path).upload()
    info = {"seconds": 60.0, "audio": [{"language": "spa"}]}
    with desk.sql.writing() as connection:
        connection.execute(update(uploads).values(info=json.dumps(info)))
    assert desk.submit(source=None, upload=upload, start=30, end=90).state == "queued"


@pytest.mark.parametrize(
    ("kind", "as_", "fix"), [("subtitles", "upload", "as `subtitles`"), ("media", "subtitles", "as `upload`")]
)
def test_an_upload_of_the_other_kind_is_refused_with_where_it_belongs(
    desk: Desk, tmp_path: Path, kind: str, as_: str, fix: str
) -> None:
    """Subtitles are nothing to dub, and a recording is no subtitles."""
    upload = Scene(desk.platform, tmp_path).upload()
    with desk.sql.writing() as connection:
        connection.execute(update(uploads).values(kind=kind))
    wishes = {"source": None, "upload": upload} if as_ == "upload" else {"subtitles": upload}
    problem = refused(desk, **wishes)
    assert (problem.code, fix in problem.hint) == ("bad_option", True)


def _estimated(desk: Desk, low: float, **wishes: Any) -> None:
    job, _ = desk.jobs.submit(
        LOCAL_ACTOR, JobSpec.model_validate({"source": SOURCE, "target": "es"} | wishes), kind="estimate"
    )
    found = {"estimate": {"dollars": {"low": low, "likely": low * 2, "high": low * 3}}}
    desk.put(job, state="completed", result=json.dumps(found))


def test_a_budget_below_what_was_estimated_is_refused(desk: Desk) -> None:
    """Until a dub of the source was begun, whose kept answers cost nothing again."""
    _estimated(desk, 1.25)
    wish = JobSpec(source=SOURCE, target="es", budget="1.20", title="Other")
    with pytest.raises(AutodubError, match=r"at least \$1\.25, and \$1\.20") as caught:
        desk.jobs.submit(LOCAL_ACTOR, wish)
    assert caught.value.code == "budget_exceeded"
    assert desk.submit(budget="1.30").state == "queued"
    assert desk.submit(budget="1.20", target="fr").state == "queued", "nobody has estimated that one"
    assert desk.jobs.submit(desk.user("ann"), wish)[0].state == "queued", "the estimate is another's"
    desk.put(desk.submit(target="fr"), attempt=1)
    assert desk.submit(budget="1.20").state == "queued"


def test_engines_are_looked_at_again_after_some_seconds(only: None, tmp_path: Path) -> None:
    """Not for every request, and what was installed meanwhile is found."""
    looks: list[str] = []

    class Counted(ENGINES["translator", "rules"]):  # type: ignore[misc]
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            looks.append("built")

    clock = Clock(0.0)
    found = Feasible(settings.load(environ={}, data_dir=tmp_path), clock=clock)
    spec = JobSpec(source=SOURCE, target="es")
    with registry.registered("translator", "rules", Counted):
        found.examine(spec, Given(), is_admin=True)
        found.examine(spec, Given(), is_admin=True)
        assert len(looks) == 1
        clock.pass_(SECONDS)
        found.examine(spec, Given(), is_admin=True)
        assert len(looks) == 2


def test_the_platform_looks_at_its_engines_unless_told_otherwise(only: None, tmp_path: Path) -> None:
    """The default of the setting."""
    from autodub.infra import server_settings

    known = settings.load(environ={}, data_dir=tmp_path / "data")
    platform = Platform(known, server_settings.load(known, environ={}, given={"spare": 0}))
    try:
        assert "Zulu" in refused(Desk(platform), target="zu").message
    finally:
        platform.close()
