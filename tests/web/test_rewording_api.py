"""Asking for other wordings over HTTP: within the budget, once, on the owner's account."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from autodub.engines import registry
from autodub.jobs import rewording
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.tables import jobs, usage
from autodub.model.errors import Busy
from autodub.pipeline.finished import keep_text
from autodub.testing.fakes import FAKES
from finished_jobs import finished, line, project

TEXT = "Una frase que tiene muchas palabras y que se puede decir de otra manera."


class Sayings(FAKES["translator"]):  # type: ignore[misc]
    """A translator that can be asked for other lengths, and counts how often it is."""

    asked: list[Any] = []  # noqa: RUF012
    failure: Exception | None = None

    @classmethod
    def describe(cls) -> Any:
        """Facts for the plan."""
        return replace(FAKES["translator"].describe(), name="sayings", contextual=True)

    def translate(self, request: Any, work: Any) -> Any:
        """Shorter texts, and one that is none."""
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        from autodub.model.speech import Translation, Translations, Wording

        words = TEXT.split()
        return Translations((Translation("1", (
            Wording(" ".join(words[:11])), Wording(" ".join(words[:9])), Wording("..."),
        )),))  # fmt: skip


class Desk:
    """A finished job whose dub was translated by it."""

    def __init__(self, platform: Platform, client: FlaskClient) -> None:
        self.platform, self.client = platform, client
        self.job = finished(platform, made=project(line(1), line(2, text=TEXT), line(3)))
        self.translated("sayings")

    def translated(self, *names: str) -> None:
        """Have the receipt say who translated."""
        receipt = {"engines": [{"role": "translator", "name": name} for name in names]}
        blob = keep_text(self.platform.store, "r.json", json.dumps(receipt))
        self.platform.store.pin(self.job, blob)
        item = {"name": "r.json", "digest": blob.digest, "size": blob.size, "suffix": blob.suffix}
        self.put(result=json.dumps({"files": {"receipt": item}}))

    def put(self, **values: Any) -> None:
        """Change the job's row."""
        with self.platform.sql.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.id == self.job).values(**values))

    def ask(self, name: str = "L0002", **body: Any) -> Any:
        """The answer to somebody who asks for wordings."""
        return self.client.post(f"/api/v1/jobs/{self.job}/lines/{name}/wordings", json=body)

    def spent(self) -> tuple[Decimal, list[Decimal]]:
        """What the job's row says, and what the owner's account has."""
        with self.platform.sql.reading() as connection:
            rows = connection.execute(select(usage.c.dollars)).scalars().all()
        return self.platform.jobs.get(LOCAL_ACTOR, self.job).spent, [Decimal(one) for one in rows]


@pytest.fixture
def desk(platform: Platform, client: FlaskClient) -> Iterator[Desk]:
    """One finished job."""
    Sayings.asked, Sayings.failure = [], None
    with registry.registered("translator", "sayings", Sayings):
        yield Desk(platform, client)


def test_a_line_is_said_in_other_lengths(desk: Desk) -> None:
    """What may be spoken is told with how it would fit; nothing is changed, and the page hears of it."""
    answer = desk.ask(lengths=[0.9, 0.7, 1.1])
    assert answer.status_code == 200
    found = answer.get_json()["wordings"]
    words = TEXT.split()
    assert [one["text"] for one in found] == [TEXT, " ".join(words[:11]), " ".join(words[:9])]
    assert found[0]["used"]
    assert found[0]["seconds"] > found[1]["seconds"] > found[2]["seconds"]
    (request,) = Sayings.asked
    assert (request.source, request.target, request.before) == ("en", "es", ("Sentence number 1.",))
    assert len(request.drafts[0].syllables) == 3
    assert desk.platform.jobs.get(LOCAL_ACTOR, desk.job).revision == 1
    told = desk.client.get(f"/api/v1/jobs/{desk.job}/events").get_json()["events"][-1]
    assert (told["kind"], told["data"]["count"]) == ("job.reworded", 2)


def test_the_same_question_is_asked_and_paid_for_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is on the owner's account, and on the job's."""
    bill = SimpleNamespace(total=Decimal("0.02"))
    monkeypatch.setattr(rewording.Gateway, "bill", lambda _: bill)
    for _ in range(2):
        assert desk.ask().status_code == 200
    desk.platform.deriving.forget()  # as after a restart
    assert desk.ask().status_code == 200
    assert len(Sayings.asked) == 1
    assert desk.spent() == (Decimal("0.02"), [Decimal("0.02")])


def test_no_answer_is_another_jobs(desk: Desk, platform: Platform, client: FlaskClient) -> None:
    """The same line of another dub, made with other wishes, is asked about by itself."""
    assert desk.ask().status_code == 200
    other = Desk(platform, client)
    spec = platform.jobs.get(LOCAL_ACTOR, other.job).spec
    other.put(spec=json.dumps({**spec, "tone": "playful"}))
    assert other.ask().status_code == 200
    assert [one.style.tone for one in Sayings.asked] == ["", "playful"]


def test_a_failure_is_told_and_what_it_cost_counts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And asking again asks again."""
    bill = SimpleNamespace(total=Decimal("0.01"))
    monkeypatch.setattr(rewording.Gateway, "bill", lambda _: bill)
    Sayings.failure = Busy("Come back.", engine="translator.sayings")
    monkeypatch.setattr(rewording, "Gateway", _hasty(rewording.Gateway))
    assert desk.ask().status_code == 503
    assert desk.spent() == (Decimal("0.01"), [Decimal("0.01")])
    Sayings.failure = None
    assert desk.ask().status_code == 200


def _hasty(real: Any) -> Any:
    """A gateway that does not wait before it tries again."""
    return lambda *given, **named: real(*given, sleep=lambda _: None, **named)


@pytest.mark.parametrize("money", [{"spec": {"budget": "1"}, "spent": 1}, {"dollars": Decimal(1)}])
def test_money_that_is_not_there_is_not_spent(desk: Desk, money: dict[str, Any]) -> None:
    """Neither the job's nor the owner's: what may be spent is what is left of both."""
    from autodub.jobs.spec import JobSpec

    if "spec" in money:
        desk.put(spent=money["spent"])
        job = desk.platform.jobs.get(LOCAL_ACTOR, desk.job)
        spec = JobSpec(source="https://youtu.be/x", target="es", budget=Decimal(1))
        assert desk.platform.rewording._budget(job, spec) == 0
    else:
        with desk.platform.sql.writing() as connection:
            row = {"id": "u", "owner": "local", "job": "x", "at": 4e9, "seconds": 0, "compute": 0}
            connection.execute(usage.insert().values(**row, dollars=money["dollars"]))
            connection.exec_driver_sql("UPDATE users SET dollars = 1")
        assert desk.ask().status_code == 403
        assert Sayings.asked == []


def test_of_two_who_ask_at_once_the_second_has_what_the_first_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they ask about: the first one's money is spent when the second one's is counted."""
    spec = desk.platform.jobs.get(LOCAL_ACTOR, desk.job).spec
    desk.put(spec=json.dumps({**spec, "budget": "0.05"}))
    caps: list[Decimal] = []
    both, real = threading.Barrier(2), rewording.Rewording._budget

    def gateway(*given: Any, cap: Decimal, **named: Any) -> Any:
        caps.append(cap)
        return real_gateway(*given, cap=cap, **named)

    def budget(self: Any, job: Any, spec: Any) -> Decimal | None:
        found = real(self, job, spec)
        if not both.broken:
            with suppress(threading.BrokenBarrierError):
                both.wait(30)  # both know now that money is limited
            both.abort()
        return found

    real_gateway = rewording.Gateway
    monkeypatch.setattr(rewording.Gateway, "bill", lambda _: SimpleNamespace(total=Decimal("0.02")))
    monkeypatch.setattr(rewording, "Gateway", gateway)
    monkeypatch.setattr(rewording.Rewording, "_budget", budget)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(desk.ask, lengths=lengths) for lengths in ([0.9, 0.7, 1.1], [0.8, 0.7, 0.6])]
        assert [one.result(60).status_code for one in asked] == [200, 200]
    assert caps == [Decimal("0.05"), Decimal("0.03")]
    assert desk.spent()[0] == Decimal("0.04")


def test_a_job_that_begins_meanwhile_cannot_spend_the_same_money(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the question may cost is set aside in the month while it is asked, and free again afterwards."""
    monkeypatch.setattr(rewording, "price", lambda *_: Decimal("0.10"))
    monkeypatch.setattr(rewording.Gateway, "bill", lambda _: SimpleNamespace(total=Decimal("0.20")))
    with desk.platform.sql.writing() as connection:
        connection.exec_driver_sql("UPDATE users SET dollars = 1")
    answer = desk.client.post("/api/v1/jobs", json={"source": "https://youtu.be/dQw4w9WgXcQ", "target": "es"})
    job = desk.platform.claims.next("worker")
    assert job is not None
    assert job.id == answer.get_json()["id"]
    may: list[Decimal | None] = []
    real = Sayings.translate

    def translate(self: Any, request: Any, work: Any) -> Any:
        may.append(desk.platform.quotas.afford(job, Decimal(5)))
        return real(self, request, work)

    monkeypatch.setattr(Sayings, "translate", translate)
    assert desk.ask().status_code == 200
    assert may == [Decimal("0.40")]
    month = desk.platform.quotas.month("local")
    assert (month.dollars, month.dollars_held) == (Decimal("0.20"), Decimal("0.40"))


def test_what_would_cost_more_than_is_left_is_refused_in_plain_words(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is nobody's fault, and nobody is asked."""
    paid = replace(Sayings.describe(), paid=True)
    monkeypatch.setattr(Sayings, "describe", classmethod(lambda _: paid))
    spec = desk.platform.jobs.get(LOCAL_ACTOR, desk.job).spec
    desk.put(spec=json.dumps({**spec, "budget": "0.01"}), spent=Decimal("0.01"))
    answer = desk.ask()
    assert (answer.status_code, answer.get_json()["code"]) == (400, "budget_exceeded")
    assert "--" not in answer.text
    assert Sayings.asked == []


def test_what_cannot_be_asked_is_refused(desk: Desk) -> None:
    """Translators of one wording, short lines, lines there are not, jobs under way, dubs of nobody's."""
    desk.put(state="processing")
    assert desk.ask().status_code == 409
    desk.put(state="completed")
    assert desk.ask("L0099").status_code == 404
    for wrong in ([], [0.1], [2.0], [0.9] * 5):
        assert desk.ask(lengths=wrong).status_code == 422
    with registry.registered("translator", "plain", FAKES["translator"]):
        desk.translated("plain")
        if not FAKES["translator"].describe().contextual:
            assert desk.ask().get_json()["code"] == "engine_cannot"
    desk.translated()
    assert desk.ask(lengths=[0.85]).status_code == 409
    assert Sayings.asked == []
