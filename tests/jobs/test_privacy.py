"""One's own data: all of it handed out, and nothing of it left once it is erased."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from policy_scene import WHO, Scene
from sqlalchemy import insert, select

from autodub.jobs import audit
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import LOCAL, Actor
from autodub.jobs.returning import Returning
from autodub.jobs.spec import Statement
from autodub.jobs.tables import metadata, users
from autodub.model.errors import Conflict, NotFound

Opening = Callable[..., Platform]
SECRET = "Zanzibarquokka"
"""A word that only the erased user's things hold."""


class People:
    """Two users of a platform with a dub each, and everything else that users have."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.platform = scene, scene.platform
        self.ann, self.ben = self.user("ann", SECRET.lower()), self.user("ben", "ben")

    def user(self, user: str, name: str) -> Actor:
        """Somebody with an account."""
        row = {"id": user, "name": name, "role": "user", "active": True, "created": 1.0, "password": "hash"}
        with self.platform.sql.writing() as connection:
            connection.execute(insert(users).values(**row))
        return Actor(user, name, "user", frozenset({"read", "jobs", "voices"}), address="198.51.100.7")

    def furnish(self, actor: Actor, word: str, *, seed: int) -> tuple[str, str]:
        """A finished dub with a clone, an upload, a glossary, a key, a session, a webhook: job and upload."""
        self.scene.texts = [f"The {word} walked down.", f"Nobody saw the {word} alone."]
        upload = self.scene.upload(actor, seed=seed, name=f"{word}.wav")
        glossary = self.platform.glossaries.create(actor, f"{word} terms", f"{word}, {word}s\n")
        job = self.scene.dub(
            actor, upload=upload, title=f"All about {word}", glossary=glossary.id, clone_voices=True,
            keep_voices=True, consent={"who": word, "statement": f"{word} agreed to it."},
        )  # fmt: skip
        assert job.state == "completed", job.error
        self.platform.consents.give(actor, Statement(who=word, statement=f"{word} will agree."))
        self.platform.keys.create(actor, f"{word} key", ["read"])
        self.platform.hooks.create(actor, f"https://hooks.example.org/{word}", ["job.completed"])
        account = self.platform.accounts.get(actor, actor.id)
        self.platform.sessions.open(account, agent=f"{word} browser", address=actor.address)
        return job.id, upload

    def given_back(self) -> None:
        """The sweeper's part with cloned voices."""
        with self.scene.engines():
            Returning(self.platform).give_back()


@pytest.fixture
def people(platform: Platform, tmp_path: Path) -> People:
    """Two users."""
    return People(Scene(platform, tmp_path))


def everything_under(folder: Path) -> dict[str, bytes]:
    """Every file's name and content."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def holding(folder: Path, *wanted: str) -> set[str]:
    """Files that hold one of some texts, in any case, in their name or content."""
    marks = [text.lower().encode() for text in wanted]
    return {
        path
        for path, data in everything_under(folder).items()
        if any(mark in path.lower().encode() or mark in data.lower() for mark in marks)
    }


def test_nothing_of_an_erased_user_is_left_in_any_file(people: People, tmp_path: Path) -> None:
    """No word and no digest of theirs is in the data directory, not even inside databases; others' stay."""
    data = tmp_path / "data"
    platform = people.platform
    job, _ = people.furnish(people.ann, SECRET, seed=1)
    before = everything_under(data)
    digests = {sha256(content).hexdigest() for path, content in before.items() if "/blobs/" in path}
    assert holding(data, SECRET)
    theirs, _ = people.furnish(people.ben, "Harbourmaster", seed=2)
    mine = sorted(digests - _digests_of(platform, theirs))
    assert len(people.scene.account) == 2
    assert platform.privacy.leave(people.ann, people.ann.id)
    people.given_back()
    assert holding(data, SECRET) == set()
    assert holding(data, *mine) == set()
    assert holding(data, "Harbourmaster")
    assert len(people.scene.account) == 1
    with pytest.raises(NotFound):
        platform.jobs.get(LOCAL_ACTOR, job)
    assert platform.jobs.get(people.ben, theirs).state == "completed"
    with people.scene.engines():
        assert people.scene.submit(people.ben, clone_voices=True, consent=WHO).state == "queued"


def _digests_of(platform: Platform, job: str) -> set[str]:
    """Digests of all files that a job's answers name, with those it shares with others."""
    with platform.store._database.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT parts.name FROM parts JOIN uses ON uses.key = parts.key WHERE uses.owner = ?", (job,)
        )
        return {name.partition(".")[0] for (name,) in rows}


def test_no_row_but_those_of_the_audit_names_an_erased_user(people: People) -> None:
    """The audit keeps the id and no address, its chain holds, and every other table has nothing."""
    people.furnish(people.ann, SECRET, seed=1)
    assert people.platform.privacy.leave(people.ann, people.ann.id)
    with people.platform.sql.reading() as connection:
        found = {
            table.name: [row for row in connection.execute(select(table)) if "ann" in map(str, row)]
            for table in metadata.sorted_tables
        }
    assert {name for name, rows in found.items() if rows} == {"audit"}
    entries = [one for one in audit.entries(people.platform.sql) if one.actor == "ann"]
    assert entries
    assert {one.address for one in entries} == {""}
    actions = [one.action for one in audit.entries(people.platform.sql) if one.subject == "user:ann"]
    assert actions[-3:] == ["user.closed", "user.leaving", "user.erased"]
    assert audit.verify(people.platform.sql).first_bad is None


def test_what_is_running_is_stopped_before_it_is_erased(people: People) -> None:
    """The account is closed at once, the rest goes with a sweep after the job has ended."""
    platform = people.platform
    people.furnish(people.ann, SECRET, seed=1)
    waiting = people.scene.submit(people.ann)
    running = platform.claims.next("worker")
    assert running is not None
    assert running.id == waiting.id
    assert not platform.privacy.leave(people.ann, people.ann.id)
    assert platform.claims.wishes("worker") == {running.id: "delete"}
    assert not platform.accounts.get(LOCAL_ACTOR, "ann").active
    platform.privacy.sweep()
    assert platform.privacy.due() == ["ann"]
    from autodub.model.job import Event

    platform.claims.end(running, "cancelled", Event("job.cancelled"))
    platform.privacy.sweep()
    assert platform.privacy.due() == []
    with pytest.raises(NotFound):
        platform.accounts.get(LOCAL_ACTOR, "ann")


def test_an_erasure_that_was_killed_is_gone_on_with(
    people: People, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever it stops, the next sweep ends with nothing left."""
    platform = people.platform
    people.furnish(people.ann, SECRET, seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(platform.sql, "settle", _killed)
        with pytest.raises(KeyboardInterrupt):
            platform.privacy.leave(people.ann, people.ann.id)
    platform.privacy.sweep()
    assert holding(tmp_path / "data", SECRET) == set()


def _killed(**_: object) -> bool:
    raise KeyboardInterrupt


def test_only_the_user_and_admins_may(people: People) -> None:
    """To anybody else the user is not there, neither to read nor to erase."""
    privacy = people.platform.privacy
    for attempt in (lambda: privacy.export(people.ben, "ann"), lambda: privacy.leave(people.ben, "ann")):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(NotFound):
        privacy.export(LOCAL_ACTOR, "nobody")
    assert privacy.leave(LOCAL_ACTOR, "ann")


def test_the_last_admin_stays(people: People) -> None:
    """A server is not left without anybody who can let people in."""
    platform = people.platform
    people.user("boss", "boss")
    boss = platform.accounts.update(LOCAL_ACTOR, "boss", role="admin")
    with pytest.raises(Conflict):
        platform.privacy.leave(Actor(boss.id, boss.name, "admin"), "boss")
    assert platform.privacy.due() == []


def test_a_server_without_accounts_is_emptied_and_goes_on(people: People, tmp_path: Path) -> None:
    """The local user loses everything but stays, and can dub again."""
    people.furnish(LOCAL_ACTOR, "Quetzalfjord", seed=1)
    assert people.platform.privacy.leave(LOCAL_ACTOR, LOCAL)
    assert holding(tmp_path / "data", "Quetzalfjord") == set()
    assert people.platform.jobs.list(LOCAL_ACTOR).total == 0
    people.scene.texts = ["Good morning."]
    assert people.scene.dub().state == "completed"


def exported(people: People, user: str, *, media: bool = False) -> zipfile.ZipFile:
    """A user's data as they get it."""
    pieces = list(people.platform.privacy.export(Actor(user), user, media=media))
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    """The lines of one of its lists."""
    return [json.loads(line) for line in archive.read(f"{name}.jsonl").decode().splitlines()]


def test_an_export_holds_everything_of_one_user_and_no_secret(people: People) -> None:
    """Profile, dubs, texts, statements, amounts, names of keys, and what the audit says of them."""
    job, _ = people.furnish(people.ann, SECRET, seed=1)
    people.furnish(people.ben, "Harbourmaster", seed=2)
    archive = exported(people, "ann")
    assert archive.testzip() is None
    assert json.loads(archive.read("profile.json"))["name"] == SECRET.lower()
    assert [row["id"] for row in rows(archive, "jobs")] == [job]
    assert rows(archive, "jobs")[0]["spec"]["target"] == "es"
    assert [row["name"] for row in rows(archive, "uploads")] == [f"{SECRET}.wav"]
    assert {row["who"] for row in rows(archive, "consents")} == {SECRET}
    assert [row["job"] for row in rows(archive, "clones")] == [job]
    assert [row["job"] for row in rows(archive, "usage")] == [job]
    assert [row["name"] for row in rows(archive, "keys")] == [f"{SECRET} key"]
    assert [row["agent"] for row in rows(archive, "sessions")] == [f"{SECRET} browser"]
    assert "job.submitted" in {row["action"] for row in rows(archive, "audit")}
    assert {row["job"] for row in rows(archive, "events")} == {job}
    assert SECRET in archive.read(f"projects/{job}/1.json").decode()
    assert any(name.startswith("glossaries/") for name in archive.namelist())
    assert not any(name.startswith("media/") for name in archive.namelist())
    whole = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Harbourmaster" not in whole
    assert b"ben" not in {row.get("owner", "").encode() for row in rows(archive, "jobs")}
    secrets = [rows(archive, name) for name in ("keys", "sessions", "webhooks")]
    assert not any({"digest", "secret", "password"} & row.keys() for found in secrets for row in found)
    assert "password" not in json.loads(archive.read("profile.json"))


def test_an_export_with_media_holds_the_files(people: People) -> None:
    """Uploads and results are in it as they are in the store."""
    job, upload = people.furnish(people.ann, SECRET, seed=1)
    archive = exported(people, "ann", media=True)
    names = [name for name in archive.namelist() if name.startswith("media/")]
    assert f"media/uploads/{upload}/{SECRET}.wav" in names
    result = people.platform.jobs.get(people.ann, job).result or {}
    for item in result["files"].values():
        (name,) = [one for one in names if one == f"media/jobs/{job}/{item['name']}"]
        assert sha256(archive.read(name)).hexdigest() == item["digest"]
