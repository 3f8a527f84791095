"""The web site for tests of downloading."""

from __future__ import annotations

import http.client
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from autodub.testing.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The site with a clip of one second, up."""
    clip = tmp_path / "clip.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1:r=48000"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, *coding, str(clip)], check=True)
    with Site(clip, tmp_path / "site", title="Eins <zwei>", language="de") as site:
        yield site


def refused(site: Site, path: str) -> http.client.HTTPMessage:
    """The headers of an answer that is no success, with its status among them."""
    with pytest.raises(HTTPError) as answer:
        get(site, path)
    with answer.value as closing:
        headers: http.client.HTTPMessage = closing.headers
        headers["Status"] = str(closing.code)
    return headers


def get(site: Site, path: str, **headers: str) -> bytes:
    """The body at a path."""
    request = urllib.request.Request(site.url(path), headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def test_files_come_whole_and_in_ranges(site: Site) -> None:
    """What is sent is counted; a range is that part of the file."""
    whole = (site.folder / "sound.m4a").read_bytes()
    assert get(site, "sound.m4a") == whole
    assert get(site, "sound.m4a", Range="bytes=10-19") == whole[10:20]
    assert get(site, "sound.m4a", Range="bytes=-") == whole
    assert site.sent("sound.m4a") == site.media == 2 * len(whole) + 10
    assert site.asked == ("sound.m4a",) * 3
    with pytest.raises(HTTPError, match="416") as answer:
        get(site, "sound.m4a", Range=f"bytes={len(whole)}-")
    answer.value.close()


def test_pages_and_manifests_name_what_is_there(site: Site) -> None:
    """Every file that a manifest names can be fetched, and the page says its title and language."""
    assert b"Eins &lt;zwei&gt;" in get(site, "talk")
    assert b'srclang="de"' in get(site, "talk")
    manifest = get(site, "talk.mpd").decode()
    assert "{" not in manifest
    for name in ("sound.m4a", "picture.mp4", "captions.vtt"):
        assert f"<BaseURL>{name}</BaseURL>" in manifest
        assert get(site, name)
    assert b"#EXT-X-MEDIA:TYPE=AUDIO" in get(site, "talk.m3u8")
    for name in ("live.mpd", "live.m3u8", "long.m3u8", "large.m3u8", "list", "sound.mpd", "picture.mpd"):
        assert get(site, name)


def test_a_file_takes_as_long_as_it_was_told_to(site: Site) -> None:
    """A bandwidth that makes the file last so many seconds, and at no time more."""
    site.seconds["picture.mp4"] = 0.5
    begun = time.monotonic()
    get(site, "picture.mp4")
    assert time.monotonic() - begun >= 0.4


def test_broken_files_end_too_early(site: Site) -> None:
    """Half the bytes that were promised."""
    with pytest.raises(http.client.IncompleteRead) as broken:
        get(site, "broken/sound.m4a")
    assert len(broken.value.partial) == (site.folder / "sound.m4a").stat().st_size // 2


def test_a_file_may_go_missing_for_a_while(site: Site) -> None:
    """It is not found, though the manifest names it, until it is there again."""
    site.missing.add("picture.mp4")
    assert refused(site, "picture.mp4")["Status"] == "404"
    assert b"picture.mp4" in get(site, "talk.mpd")
    site.missing.clear()
    assert get(site, "picture.mp4")


def test_redirects_and_statuses(site: Site) -> None:
    """A moved page is where it moved to; a status is that status; nothing outside the folder is shown."""
    assert get(site, "moved/talk.mpd") == get(site, "talk.mpd")
    assert get(site, f"away?to={site.url('talk')}") == get(site, "talk")
    for path, code in (("status/503", 503), ("nothing", 404), ("../clip.mp4", 404), ("%2e%2e/clip.mp4", 404)):
        assert refused(site, path)["Status"] == str(code)
    assert refused(site, "status/429")["Retry-After"] == "7"


def test_only_this_machine_is_served(site: Site) -> None:
    """The site listens on the loopback address alone, and is gone afterwards."""
    assert site.url("talk").startswith("http://127.0.0.1:")
    site.__exit__()
    with pytest.raises(OSError):
        get(site, "talk")
