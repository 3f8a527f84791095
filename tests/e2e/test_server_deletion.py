"""Jobs by cloud engines on a server: once they are deleted nothing is left here, and no voice there."""

import hashlib
import shutil
from contextlib import contextmanager

import pytest
from cloud_desk import ENGINES, cloud
from sqlalchemy import insert

from autodub.gateway.cancel import Cancel
from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.runner import Runner
from autodub.jobs.spec import JobSpec
from autodub.jobs.sweeper import Sweeper
from autodub.jobs.tables import uploads
from autodub.testing import dialogue

UPLOAD = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Four lines by two speakers."""
    return dialogue.build(tmp_path_factory.mktemp("talk"), lines=4, size=(160, 90))


@contextmanager
def server(place):
    """A platform whose engines are the providers of a cloud, with the talk as an upload."""
    known = settings.load(environ=place.environ(), data_dir=place.folder / "data")
    platform = Platform(known, server_settings.load(known, environ={}, given={"spare": 0}))
    try:
        copy = shutil.copy(place.talk.clip.path, place.folder / "copy.mp4")
        blob = platform.store.blobs.keep(place.folder / copy)
        platform.store.pin(f"upload:{UPLOAD}", blob)
        row = {
            "id": UPLOAD, "owner": "local", "name": "Talk.mp4", "kind": "media", "size": blob.size,
            "received": blob.size, "blob": blob.digest + blob.suffix, "info": "{}", "state": "ready",
            "why": "", "created": 1.0, "expires": 4e9,
        }  # fmt: skip
        with platform.sql.writing() as connection:
            connection.execute(insert(uploads).values(**row))
        yield platform
    finally:
        platform.close()


def submitted(platform, target):
    """A job with cloned voices that are to stay in the account."""
    return platform.jobs.submit(
        LOCAL_ACTOR,
        JobSpec(
            upload=UPLOAD, target=target, spoken="en", engines=ENGINES, clone_voices=True, keep_voices=True,
            options={"cloner": {"least_seconds": "1"}},
            consent={"who": "Two actors", "statement": "They agreed in writing."},
        ),
    )[0]  # fmt: skip


def carried_out(platform, job):
    """How a job stands once it was carried out."""
    taken = platform.claims.next("worker")
    assert taken.id == job.id
    Runner(platform).run(taken, Cancel(), why=lambda: "")
    return platform.jobs.get(LOCAL_ACTOR, job.id)


def everything(folder):
    """Every file under a folder that has anything in it: path -> bytes."""
    found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {path: content for path, content in found.items() if content}


def test_nothing_of_deleted_jobs_is_left_here_or_at_the_provider(tmp_path, talk):
    """While another job uses it, what is shared stays and works; with the last job the last byte goes."""
    with cloud(tmp_path, talk) as place, server(place) as platform:
        spanish = carried_out(platform, submitted(platform, "es"))
        french = carried_out(platform, submitted(platform, "fr"))
        assert [spanish.state, french.state] == ["completed"] * 2, (spanish.error, french.error)
        voices = place.voices.voices()
        assert voices
        media = set(map(_digest, everything(platform.store.blobs._folder).values()))
        assert _digest(talk.clip.path.read_bytes()) in media
        words = {word.text.strip(".,?!").lower().encode() for word in talk.words}
        said = {word for word in words if len(word) > 6}
        data = platform.settings.data_dir
        assert said & _words(data, said) == said

        platform.jobs.delete(LOCAL_ACTOR, spanish.id)
        Sweeper(platform).sweep()
        assert place.voices.voices() == voices
        asked = len(place.server.requests)
        platform.jobs.queue_again(LOCAL_ACTOR, french.id, of=("completed",), action="job.edited")
        again = carried_out(platform, french)
        assert again.result == french.result | {"reused": True}
        assert len(place.server.requests) == asked

        platform.jobs.delete(LOCAL_ACTOR, french.id)
        Sweeper(platform).sweep()
        assert place.voices.voices() == ()
        left = everything(data)
        assert media.isdisjoint(map(_digest, left.values()))
        assert not [path for path in left if path.is_relative_to(platform.store.blobs._folder)]
        assert _words(data, said) == set()
        assert platform.store.rentals.all() == ()


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _words(folder, words):
    """Those of some words that are in any file."""
    found = b"\n".join(everything(folder).values()).lower()
    return {word for word in words if word in found}
