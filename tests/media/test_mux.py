"""Writing results: picture untouched, sound in step, tags, exact ranges, and never half a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import SRT, Clip, ffmpeg_samples, lag, noise, packets, pictures

from autodub.media import sound
from autodub.media.containers import CONTAINERS, container_of, is_lossless, sound_encoding
from autodub.media.decode import decode
from autodub.media.marking import COMMENT, LINE, TAGS
from autodub.media.mux import Extras, Muxed, mux, refuse_output, rehearse
from autodub.media.probe import probe
from autodub.model.errors import Cancelled, MediaError, OutputProblem
from autodub.model.media import MediaInfo


def heard(path: Path, folder: Path, track: int = 0) -> NDArray[np.float32]:
    """What a result sounds like on the programme's clock."""
    info = probe(path)
    decode(path, info, info.audio[track], mix=folder / "heard.wav", speech=folder / "h.wav")
    return sound.load(folder / "heard.wav")[0]


def dub(
    source: Path, output: Path, *, start: int = 0, end: int | None = None, extras: Extras | None = None
) -> tuple[Muxed, NDArray[np.float32], MediaInfo, MediaInfo]:
    """Put noise in place of a source's sound; what mux said, the noise, and both files' contents."""
    info = probe(source)
    stream = info.audio[0]
    folder = output.parent
    mix = folder / "mix.wav"
    done = decode(source, info, stream, mix=mix, speech=folder / "speech.wav", start=start, end=end)
    samples = noise(done.frames, stream.channels)
    sound.store(samples, stream.rate, mix)
    said = mux(source, info, mix, output, stream=stream, start=start, end=end, extras=extras)
    assert said.path == output
    return said, samples, info, probe(output)


def tags(path: Path, *entries: str) -> dict[str, Any]:
    """What ffprobe says about tags."""
    command = ["ffprobe", "-v", "error", "-of", "json", *(w for e in entries for w in ("-show_" + e,)), path]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


@pytest.mark.parametrize(
    ("name", "ending"),
    [("stereo.mp4", ".mp4"), ("stereo.mp4", ".mov"), ("stereo.mp4", ".mkv"), ("mono.mp4", ".m4v"),
     ("surround.mkv", ".mkv"), ("surround.mkv", ".mp4"), ("variable.mkv", ".mp4"), ("variable.mkv", ".mkv"),
     ("short.mp4", ".mp4"), ("short.mp4", ".mkv"), ("late.mp4", ".mp4"), ("opus.webm", ".webm"),
     ("opus.webm", ".mkv"), ("many.mkv", ".mkv"), ("stream.ts", ".ts"), ("stereo.mp4", ".avi")],
)  # fmt: skip
def test_picture_is_copied_and_sound_is_in_step(clip: Clip, tmp_path: Path, name: str, ending: str) -> None:
    """Picture packets are identical, frames keep their times, sound is in step to the sample (R4, R5)."""
    source, output = clip(name), tmp_path / f"out{ending}"
    said, samples, before, after = dub(source, output)
    assert (said.picture, said.warnings if name != "many.mkv" else ()) == ("copied", ())
    assert packets(source, "0:V") == packets(output, "0:V")
    seen, wanted = pictures(output), pictures(source)
    assert [frame for _, frame in seen] == [frame for _, frame in wanted]
    if ending != ".avi":  # AVI has no times, only a frame rate
        shifts = [a - b for (a, _), (b, _) in zip(seen, wanted, strict=True)]
        assert max(shifts) - min(shifts) <= 2
        assert abs(after.video[0].start - before.video[0].start) <= 1
    assert abs(after.duration - before.duration) <= 40
    assert abs(lag(heard(output, tmp_path), samples)) <= 1
    assert (after.audio[0].channels, after.audio[0].rate if ending != ".webm" else before.audio[0].rate) == (
        before.audio[0].channels,
        before.audio[0].rate,
    )


@pytest.mark.parametrize(
    ("name", "ending", "codec"),
    [("low.wav", ".wav", "pcm_s16le"), ("high.wav", ".wav", "pcm_s24le"), ("low.wav", ".flac", "flac"),
     ("high.wav", ".mka", "flac"), ("low.wav", ".aiff", "pcm_s16be")],
)  # fmt: skip
def test_lossless_stays_lossless(clip: Clip, tmp_path: Path, name: str, ending: str, codec: str) -> None:
    """Sound alone comes out alone; a source's own samples survive lossless files bit for bit (R14)."""
    info = probe(clip(name))
    mix, output = tmp_path / "mix.wav", tmp_path / f"out{ending}"
    decode(clip(name), info, info.audio[0], mix=mix, speech=tmp_path / "s.wav")
    said = mux(clip(name), info, mix, output, stream=info.audio[0])
    assert (said.picture, said.warnings) == ("none", ())
    after = probe(output)
    assert after.audio[0].codec == codec
    assert np.array_equal(heard(output, tmp_path), sound.load(mix)[0])


@pytest.mark.parametrize("ending", [".m4a", ".mp3", ".opus", ".ogg", ".mp4"])
def test_sound_alone_in_lossy_files(clip: Clip, tmp_path: Path, ending: str) -> None:
    """Lossy sound files are in step too, encoder delay accounted for."""
    _, samples, before, after = dub(clip("raw.aac"), tmp_path / f"out{ending}")
    assert after.video == ()
    assert abs(after.duration - before.duration) <= 60
    size = len(samples)
    again = sound.resample(heard(tmp_path / f"out{ending}", tmp_path), after.audio[0].rate, 44100)
    assert abs(lag(again[:size], samples)) <= 1


def test_every_rate_gives_the_same_onsets(clip: Clip, tmp_path: Path) -> None:
    """A click at 1.5 s is at 1.5 s in the result, whatever rate and channel count it was rendered at (R3)."""
    source = clip("stereo.mp4")
    info = probe(source)
    for rate in (8000, 16000, 22050, 24000, 44100, 48000, 96000):
        for channels in (1, 2):
            samples = np.zeros((4 * rate, channels), np.float32)
            samples[round(1.5 * rate)] = 0.9
            sound.store(samples, rate, tmp_path / "mix.wav")
            mux(source, info, tmp_path / "mix.wav", tmp_path / "out.mp4", stream=info.audio[0])
            found = ffmpeg_samples(tmp_path / "out.mp4", channels=channels)
            assert abs(int(np.argmax(np.abs(found[:, 0]))) / rate - 1.5) <= 1.5 / rate


def test_tags_tracks_and_subtitles(clip: Clip, tmp_path: Path) -> None:
    """Language, title, default flag, original, subtitles, metadata and comment are where they belong."""
    (tmp_path / "said.srt").write_text(SRT)
    info = probe(clip("many.mkv"))
    extras = Extras(
        language="spa",
        title="Español",
        subtitles=tmp_path / "said.srt",
        original=info.audio[1],
        original_language="eng",
    )
    for ending, text in ((".mkv", ["subrip", "subrip", "ass"]), (".mp4", ["mov_text"] * 3)):
        output = tmp_path / f"out{ending}"
        said, _, _, after = dub(clip("many.mkv"), output, extras=extras)
        assert said.warnings == ()
        assert [(a.language, a.is_default) for a in after.audio] == [("spa", True), ("deu", False)]
        assert [s.codec for s in after.subtitles] == text
        assert [s.language for s in after.subtitles] == ["spa", "eng", "deu"]
        assert packets(clip("many.mkv"), "0:a:1") == packets(output, "0:a:1")
        found = {key.lower(): value for key, value in tags(output, "format")["format"]["tags"].items()}
        assert found["title"] == "Film"
        assert found["comment"].startswith("Seen")
        assert "speech in this file is synthetic" in found["comment"]
        assert "Español" in json.dumps(tags(output, "streams"), ensure_ascii=False)


def test_an_untagged_original_gets_the_spoken_language(clip: Clip, tmp_path: Path) -> None:
    """A kept original without a tag is tagged with the language it was found to speak."""
    info = probe(clip("stereo.mp4"))
    extras = Extras(language="spa", original=info.audio[0], original_language="eng")
    _, _, _, after = dub(clip("stereo.mp4"), tmp_path / "out.mp4", extras=extras)
    assert [a.language for a in after.audio] == ["spa", "eng"]
    assert packets(clip("stereo.mp4"), "0:a") == packets(tmp_path / "out.mp4", "0:a:1")


def test_comment_is_added_once(clip: Clip, tmp_path: Path) -> None:
    """Dubbing a dub does not repeat the remark."""
    dub(clip("stereo.mp4"), tmp_path / "one.mp4")
    dub(tmp_path / "one.mp4", tmp_path / "two.mp4")
    assert tags(tmp_path / "two.mp4", "format")["format"]["tags"]["comment"].count(COMMENT) == 1


@pytest.mark.parametrize("ending", sorted(CONTAINERS))
def test_every_kind_of_file_says_that_its_speech_is_synthetic(
    clip: Clip, tmp_path: Path, ending: str
) -> None:
    """The mark can be read by key and value in every container, and a repeated file has the same bytes."""
    sources = {".webm": "opus.webm", ".wmv": "many.mkv"}
    source = clip(sources.get(ending, "stereo.mp4"))
    if ending in (".ogv", ".flv", ".avi", ".wmv"):  # pictures that these can hold by copying
        kind = {".ogv": "libtheora", ".flv": "flv", ".avi": "mpeg4", ".wmv": "wmv2"}[ending]
        plain, source = source, tmp_path / "source.mkv"
        command = ["ffmpeg", "-v", "error", "-i", plain, "-map", "0:v:0", "-map", "0:a:0", "-c:v", kind]
        subprocess.run([*command, "-c:a", "copy", source], check=True)
    output, again = tmp_path / f"out{ending}", tmp_path / f"again{ending}"
    *_, after = dub(source, output)
    dub(source, again)
    assert again.read_bytes() == output.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if ".marked" in path.name or ".part" in path.name] == []
    known = tags(output, "format", "streams", "programs")
    places = [known["format"], *known["streams"], *known["programs"]]
    texts = [str(text) for place in places for text in place.get("tags", {}).values()]
    for key, value in TAGS.items():
        assert any(f"{key}={value}" in text for text in texts)
    assert any(LINE in text for text in texts)
    if ending in (".mkv", ".mka", ".webm", ".ogg", ".oga", ".opus", ".mp3", ".flac", ".wmv", ".flv"):
        named = {key.lower(): text for place in places for key, text in place.get("tags", {}).items()}
        assert {key: named.get(key.lower()) for key in TAGS} == TAGS
    if ending not in (".ts", ".mts", ".m2ts", ".w64"):
        assert any(text.endswith(COMMENT) for text in texts)
    assert after.duration > 0


def test_wave64_keeps_every_sample_beside_its_mark(clip: Clip, tmp_path: Path) -> None:
    """The list of tags in a Wave64 is not taken for sound, by ffmpeg or by anybody else."""
    info = probe(clip("low.wav"))
    mix, output = tmp_path / "mix.wav", tmp_path / "out.w64"
    decode(clip("low.wav"), info, info.audio[0], mix=mix, speech=tmp_path / "s.wav")
    mux(clip("low.wav"), info, mix, output, stream=info.audio[0])
    assert np.array_equal(heard(output, tmp_path), sound.load(mix)[0])
    assert np.array_equal(sound.load(output)[0], sound.load(mix)[0])


def test_an_output_without_a_dub_is_not_marked(clip: Clip, tmp_path: Path) -> None:
    """Where nothing was spoken anew the file makes no claim, and keeps the comment it had."""
    source = clip("many.mkv")
    dub(source, tmp_path / "out.mkv", extras=Extras(is_synthetic=False))
    known = {
        key.lower(): text for key, text in tags(tmp_path / "out.mkv", "format")["format"]["tags"].items()
    }
    assert known["comment"] == "Seen"
    assert not {key.lower() for key in TAGS} & known.keys()


def test_chapters_are_kept(clip: Clip, tmp_path: Path) -> None:
    """Chapters of the source are chapters of the result."""
    notes = tmp_path / "notes.txt"
    notes.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=First\n")
    chaptered = tmp_path / "chaptered.mp4"
    command = ["ffmpeg", "-v", "error", "-i", clip("stereo.mp4"), "-i", notes, "-c", "copy", chaptered]
    subprocess.run(command, check=True)
    dub(chaptered, tmp_path / "out.mp4")
    assert tags(tmp_path / "out.mp4", "chapters")["chapters"][0]["tags"]["title"] == "First"


def test_cover_art_stays(clip: Clip, tmp_path: Path) -> None:
    """A song keeps its cover, and a file that cannot hold it is written with a warning."""
    said, _, _, after = dub(clip("cover.mp3"), tmp_path / "out.mp3")
    assert said.warnings == ()
    assert [video.is_still for video in after.video] == [True]
    said, _, _, _ = dub(clip("cover.mp3"), tmp_path / "out.opus")
    assert said.warnings == ("This kind of file cannot keep the cover picture.",)


def test_no_subtitles_to_embed(clip: Clip, tmp_path: Path) -> None:
    """An empty subtitle file, or a container without subtitles, is no reason to fail."""
    (tmp_path / "none.srt").write_text("")
    (tmp_path / "said.srt").write_text(SRT)
    _, _, _, after = dub(
        clip("stereo.mp4"), tmp_path / "out.mp4", extras=Extras(subtitles=tmp_path / "none.srt")
    )
    assert after.subtitles == ()
    _, _, _, after = dub(
        clip("stereo.mp4"), tmp_path / "out.avi", extras=Extras(subtitles=tmp_path / "said.srt")
    )
    assert after.subtitles == ()


@pytest.mark.parametrize(("start", "end"), [(1000, 3000), (1480, 2520), (0, 2040), (2520, None)])
@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_a_range_is_exact_without_encoding(
    clip: Clip, tmp_path: Path, start: int, end: int | None, ending: str
) -> None:
    """A range of a video with B-frames presents exactly its frames and its sound, the picture copied."""
    output = tmp_path / f"out{ending}"
    original = probe(clip("stereo.mp4")).audio[0]
    said, samples, before, after = dub(
        clip("stereo.mp4"), output, start=start, end=end, extras=Extras(original=original)
    )
    assert (said.picture, said.warnings) == ("copied", ())
    wanted = [frame for time, frame in pictures(clip("stereo.mp4")) if start <= time < (end or 10**9)]
    assert [frame for _, frame in pictures(output)] == wanted
    assert abs(after.duration - ((end or before.duration) - start)) <= 1
    assert abs(lag(heard(output, tmp_path), samples)) == 0
    kept = heard(output, tmp_path, track=1)
    whole = ffmpeg_samples(clip("stereo.mp4"), channels=2)[round(start * 44.1) :]
    assert abs(lag(kept, whole[: len(kept)])) <= 1


@pytest.mark.parametrize(
    ("name", "ending"), [("stereo.mp4", ".mkv"), ("opus.webm", ".webm"), ("stereo.mp4", ".ts")]
)
def test_a_range_elsewhere_is_encoded_and_said(clip: Clip, tmp_path: Path, name: str, ending: str) -> None:
    """Where copying cannot cut exactly the picture is encoded, and the caller is told."""
    said, samples, _, after = dub(clip(name), tmp_path / f"out{ending}", start=1000, end=2000)
    assert said.picture == "encoded"
    assert "encoded anew" in said.warnings[0]
    assert abs(after.duration - 1000) <= 60
    assert abs(len(pictures(tmp_path / f"out{ending}")) - 25) <= 1
    assert abs(lag(heard(tmp_path / f"out{ending}", tmp_path), samples)) <= 1


def test_hidden_start_of_a_real_file(shared_media: Path, tmp_path: Path) -> None:
    """A phone video cut by its edit list stays cut: copied into MP4, encoded into Matroska."""
    source = shared_media / "talking-head-noisy.mp4"
    said, samples, before, after = dub(source, tmp_path / "out.mp4")
    assert said.picture == "copied"
    assert packets(source, "0:V") == packets(tmp_path / "out.mp4", "0:V")
    assert pictures(source) == pictures(tmp_path / "out.mp4")
    assert abs(after.duration - before.duration) <= 1
    assert lag(heard(tmp_path / "out.mp4", tmp_path), samples) == 0


def test_a_long_picture_is_not_cut(clip: Clip, tmp_path: Path) -> None:
    """A picture of 4 s over a sound of 2 s stays 4 s (R5)."""
    _, _, _, after = dub(clip("short.mp4"), tmp_path / "out.mp4")
    assert after.video[0].duration == 4000
    assert len(pictures(tmp_path / "out.mp4")) == 100


def untouched(folder: Path, *allowed: str) -> bool:
    """Whether a folder holds only what the test put there, and no temporary file."""
    return {p.name for p in folder.iterdir()} <= {"mix.wav", "speech.wav", *allowed}


def prepared(clip: Clip, tmp_path: Path, name: str = "stereo.mp4") -> tuple[Path, MediaInfo, Path]:
    """A source of its own with its contents and a sound for it."""
    source = tmp_path / "in" / name
    source.parent.mkdir(exist_ok=True)
    shutil.copy(clip(name), source)
    sound.store(noise(44100 * 4, 2), 44100, tmp_path / "mix.wav")
    return source, probe(source), tmp_path / "mix.wav"


@pytest.mark.parametrize("how", ["same", "symlink", "hardlink"])
def test_the_source_is_never_overwritten(clip: Clip, tmp_path: Path, how: str) -> None:
    """An output that is the source, by whatever name, is refused and the source unchanged (R23)."""
    source, info, mix = prepared(clip, tmp_path)
    before = source.read_bytes(), source.stat().st_mtime_ns
    output = source if how == "same" else tmp_path / "other.mp4"
    if how == "symlink":
        output.symlink_to(source)
    elif how == "hardlink":
        output.hardlink_to(source)
    with pytest.raises(OutputProblem, match="is the source itself"):
        mux(source, info, mix, output, stream=info.audio[0])
    assert before == (source.read_bytes(), source.stat().st_mtime_ns)


def test_bad_outputs_are_refused_early(clip: Clip, tmp_path: Path) -> None:
    """Folders, missing folders, devices, unknown endings and single-track files are refused with a hint."""
    source, info, mix = prepared(clip, tmp_path)
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    for output, why in (
        (tmp_path / "folder.mp4", "is a folder"),
        (tmp_path / "no" / "out.mp4", "does not exist"),
        (tmp_path / "pipe.mp4", "not an ordinary file"),
        (tmp_path / "out.xyz", r"ending in '\.xyz' cannot be written"),
        (tmp_path / "out", "cannot be written"),
        (source / "out.mp4", "cannot be written|does not exist"),
    ):
        with pytest.raises(OutputProblem, match=why) as caught:
            mux(source, info, mix, output, stream=info.audio[0])
        assert caught.value.hint
    with pytest.raises(OutputProblem, match="holds one sound track"):
        mux(
            source, info, mix, tmp_path / "o.mp3", stream=info.audio[0], extras=Extras(original=info.audio[0])
        )
    assert untouched(tmp_path, "in", "folder.mp4", "pipe.mp4")


def test_codecs_the_container_cannot_hold(clip: Clip, tmp_path: Path) -> None:
    """H.264 does not fit into WebM: the refusal says so, offers .mkv, and leaves nothing behind."""
    source, info, mix = prepared(clip, tmp_path)
    with pytest.raises(OutputProblem, match="cannot hold everything") as caught:
        mux(source, info, mix, tmp_path / "out.webm", stream=info.audio[0])
    assert ".mkv" in caught.value.hint
    assert untouched(tmp_path, "in")


def test_a_rehearsal_finds_out_without_the_work(clip: Clip, tmp_path: Path) -> None:
    """A moment of silence tells whether the container can hold the picture, and nothing more is written."""
    source, info, mix = prepared(clip, tmp_path)
    size = mix.stat().st_size
    with pytest.raises(OutputProblem, match="cannot hold everything"):
        rehearse(source, info, tmp_path / "out.webm", stream=info.audio[0])
    held = rehearse(source, info, tmp_path / "out.mkv", stream=info.audio[0])
    assert held.picture == "copied"
    assert probe(tmp_path / "out.mkv").duration < min(1000, info.duration)
    assert mix.stat().st_size == size


def test_existing_output_survives_failure(clip: Clip, tmp_path: Path) -> None:
    """A result of an earlier run is replaced on success only."""
    source, info, mix = prepared(clip, tmp_path)
    output = tmp_path / "out.mp4"
    output.write_text("earlier")

    def check() -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        mux(source, info, mix, output, stream=info.audio[0], check=check)
    assert output.read_text() == "earlier"
    assert untouched(tmp_path, "in", "out.mp4")
    seen: list[float] = []
    mux(source, info, mix, output, stream=info.audio[0], progress=seen.append)
    assert probe(output).duration > 0
    assert seen[-1] == pytest.approx(1.0, abs=0.05)


def test_no_room(clip: Clip, tmp_path: Path, small_disk: Path) -> None:
    """A full disk is an output problem with a hint, and leaves nothing under any name."""
    source, info, _ = prepared(clip, tmp_path, "stream.ts")
    mix = tmp_path / "mix.wav"
    if not mix.exists():
        pytest.skip("the sound itself does not fit")
    with pytest.raises(OutputProblem, match=r"no room|largest file size") as caught:
        mux(source, info, mix, small_disk / "out.wav", stream=info.audio[0])
    assert caught.value.hint
    assert list(small_disk.iterdir()) == []


def test_read_only_folder(clip: Clip, tmp_path: Path) -> None:
    """A folder that may not be written to is an output problem."""
    source, info, mix = prepared(clip, tmp_path)
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):  # root ignores permissions; a read-only disk it cannot ignore
        mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("runs as root and may not mount a read-only disk")
    try:
        with pytest.raises(OutputProblem, match="cannot be written") as caught:
            mux(source, info, mix, folder / "out.mp4", stream=info.audio[0])
        assert caught.value.hint
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def test_a_source_that_vanishes(clip: Clip, tmp_path: Path) -> None:
    """A source deleted meanwhile is a media error with the command and its reason, not a traceback."""
    source, info, mix = prepared(clip, tmp_path)
    source.unlink()
    with pytest.raises(MediaError, match=r"could not write out\.mp4: .*No such file") as caught:
        mux(source, info, mix, tmp_path / "out.mp4", stream=info.audio[0])
    assert caught.value.command[0] == "ffmpeg"
    assert untouched(tmp_path, "in")


@pytest.mark.parametrize("name", ["-y.mp4", 'a\'b "c".mp4', "two\nlines.mp4", "50%d.mp4", "a:b|c.mp4"])
def test_odd_output_names(clip: Clip, tmp_path: Path, name: str) -> None:
    """Outputs may have any name."""
    source, info, mix = prepared(clip, tmp_path)
    mux(source, info, mix, tmp_path / name, stream=info.audio[0])
    assert untouched(tmp_path, "in", name)


def test_refuse_output_accepts_what_is_fine(clip: Clip, tmp_path: Path) -> None:
    """A new file or an ordinary one to replace is no problem."""
    (tmp_path / "old.mkv").write_text("x")
    refuse_output(tmp_path / "old.mkv", clip("stereo.mp4"))
    refuse_output(tmp_path / "NEW.MP4", clip("stereo.mp4"))


def test_encodings(clip: Clip) -> None:
    """Bit rates follow the channels and never exceed what a low sample rate can carry."""
    aac = probe(clip("stereo.mp4")).audio[0]
    rates = {}
    for rate, channels in ((48000, 1), (48000, 2), (48000, 6), (8000, 1)):
        options = sound_encoding(CONTAINERS[".mp4"], aac, rate=rate, channels=channels)
        rates[rate, channels] = int(options[options.index("-b:a:0") + 1])
    assert rates == {(48000, 1): 128_000, (48000, 2): 192_000, (48000, 6): 384_000, (8000, 1): 32_000}
    assert container_of(Path("X.MkV")).muxer == "matroska"
    assert [is_lossless(codec) for codec in ("flac", "pcm_s16le", "pcm_mulaw", "aac")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("name", ["late-sound.ts", "late-picture.ts"])
@pytest.mark.parametrize("ending", [".ts", ".mp4"])
def test_streams_that_start_apart(clip: Clip, tmp_path: Path, name: str, ending: str) -> None:
    """Sound and picture of a transport stream that start half a second apart still do in the result."""
    said, samples, before, after = dub(clip(name), tmp_path / f"out{ending}")
    assert said.picture == "copied"
    assert abs(before.video[0].start - before.audio[0].start) > 400
    assert abs(after.video[0].start - before.video[0].start) <= 1
    assert abs(lag(heard(tmp_path / f"out{ending}", tmp_path), samples)) <= 1
    if name == "late-sound.ts":
        plain = heard(clip(name), tmp_path)
        assert not plain[: before.audio[0].start * 44].any()
        assert plain[before.audio[0].start * 44 :][:44100].any()
