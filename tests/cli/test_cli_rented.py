"""``autodub voices --rented`` and ``--forget``: cloned voices that are left in accounts."""

from __future__ import annotations

import json
import urllib.request
import wave
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from autodub.cli import main
from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.gateway.accounts import account_of
from autodub.gateway.store import Store
from autodub.gateway.tenant import Tenant
from autodub.infra import settings
from autodub.testing.loopback import Loopback
from autodub.testing.loopback.elevenlabs import ElevenLabsService

KEY = "xi-cli-4d1c7e0b92"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def provider() -> Iterator[Loopback]:
    """ElevenLabs on this machine."""
    with Loopback([ElevenLabsService()], keys={"elevenlabs": [KEY]}) as server:
        yield server
        assert not server.crashes


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Loopback
) -> Run:
    """Run a command beside that provider: (exit code, stdout, stderr)."""
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    monkeypatch.setenv("ELEVENLABS_BASE_URL", provider.url("elevenlabs"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["voices", *arguments])
        captured = capsys.readouterr()
        assert KEY not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


def rent(data: Path, provider: Loopback, name: str, *, end: str) -> tuple[Tenant | None, str]:
    """Rent a voice at the provider as a dub does, and end as told: ``kept``, ``left`` or still ``using``."""
    service: Any = provider.services["elevenlabs"]
    environ = {"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": provider.url("elevenlabs")}
    engine = registry.build("cloner", "elevenlabs", {}, engine_context(settings.load(environ=environ)))
    store = Store(data)
    tenant = Tenant(store.rentals)
    known = {"name": ""}

    def make(wanted: str) -> str:
        known["name"] = wanted
        return add(service, provider, wanted)

    tenant.rent(account_of(engine), name, make, engine="cloner.elevenlabs", landlord=None, check=lambda: None)
    if end == "using":
        return tenant, known["name"]
    if end == "kept":
        tenant.give_back(account_of(engine), Unasked(), keep=True)
    store.close()
    return None, known["name"]


class Unasked:
    """A landlord that need not be asked, since everything is kept."""

    def forget(self, handle: str) -> None:
        raise AssertionError(handle)

    def rented(self, prefix: str) -> dict[str, str]:
        raise AssertionError(prefix)


def add(service: Any, provider: Loopback, name: str) -> str:
    """A voice in the account, by the provider's own door."""
    sample = BytesIO()
    with wave.open(sample, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(
            b"".join((at % 128 * 200 - 12_800).to_bytes(2, "little", signed=True) for at in range(48_000))
        )
    mark = b"--edge"
    body = b"\r\n".join(
        [
            mark, b'content-disposition: form-data; name="name"', b"", name.encode(),
            mark, b'content-disposition: form-data; name="files"; filename="a.wav"',
            b"content-type: audio/wav", b"", sample.getvalue(), mark + b"--", b"",
        ]
    )  # fmt: skip
    asked = urllib.request.Request(
        provider.url("elevenlabs") + "/v1/voices/add",
        data=body,
        headers={"xi-api-key": KEY, "content-type": "multipart/form-data; boundary=edge"},
    )
    with urllib.request.urlopen(asked) as answer:
        return str(json.load(answer)["voice_id"])


def cloned(provider: Loopback) -> set[str]:
    """Names of the cloned voices in the account."""
    service: Any = provider.services["elevenlabs"]
    return {voice.name for voice in service.voices()}


def test_nothing_left_is_said(run: Run) -> None:
    """An account without voices of ours is no error, and nobody is asked."""
    assert run("--rented")[:2] == (
        0,
        "No cloned voice of Autodub's is left in any account, as far as this data directory knows.\n",
    )
    code, out, _ = run("--forget", "--json")
    assert (code, json.loads(out)) == (0, {"deleted": [], "in_use": [], "failed": [], "unsure": []})


def test_voices_left_behind_are_listed_and_deleted(run: Run, tmp_path: Path, provider: Loopback) -> None:
    """Kept voices and those of a crash are listed with what is known of them, then deleted, each once."""
    _, kept = rent(tmp_path / "data", provider, "one", end="kept")
    _, left = rent(tmp_path / "data", provider, "two", end="left")
    before = len(provider.requests)
    code, out, _ = run("--rented", "--json")
    rows = {row["name"]: row for row in json.loads(out)["rented"]}
    assert code == 0
    assert len(provider.requests) == before  # listing asks nobody
    assert {name: (row["kept"], row["in_use"], row["reachable"]) for name, row in rows.items()} == {
        kept: (True, False, True),
        left: (False, False, True),
    }
    shown = run("--rented")[1]
    assert "2 cloned voices on record" in shown
    assert "kept on request" in shown
    assert "autodub voices --forget" in shown
    code, out, _ = run("--forget", "--json")
    assert code == 0
    assert set(json.loads(out)["deleted"]) == {kept, left}
    assert cloned(provider) == set()
    assert run("--forget")[:2] == (0, "Nothing was deleted.\n")


def test_a_voice_in_use_stays(run: Run, tmp_path: Path, provider: Loopback) -> None:
    """A voice that a running dub speaks with is listed as such and left alone."""
    tenant, name = rent(tmp_path / "data", provider, "one", end="using")
    assert tenant is not None
    try:
        assert json.loads(run("--rented", "--json")[1])["rented"][0]["in_use"] is True
        code, out, _ = run("--forget")
        assert code == 0
        assert "1 cloned voice in use by a running dub" in out
        assert cloned(provider) == {name}
    finally:
        tenant.release()
    assert run("--forget")[1] == "1 cloned voice deleted.\n"
    assert cloned(provider) == set()


def test_without_the_key_nothing_is_pretended(
    run: Run, tmp_path: Path, provider: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Voices of an account whose key is not set are listed as out of reach; deleting says so and fails."""
    _, name = rent(tmp_path / "data", provider, "one", end="kept")
    monkeypatch.delenv("ELEVENLABS_API_KEY")
    assert "its key is not set" in run("--rented")[1]
    code, out, _ = run("--forget", "--json")
    assert code == 1
    assert [item["name"] for item in json.loads(out)["failed"]] == [name]
    assert cloned(provider) == {name}


def test_a_refused_key_is_told(
    run: Run, tmp_path: Path, provider: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key the provider does not take is a failure with its reason, without the key."""
    rent(tmp_path / "data", provider, "one", end="kept")
    monkeypatch.setenv("ELEVENLABS_API_KEY", "xi-not-a-key-0815")
    code, out, _ = run("--forget")
    assert code == 1
    assert "ELEVENLABS_API_KEY" in out
    assert "xi-not-a-key-0815" not in out


@pytest.mark.parametrize("arguments", [[], ["--rented", "--to", "es"], ["--forget", "--synthesizer", "x"]])
def test_voices_of_what_must_be_said(run: Run, arguments: list[str]) -> None:
    """Neither nothing nor two things at once can be asked for."""
    code, _, err = run(*arguments)
    assert code == 2
    assert "--rented" in err
