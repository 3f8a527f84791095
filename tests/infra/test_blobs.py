"""Files by content, and the scratch folders they are made in."""

import hashlib
import os
import subprocess
import sys
import threading

import pytest

from autodub.infra.blobs import Blobs
from autodub.infra.locks import FileLock, held
from autodub.model.errors import OutputProblem
from autodub.model.media import Blob


@pytest.fixture
def blobs(tmp_path):
    """An empty store of files."""
    blobs = Blobs(tmp_path)
    yield blobs
    blobs.close()


def _keep(blobs, content, name="f.wav"):
    with blobs.scratch() as scratch:
        path = scratch / name
        path.write_bytes(content)
        return blobs.keep(path)


def test_a_file_is_named_by_its_content(blobs):
    """Digest, size and suffix are those of the file, which moves and cannot be written any more."""
    blob = _keep(blobs, b"hello")
    assert blob == Blob(hashlib.sha256(b"hello").hexdigest(), 5, ".wav")
    assert blobs.has(blob)
    with blobs.open(blob) as stream:
        assert stream.read() == b"hello"
    assert blobs.path(blob).stat().st_mode & 0o777 == 0o444


def test_the_first_file_of_some_content_stays(blobs):
    """Keeping equal bytes again changes nothing and leaves no second file."""
    blob = _keep(blobs, b"x")
    inode = blobs.path(blob).stat().st_ino
    assert _keep(blobs, b"x") == blob
    assert blobs.path(blob).stat().st_ino == inode
    assert len(list(blobs.files())) == 1


def test_a_file_cut_short_is_replaced(blobs):
    """A stored file of the wrong size does not count, and is repaired by the next keep."""
    blob = _keep(blobs, b"whole")
    blobs.path(blob).chmod(0o644)
    blobs.path(blob).write_bytes(b"wh")
    assert not blobs.has(blob)
    assert _keep(blobs, b"whole") == blob
    assert blobs.has(blob)


def test_verify_finds_changed_bytes(blobs):
    """A file whose bytes were changed under its name is found by reading everything."""
    good, bad = _keep(blobs, b"good"), _keep(blobs, b"evil")
    blobs.path(bad).chmod(0o644)
    blobs.path(bad).write_bytes(b"live")
    assert blobs.verify() == (blobs.path(bad),)
    assert blobs.has(good)


def test_many_threads_may_keep_the_same(blobs):
    """Sixteen threads with equal content end with one whole file and equal names."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(_keep(blobs, b"s" * 10**5))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert blobs.verify() == ()


@pytest.mark.parametrize(
    "blob",
    [
        Blob("../../etc/passwd", 1, ""),
        Blob("a" * 63, 1, ".wav"),
        Blob("a" * 64, 1, "/../../x"),
        Blob("a" * 64, 1, ".wav/x"),
        Blob("A" * 64, 1, ".wav"),
        Blob("a" * 64, 1, ".wav\n"),
    ],
)
def test_names_that_leave_the_store_are_refused(blobs, blob):
    """A name from a damaged or hostile record is never used as a path (R30)."""
    with pytest.raises(ValueError, match="not the name"):
        blobs.path(blob)
    assert not blobs.has(blob)


def test_an_odd_suffix_is_left_out_by_naming_one(blobs, tmp_path):
    """A file with an unusable ending can be kept under a given one; without it the file stays where it is."""
    odd = tmp_path / "a.b c"
    odd.write_bytes(b"x")
    with pytest.raises(ValueError, match="not the name"):
        blobs.keep(odd)
    assert odd.exists()
    assert blobs.keep(odd, ".bin").suffix == ".bin"
    assert not odd.exists()


def test_a_file_of_another_file_system_is_copied(blobs, tmp_path):
    """What cannot be moved in one step is copied first; the source is gone afterwards either way."""
    from pathlib import Path
    from tempfile import NamedTemporaryFile

    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system at /dev/shm")
    with NamedTemporaryFile(dir=shm, suffix=".wav", delete=False) as file:
        file.write(b"far away")
    blob = blobs.keep(Path(file.name))
    assert blobs.path(blob).read_bytes() == b"far away"
    assert not Path(file.name).exists()


def test_a_link_is_kept_as_what_it_points_to(blobs, tmp_path):
    """A symbolic link does not get into the store; its target stays where it is."""
    target, link = tmp_path / "t.wav", tmp_path / "l.wav"
    target.write_bytes(b"real")
    link.symlink_to(target)
    blob = blobs.keep(link)
    assert not blobs.path(blob).is_symlink()
    assert target.read_bytes() == b"real"
    assert target.stat().st_mode & 0o200


def test_scratch_is_empty_and_goes_away(blobs):
    """Each scratch folder is its own and is removed with all it holds, also after an error."""
    seen = []

    def fail():
        with blobs.scratch() as one, blobs.scratch() as two:
            seen.extend([one, two])
            assert list(one.iterdir()) == []
            (one / "sub").mkdir()
            (one / "sub" / "f").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(set(seen)) == 2
    assert not any(folder.exists() for folder in seen)


def test_scratch_of_a_dead_process_is_removed(tmp_path):
    """What a killed process left behind is gone when the next one starts; a live one's stays."""
    code = """if True:
        import os, sys
        from pathlib import Path
        from autodub.infra.blobs import Blobs
        with Blobs(Path(sys.argv[1])).scratch() as scratch:
            (scratch / "half").touch()
            os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert list((tmp_path / "tmp").rglob("half"))
    alive = Blobs(tmp_path)
    with alive.scratch() as mine:
        other = Blobs(tmp_path)
        assert mine.exists()
        assert list((tmp_path / "tmp").rglob("half")) == []
        assert other.oldest_session() is not None
        other.close()
        assert alive.oldest_session() is None
    alive.close()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    """A data directory below a file is named with what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputProblem, match="cannot be written") as caught:
        Blobs(tmp_path / "file" / "data")
    assert "--data-dir" in caught.value.hint


def test_no_room_is_a_sentence(blobs, tmp_path, monkeypatch):
    """When the disk is full while a file is moved, the error says so and the scratch file survives."""
    path = tmp_path / "f.wav"
    path.write_bytes(b"x")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputProblem, match=r"data directory .* is full"):
        blobs.keep(path)
    assert path.exists()
    assert list(blobs.files()) == []


def test_a_lock_has_one_holder(tmp_path):
    """Two handles exclude each other until the first lets go; a removed lock file starts afresh."""
    one, two = FileLock(tmp_path / "l"), FileLock(tmp_path / "l")
    assert one.take()
    assert not two.take()
    one.free(remove=True)
    assert two.take()
    assert (tmp_path / "l").exists()
    two.free()
    with held(tmp_path / "l"):
        assert not one.take()
    assert one.take(shared=True)
    assert two.take(shared=True)
    one.free()
    two.free()
    two.free()
