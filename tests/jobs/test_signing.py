"""Content credentials: what a job shows is signed, and the dub itself stays as it was made."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from policy_scene import ON_SQLITE, Scene

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Job
from autodub.jobs.results import Result
from autodub.jobs.worker import Worker
from autodub.media import provenance
from autodub.model.errors import BadOption

Opening = Callable[..., Platform]
MARK = b"signed here"


@pytest.fixture
def scene(opening: Opening, tmp_path: Path) -> Scene:
    """A platform with a certificate."""
    paths = {"c2pa_certificate": tmp_path / "chain.pem", "c2pa_key": tmp_path / "key.pem"}
    return Scene(opening(**paths), tmp_path)


def _signing(path_in: Path, path_out: Path, *, certificate: Path, key: Path, title: str) -> None:
    """As the package would, with a manifest that is easily seen."""
    assert (certificate.name, key.name) == ("chain.pem", "key.pem")
    path_out.write_bytes(path_in.read_bytes() + MARK + title.encode())


def media_of(scene: Scene, job: Job) -> bytes:
    """The file that a job shows."""
    assert job.result is not None
    item = Result.model_validate(job.result).files["media"]
    data = scene.platform.store.blobs.path(item.blob).read_bytes()
    assert sha256(data).hexdigest() == item.digest
    return data


@ON_SQLITE
def test_a_dub_is_delivered_signed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature is the job's and goes with it; the dub without is kept for whoever dubs the same."""
    monkeypatch.setattr(provenance, "sign", _signing)
    upload = scene.upload()
    first, second = scene.dub(upload=upload), scene.dub(upload=upload)
    for job in (first, second):
        assert job.state == "completed"
        assert media_of(scene, job).endswith(MARK + b"Talk.es.wav")
    item = Result.model_validate(first.result).files["media"]
    scene.platform.jobs.delete(LOCAL_ACTOR, second.id)
    scene.platform.erasing.erase(second.id)
    assert scene.platform.store.blobs.has(item.blob)
    scene.platform.jobs.delete(LOCAL_ACTOR, first.id)
    scene.platform.erasing.erase(first.id)
    assert not scene.platform.store.blobs.has(item.blob)


@ON_SQLITE
def test_a_dub_that_cannot_be_signed_is_delivered_and_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing paid for is thrown away; no path of the server's is told to its users."""

    def refuse(*_: Any, **named: Any) -> None:
        raise BadOption(f"The key {named['key']} has expired.")

    monkeypatch.setattr(provenance, "sign", refuse)
    job = scene.dub()
    assert job.state == "completed"
    assert job.result is not None
    assert any("content credentials" in said for said in job.result["degradations"])
    told = scene.everything_told() + repr(job)
    assert "content credentials" in told
    assert "key.pem" not in told


@ON_SQLITE
def test_a_worker_does_not_begin_with_a_certificate_it_cannot_use(scene: Scene) -> None:
    """Better refused at the start than after the first dub."""
    worker = Worker(scene.platform, slots=1)
    with pytest.raises(Exception, match=r"C2PA|credentials") as refused:
        worker.start()
    assert getattr(refused.value, "hint", "")


@ON_SQLITE
def test_a_certificate_without_a_key_is_refused(opening: Opening, tmp_path: Path) -> None:
    """Half of the setting is a mistake, and no server without signatures."""
    with pytest.raises(BadOption, match="certificate and its key"):
        opening(c2pa_certificate=tmp_path / "chain.pem")
