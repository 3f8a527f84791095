"""What is kept is nobody else's on the machine."""

from __future__ import annotations

import os
from pathlib import Path

from autodub.cli import opening
from autodub.gateway.store import Store
from autodub.infra import private, server_settings, settings
from autodub.infra.sql import Sql


def _open_to_others(place: Path) -> bool:
    return bool(place.stat().st_mode & 0o077)


def test_a_data_directory_is_nobody_elses(tmp_path: Path) -> None:
    """Whoever makes it first: uploads, results and kept answers lie in it."""
    Store(tmp_path / "above" / "data").close()
    assert not _open_to_others(tmp_path / "above" / "data")


def test_the_database_file_is_nobody_elses(tmp_path: Path) -> None:
    """Nor what SQLite keeps beside it, also in a folder that everybody may enter."""
    tmp_path.chmod(0o755)
    sql = Sql.in_folder(tmp_path)
    with sql.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE a (b)")
        made = sorted(tmp_path.iterdir())
        assert len(made) > 1
        assert not any(_open_to_others(place) for place in made)
    sql.close()


def test_a_folder_keeps_the_rights_it_has(tmp_path: Path) -> None:
    """Its owner may have meant them."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    private.folder(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o750


def test_a_server_makes_nothing_that_others_may_read(tmp_path: Path) -> None:
    """Also where somebody else made the data directory, and everybody may enter it."""
    tmp_path.chmod(0o755)
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path)
    before = os.umask(0o022)
    try:
        platform = opening.platform(known, server_settings.load(known, environ={}, given={}))
        platform.close()
    finally:
        os.umask(before)
    made = sorted(tmp_path.iterdir())
    assert tmp_path / "platform.sqlite" in made
    assert [place.name for place in made if _open_to_others(place)] == []
