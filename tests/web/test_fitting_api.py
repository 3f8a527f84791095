"""Trying texts and reading other wordings over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

from flask.testing import FlaskClient

from autodub.infra import codec
from autodub.jobs import origins
from autodub.jobs.exports import note
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.pipeline.finished import Finished, keep_text
from autodub.web.limits import kind_of
from finished_jobs import finished


def test_a_text_is_tried_without_changing_anything(client: FlaskClient, platform: Platform) -> None:
    """Its length, its rate and what would be wrong are told; the transcript stays as it is."""
    job = finished(platform)
    url = f"/api/v1/jobs/{job}/lines/L0002/fit"
    found = client.post(url, json={"text": "Frase número 2."}).get_json()
    assert (found["line"], found["revision"], found["start"], found["end"]) == ("L0002", 1, 4.0, 7.0)
    assert found["clips"] == 3
    fit = found["fit"]
    assert (fit["used"], fit["made"], fit["fits"], fit["flags"]) == (True, True, True, [])
    assert (fit["seconds"], fit["needed"]) == (3.0, 1.0)
    long = client.post(url, json={"text": "Una frase larga, " * 8}).get_json()["fit"]
    assert (long["used"], long["made"], long["fits"]) == (False, False, False)
    assert long["flags"][0]["reason"]
    assert platform.jobs.get(LOCAL_ACTOR, job).revision == 1
    assert kind_of("POST", "/api/v1/jobs/<job>/lines/<line>/fit") == "free"


def test_texts_that_cannot_be_said_are_refused(client: FlaskClient, platform: Platform) -> None:
    """As the transcript would refuse them; lines there are not are not found."""
    job = finished(platform)
    url = f"/api/v1/jobs/{job}/lines"
    for text in ("", "...", "a\0b", "x" * 3000):
        assert client.post(f"{url}/L0002/fit", json={"text": text}).status_code == 422
    assert client.post(f"{url}/L0099/fit", json={"text": "Hola."}).status_code == 404
    assert client.get(f"{url}/L0099/wordings").status_code == 404
    assert client.get(f"/api/v1/jobs/{'0' * 32}/lines/L0001/wordings").status_code == 404


def test_all_wordings_of_a_line_are_told(client: FlaskClient, platform: Platform) -> None:
    """What it says now is the first; then what its dub chose, and what that had to choose from."""
    job = finished(platform)
    folder = platform.folder(job)
    folder.mkdir(parents=True)
    offers = keep_text(
        platform.store,
        "offers.json",
        json.dumps({"L0002": ["Frase número 2.", "Frase 2.", "La segunda frase."]}),
    )
    platform.store.pin(job, offers)
    (folder / "offers.json").write_text(codec.dump(offers))
    url = f"/api/v1/jobs/{job}"
    change = {"text": "Otra cosa."}
    assert client.patch(f"{url}/lines/L0002", json=change, headers={"If-Match": "*"}).status_code == 200
    found = client.get(f"{url}/lines/L0002/wordings").get_json()
    assert [(one["text"], one["used"], one["made"]) for one in found["wordings"]] == [
        ("Otra cosa.", True, False), ("Frase número 2.", False, True), ("Frase 2.", False, False),
        ("La segunda frase.", False, False),
    ]  # fmt: skip
    assert (found["source"], found["revision"]) == ("Sentence number 2.", 2)
    by_text = {one["text"]: one["seconds"] for one in found["wordings"]}
    assert by_text["Frase 2."] < by_text["Frase número 2."] == 3.0
    only = client.get(f"{url}/lines/L0001/wordings").get_json()["wordings"]
    assert [one["text"] for one in only] == ["Frase número 1."]


def test_wordings_are_kept_with_the_job(platform: Platform, tmp_path: Path) -> None:
    """A dub that has none takes away those of the dub before it."""
    store = platform.store
    blob = keep_text(store, "a.json", json.dumps({"L0001": ["Hola."]}))
    done = Finished(blob, None, None, blob, blob, blob, measured=None, offers=blob)  # type: ignore[arg-type]
    folder = platform.folder("a" * 32)
    folder.mkdir(parents=True)
    note(folder, done, platform.settings, "a" * 32)
    assert platform.exports.offers("a" * 32) == {"L0001": ["Hola."]}
    assert origins.of(folder) is None
    blobless = Finished(blob, None, None, blob, blob, blob, measured=None)  # type: ignore[arg-type]
    note(folder, blobless, platform.settings, "a" * 32)
    assert platform.exports.offers("a" * 32) == {}
