"""``autodub jobs`` against the real server's app, without a network and without a dub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from autodub.cli import main
from autodub.cli.calls import Calls
from autodub.client import Client
from autodub.engines import registry
from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.results import Item, Result
from autodub.jobs.spec import JobSpec
from autodub.model.job import Event
from autodub.testing.fakes import FAKES
from autodub.web.app import create_app
from finished_jobs import finished

URL = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """The server's platform."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    platform = Platform(
        known, server_settings.load(known, environ={}, given={"spare": 0, "check_engines": False})
    )
    yield platform
    platform.close()


class _Worked(httpx.WSGITransport):
    """The server, where a job that was just queued is finished at once if that is wished."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(app=create_app(platform))
        self.platform = platform
        self.end: Callable[[Platform], None] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if request.method == "POST" and answer.is_success and self.end is not None:
            self.end(self.platform)
        return answer


@pytest.fixture
def server(platform: Platform) -> _Worked:
    """The server's app."""
    return _Worked(platform)


@pytest.fixture
def run(
    server: _Worked, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run a command in an empty folder: exit code, output, progress."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    calls = Calls(
        settings=lambda *, data_dir: settings.load(environ={"HOME": str(tmp_path)}, data_dir=data_dir),
        client=lambda address, key: Client(address, key, transport=server, sleep=lambda _: None),
    )

    def run_(*arguments: str) -> tuple[int, str, str]:
        code = main(["jobs", *arguments], calls=calls)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_


def queued(platform: Platform, **more: object) -> str:
    """A job that waits."""
    spec = JobSpec.model_validate({"source": URL, "target": "es"} | more)
    return platform.jobs.submit(LOCAL_ACTOR, spec)[0].id


def completed(platform: Platform) -> None:
    """Finish every job that waits, each with a file."""
    while (job := platform.claims.next("worker")) is not None:
        file = platform.settings.data_dir / f"{job.id}.mp4"
        file.write_bytes(b"a dubbed video")
        blob = platform.store.blobs.keep(file)
        item = Item(name="Talk.es.mp4", digest=blob.digest, size=blob.size, suffix=blob.suffix)
        result = Result(files={"media": item}, summary="in time", verdict="lead", seconds=12.0)
        told = [Event("stage.started", "translate"), Event("stage.finished", "translate")]
        platform.claims.tell(job, told, times=[1.0, 2.0])
        platform.claims.end(
            job, "completed", Event("job.completed"), result=result.model_dump_json(), progress=1.0,
            message="in time", duration=12.0,
        )  # fmt: skip


def failed(platform: Platform) -> None:
    """Fail every job that waits."""
    why = '{"code": "unsupported_source", "message": "It has no sound.", "hint": "Take another."}'
    while (job := platform.claims.next("worker")) is not None:
        platform.claims.end(job, "failed", Event("job.failed"), error=why, message="It has no sound.")


def test_the_whole_way_in_one_command(run: Run, server: _Worked) -> None:
    """Submit, watch, download: the dub lies in the folder, and what happened was told on the way."""
    server.end = completed
    code, out, err = run("submit", URL, "--to", "Spanish", "--watch", "--download")
    assert code == 0, err
    assert Path("Talk.es.mp4").read_bytes() == b"a dubbed video"
    assert "Translating" in err
    assert "State:" in out
    assert "Talk.es.mp4" in out
    assert [path.name for path in Path().iterdir()] == ["Talk.es.mp4"]


def test_submitting_alone_comes_back_at_once(run: Run, platform: Platform) -> None:
    """The job waits at the server with everything that was wished."""
    code, out, err = run(
        "submit", URL, "--to", "es", "--from", "en", "--title", "My talk", "--start", "1:30",
        "--end", "2:00.5",
        "--term", "Ada", "--synthesizer", "espeak", "--set", "synthesizer.amplitude=80", "--clone",
        "--consent-of", "Ada", "--consent", "Ada agreed in writing.", "--budget", "2.50", "--priority", "3",
        "--keep-days", "0", "--json",
    )  # fmt: skip
    assert code == 0, out + err
    said = json.loads(out)
    spec = JobSpec.model_validate(platform.jobs.get(LOCAL_ACTOR, said["id"]).spec)
    assert (spec.source, spec.target, spec.spoken, spec.title) == (URL, "es", "en", "My talk")
    assert (spec.start, spec.end, spec.terms, spec.priority) == (90.0, 120.5, ["Ada"], 3)
    assert (spec.engines, spec.options) == ({"synthesizer": "espeak"}, {"synthesizer": {"amplitude": "80"}})
    assert spec.clone_voices
    assert spec.consent is not None
    assert spec.consent.who == "Ada"
    assert (str(spec.budget), spec.retention_days) == ("2.50", 0)


def test_a_file_that_cannot_be_sent_is_refused_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    """The mistake is told at once, with exit code 2."""
    code, _, err = run("submit", "missing.mp4", "--to", "es")
    assert code == 2
    assert "There is no file missing.mp4." in err
    (tmp_path / "empty.mp4").touch()
    code, _, err = run("submit", str(tmp_path / "empty.mp4"), "--to", "es")
    assert code == 2
    assert "empty.mp4 is empty (0 bytes)." in " ".join(err.split())  # its path may fill a line


def test_what_the_server_refuses_is_told_in_its_words(run: Run) -> None:
    """A refusal is exit code 2 with the server's code and hint."""
    code, out, _ = run("submit", URL, "--to", "Klingonese", "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "unknown_language"
    code, out, _ = run("submit", URL, "--to", "es", "--clone", "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (2, "consent_missing")
    assert "--consent-of and --consent" in error["hint"]
    assert "consent_id" not in error["hint"]


def test_a_refused_batch_names_its_inputs(run: Run) -> None:
    """And the languages that are wrong, since the places in a request mean nothing here."""
    code, _, err = run("batch", "Course", URL, "--to", "es", "--to", "Klingonese")
    assert code == 2
    assert f"{URL} into Klingonese:" in err.replace("\n", " ")


def test_half_a_consent_is_a_wrong_command(run: Run) -> None:
    """Who and what belong together."""
    code, _, err = run("submit", URL, "--to", "es", "--clone", "--consent-of", "Ada")
    assert code == 2
    assert "together" in err


def test_a_job_that_fails_is_told_with_its_reason(run: Run, server: _Worked) -> None:
    """Exit code 1: something failed; the reason and the hint are the job's."""
    server.end = failed
    code, out, err = run("submit", URL, "--to", "es", "--watch")
    assert (code, out) == (1, "")
    assert "It has no sound." in err
    assert "Take another." in err
    code, out, _ = run("watch", "last", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (1, "unsupported_source")


def test_a_cancelled_job_ends_the_watching_as_one_that_was_stopped(run: Run, platform: Platform) -> None:
    """Exit code 130, as for anything somebody stopped."""
    job = queued(platform)
    assert run("cancel", job[:8])[0] == 0
    code, _, err = run("watch", job)
    assert code == 130
    assert "cancelled" in err


def test_a_list_shows_states_and_reasons(run: Run, platform: Platform) -> None:
    """One line per job, the newest first; filters narrow it."""
    queued(platform, title="The first")
    failed(platform)
    queued(platform, title="The \x1b[31msecond", target="fr")
    code, out, _ = run("list")
    lines = out.splitlines()
    assert code == 0
    assert "queued" in lines[1]
    assert "second" in lines[1]
    assert "\x1b" not in out
    assert "failed" in lines[2]
    assert "It has no sound." in out
    assert len(json.loads(run("list", "--state", "failed", "--json")[1])["jobs"]) == 1
    assert run("list", "--text", "nothing like it")[1] == "No jobs.\n"


def test_a_job_is_found_by_its_first_characters_or_as_the_last(run: Run, platform: Platform) -> None:
    """Nobody types 32 characters; what fits none, or is no id, is told."""
    first, last = queued(platform), queued(platform)
    assert json.loads(run("show", first[:9], "--json")[1])["id"] == first
    assert json.loads(run("show", "last", "--json")[1])["id"] == last
    unknown = "0000" if not first.startswith("0000") and not last.startswith("0000") else "1111"
    code, _, err = run("show", unknown)
    assert code == 2
    assert "No job begins with" in err
    code, _, err = run("show", "../x")
    assert code == 2
    assert "is no job" in err


def test_no_job_at_all_is_told_with_the_way_to_one(run: Run) -> None:
    """``last`` of nothing."""
    code, _, err = run("show", "last")
    assert code == 2
    assert "autodub jobs submit" in err


def test_a_result_is_fetched_to_where_it_is_wanted(run: Run, platform: Platform, tmp_path: Path) -> None:
    """A name or a folder; a folder that is missing and a result that is not there are told."""
    job = queued(platform)
    code, _, err = run("download", job)
    assert code == 2, err
    completed(platform)
    assert run("download", job, "-o", "mine.mp4")[1] == "mine.mp4\n"
    assert Path("mine.mp4").read_bytes() == b"a dubbed video"
    assert json.loads(run("download", "last", "-o", str(tmp_path), "--json")[1]) == {
        "downloaded": str(tmp_path / "Talk.es.mp4")
    }
    code, _, err = run("download", job, "-o", "no/such/folder/x.mp4")
    assert code == 2
    assert "There is no folder" in err
    assert run("download", job, "srt")[0] == 2


def test_everything_is_fetched_as_one_archive(run: Run, platform: Platform) -> None:
    """``all`` is a ZIP."""
    queued(platform)
    completed(platform)
    code, out, err = run("download", "last", "all")
    assert code == 0, err
    assert Path(out.strip()).read_bytes()[:2] == b"PK"


def test_jobs_are_stopped_tried_again_and_deleted(run: Run, platform: Platform, server: _Worked) -> None:
    """Each by its own command; a retry can be watched from where it begins."""
    job = queued(platform)
    assert "cancelled" in run("cancel", job)[1]
    server.end = completed
    code, out, err = run("retry", job, "--watch")
    assert (code, "completed" in out) == (0, True), err
    assert run("delete", job, "--json")[1] == json.dumps({"deleted": [job]}) + "\n"
    code, _, err = run("show", job)
    assert code == 2
    assert "There is no job" in err


def test_a_batch_is_every_source_in_every_language(run: Run, server: _Worked) -> None:
    """All of them are queued, and can be waited for."""
    server.end = completed
    code, out, err = run("batch", "Course", URL, URL + "&t=1", "--to", "es", "--to", "fr", "--watch")
    assert code == 0, err
    assert "4 completed" in out
    assert err.count("completed") >= 4


def test_a_server_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, with the address and what to do; an address that is none is a wrong command."""
    calls = Calls(settings=lambda *, data_dir: settings.load(environ={"HOME": str(tmp_path)}))
    calls_dead = Calls(
        settings=calls.settings,
        client=lambda address, key: Client(
            address, key, sleep=lambda _: None, tries=1,
            transport=httpx.MockTransport(lambda _: (_ for _ in ()).throw(httpx.ConnectError("no"))),
        ),
    )  # fmt: skip
    assert main(["jobs", "list", "--server", "http://127.0.0.1:9"], calls=calls_dead) == 1
    assert "http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err.replace("\n", " ")
    assert main(["jobs", "list", "--server", "dub.example"], calls=calls) == 2
    assert "begins with http://" in capsys.readouterr().err.replace("\n", " ")


def test_whoever_watches_is_told_that_the_server_is_away_and_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once each; a server that stays away ends the watching with exit code 1."""
    job = {"id": "a" * 32, "state": "completed"}
    end = 'event: end\ndata: {"id": "x", "state": "completed"}\n\n'
    answers = [None, None, None, httpx.Response(200, text=end), httpx.Response(200, json=job)]

    def answer(_: httpx.Request) -> httpx.Response:
        found = answers.pop(0) if answers else None
        if found is None:
            raise httpx.ConnectError("refused")
        return found

    calls = Calls(
        settings=lambda *, data_dir: settings.load(environ={"HOME": str(tmp_path)}),
        client=lambda address, key: Client(
            address, key, sleep=lambda _: None, transport=httpx.MockTransport(answer)
        ),
    )
    assert main(["jobs", "watch", "a" * 32], calls=calls) == 0
    err = capsys.readouterr().err
    assert (err.count("cannot be reached"), err.count("Waiting for it"), err.count("is back")) == (1, 1, 1)
    assert main(["jobs", "watch", "a" * 32], calls=calls) == 1
    assert capsys.readouterr().err.count("Waiting for it") == 1


def test_the_key_and_the_server_come_from_the_settings(tmp_path: Path) -> None:
    """The command line names a server; a key is never typed there."""
    asked: list[tuple[str, str | None]] = []

    def client(address: str, key: str | None) -> Client:
        asked.append((address, key))
        answer = httpx.Response(200, json={"jobs": [], "after": None, "total": 0})
        return Client(address, key, transport=httpx.MockTransport(lambda _: answer))

    environ = {"HOME": str(tmp_path), "AUTODUB_SERVER": "https://dub.example", "AUTODUB_KEY": "adk_x"}
    calls = Calls(settings=lambda *, data_dir: settings.load(environ=environ), client=client)
    assert main(["jobs", "list"], calls=calls) == 0
    assert main(["jobs", "list", "--server", "http://other:1"], calls=calls) == 0
    assert asked == [("https://dub.example", "adk_x"), ("http://other:1", "adk_x")]


@pytest.fixture
def dubbed(platform: Platform) -> Iterator[str]:
    """The first characters of a finished dub of four lines, whose synthesizer is there."""
    with registry.registered("synthesizer", "fake", FAKES["synthesizer"]):
        yield finished(platform)[:10]


def test_lines_are_shown_with_what_edits_need(run: Run, dubbed: str) -> None:
    """Ids, times, speakers, what is said and what the dub says."""
    code, out, err = run("lines", dubbed)
    assert code == 0, err
    assert "L0001  0:00.00 - 0:03.00  S1" in out
    assert "Frase número 1." in out
    assert "Revision 1." in out


def test_a_line_is_changed_put_back_and_taken_out(run: Run, dubbed: str) -> None:
    """Each change says what became of it, and how the dub is made again."""
    code, out, err = run("edit", dubbed, "L0002", "--text", "Otra frase.", "--end", "6.5")
    assert code == 0, err
    assert "Revision 2: changed L0002." in out
    assert "autodub jobs regenerate" in out
    assert "Otra frase." in run("lines", dubbed)[1]
    assert "L0002*!" in run("lines", dubbed)[1]
    assert run("edit", dubbed, "L0002", "--undo")[0] == 0
    assert "Otra frase." not in run("lines", dubbed)[1]
    assert json.loads(run("edit", dubbed, "L0003", "--remove", "--json")[1])["removed"] == ["L0003"]


def test_a_subtitle_file_gives_lines_their_texts(run: Run, dubbed: str) -> None:
    """By their times; a file that fits nothing is refused in the server's words."""
    Path("mine.srt").write_text("1\n00:00:00,000 --> 00:00:03,000\nMi texto.\n")
    code, out, err = run("edit", dubbed, "--file", "mine.srt")
    assert (code, "changed L0001" in out) == (0, True), err
    Path("mine.srt").write_text("1\n00:50:00,000 --> 00:50:03,000\nMi texto.\n")
    assert run("edit", dubbed, "--file", "mine.srt")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [["L0001"], [], ["--text", "x"], ["L0001", "--text", "x", "--undo"], ["L0001", "--file", "mine.srt"]],
)
def test_an_edit_is_one_change_of_one_line(run: Run, dubbed: str, arguments: list[str]) -> None:
    """Anything else is a wrong command, and nothing is sent."""
    Path("mine.srt").write_text("x")
    code, _, err = run("edit", dubbed, *arguments)
    assert code == 2
    assert "--help" in err


def test_a_dub_is_made_again_with_a_changed_line(run: Run, dubbed: str, server: _Worked) -> None:
    """The job is queued again and watched to its new end."""
    code, _, err = run("regenerate", dubbed, "--text", "x")
    assert (code, "needs the line" in err.replace("\n", " ")) == (2, True)
    server.end = completed
    code, out, err = run("regenerate", dubbed, "L0001", "--text", "Otra.", "-o", "new.mp4")
    assert code == 0, err
    assert Path("new.mp4").read_bytes() == b"a dubbed video"
    assert "completed" in out


def test_files_are_uploaded_listed_and_removed(run: Run, platform: Platform) -> None:
    """Subtitles go along with a job; what was uploaded can be seen and removed."""
    Path("mine.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nMi texto.\n")
    code, out, err = run("submit", URL, "--to", "es", "--subtitles", "mine.srt", "--json")
    assert code == 0, out + err
    upload = platform.jobs.get(LOCAL_ACTOR, json.loads(out)["id"]).spec["subtitles"]
    assert "mine.srt" in run("uploads")[1]
    code, _, err = run("uploads", "--delete", upload)
    assert (code, "job" in err) == (2, True)
    assert run("delete", "last")[0] == 0


def test_a_file_that_is_no_recording_is_refused_by_the_server(run: Run) -> None:
    """Looked at there, told here."""
    Path("talk.mp4").write_bytes(b"#!/bin/sh\n")
    code, out, _ = run("submit", "talk.mp4", "--to", "es", "--json")
    assert code == 2
    assert json.loads(out)["error"]["message"]
