"""What a dub would cost, asked before anything is spent."""

import json

import pytest
from cloud_desk import ENGINES, cloud

from autodub.cli import main
from autodub.testing import dialogue
from autodub.testing.site import Site


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Six lines by two speakers."""
    return dialogue.build(tmp_path_factory.mktemp("talk"), lines=6, size=(160, 90))


def typed(place, *more, source=None):
    """The command for a dub of the talk by cloud engines."""
    named = [part for role, name in ENGINES.items() for part in (f"--{role}", name)]
    return [
        "dub", source or str(place.talk.clip.path), "--to", "es", "--from", "en", "--clone", *named,
        "--set", "cloner.least_seconds=1", "--estimate", *more,
    ]  # fmt: skip


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """Sets the environment of a cloud."""

    def take(place, **more):
        for name, value in (place.environ() | more).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.chdir(tmp_path)

    return take


def test_an_estimate_asks_nobody(tmp_path, talk, environ, capsys):
    """The cost is told as people and programs want it, no request made, no file written; the dub agrees."""
    with cloud(tmp_path, talk) as place:
        environ(place)
        assert main(typed(place, "--json")) == 0
        out, err = capsys.readouterr()
        found = json.loads(out)
        assert main(typed(place)) == 0
        shown = capsys.readouterr().out
        assert place.server.requests == ()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
        assert found["engines"]["synthesizer"] == "elevenlabs"
        assert sum(item["dollars"] for item in found["estimate"]["items"]) == pytest.approx(
            found["estimate"]["likely"]
        )
        assert found["estimate"]["low"] < found["estimate"]["likely"] < found["estimate"]["high"]
        assert "It would cost about $" in shown
        assert "synthesizer.elevenlabs: " in shown
        assert "Cost: " in err
        place.dub()
        told = next(event for event in place.events if event.kind == "estimate")
        assert told.data["likely"] == pytest.approx(found["estimate"]["likely"])


def test_an_estimate_that_is_too_much_is_refused(tmp_path, talk, environ, capsys):
    """With a budget that the dub cannot keep the command fails as the dub would, before anything is spent."""
    with cloud(tmp_path, talk) as place:
        environ(place)
        assert main(typed(place, "--budget", "0.0001")) != 0
        assert "--budget" in capsys.readouterr().err
        assert place.server.requests == ()


def test_of_an_address_only_the_sound_is_fetched(tmp_path, talk, environ, capsys):
    """An address is estimated from its sound; the picture stays where it is."""
    folder = tmp_path / "site"
    with cloud(tmp_path, talk) as place, Site(talk.clip.path, folder) as site:
        environ(place, AUTODUB_SITES="127.0.0.1", AUTODUB_ADDRESSES="127.0.0.0/8")
        assert main(typed(place, "--json", source=site.url("talk"))) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["title"] == "A talk"
        assert found["duration_s"] == pytest.approx(talk.clip.duration / 1000, abs=0.3)
        assert found["estimate"]["likely"] > 0
        assert place.server.requests == ()
        assert site.sent("sound.m4a") > 0
        assert site.sent("picture.mp4") == 0


def test_free_engines_cost_nothing(tmp_path, talk, monkeypatch, capsys):
    """Without paid engines the estimate is zero, and says why."""
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))
    asked = ["dub", str(talk.clip.path), "--to", "es", "--estimate"]
    free = ["--transcriber", "sphinx", "--translator", "apertium", "--synthesizer", "espeak"]
    assert main([*asked, *free]) == 0
    assert "cost nothing" in capsys.readouterr().out
    assert main([*asked, *free, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["estimate"]["high"] == 0.0
