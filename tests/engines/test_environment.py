"""Interpreters of their own: found, made, made again after a broken attempt, refused with a reason."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from autodub.engines import environment
from autodub.engines.environment import Environment
from autodub.engines.roles import EngineContext
from autodub.infra.child import Workers
from autodub.infra.locks import FileLock
from autodub.model.errors import Busy, Cancelled, EngineCannot, EngineError, Unreachable

TINY = Environment("tiny", ("tinyvoice==1.0",), "tinyvoice")


def wheel(folder: Path, *, version: str = "1.0", body: str = "NAME = 'tiny'\n") -> None:
    """A package of one module, as pip takes it from a folder."""
    info = f"tinyvoice-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tinyvoice-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("tinyvoice.py", body)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinyvoice\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{info}/RECORD", f"tinyvoice.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place pip may take packages from."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def by_hand(context: EngineContext, name: str = "tiny") -> Path:
    """An environment made by the operator: without pip, which takes a tenth of the time."""
    place = context.models / "environments" / name
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    return place


def test_a_package_installed_beside_us_needs_no_environment(tmp_path: Path) -> None:
    """Where the module is importable here, this interpreter runs the worker and nothing is made."""
    context = EngineContext({}, tmp_path / "models")
    here = Environment("numpy", ("numpy==2.0",), "numpy")
    assert environment.interpreter(here, context) == Path(sys.executable)
    assert environment.install(here, context, say=pytest.fail) == Path(sys.executable)
    assert not context.models.exists()


def test_a_folder_of_that_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python takes any folder for a package without content; where we stand there may be one by chance."""
    (tmp_path / "autodub_test_folder").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    wanted = Environment("test", ("test==1",), "autodub_test_folder")
    assert environment.interpreter(wanted, EngineContext(secrets={}, models=tmp_path / "models")) is None
    (tmp_path / "autodub_test_folder" / "__init__.py").touch()
    assert environment.interpreter(wanted, EngineContext(secrets={}, models=tmp_path / "models")) == Path(
        sys.executable
    )


def test_nothing_installed_names_the_command(tmp_path: Path) -> None:
    """Without the package there is no interpreter, and the readiness says what to type."""
    assert environment.interpreter(TINY, EngineContext({}, tmp_path)) is None
    ready = environment.missing(TINY)
    assert ready.state == "not installed"
    assert ready.fix == "autodub engines install tiny"
    assert "tinyvoice" in ready.detail
    assert "1.0" not in ready.detail


def test_install_repairs_and_renews(tmp_path: Path, packages: Path) -> None:
    """A package that cannot be found is an error with pip's reason; the next attempt finishes the work.

    The new interpreter runs workers of this package without seeing the packages installed beside it.
    Other pins need another installation, into the same environment.
    """
    context = EngineContext({}, tmp_path / "models")
    said: list[str] = []
    with pytest.raises(EngineError) as caught:
        environment.install(TINY, context, say=said.append)
    assert "No matching distribution found for tinyvoice==1.0" in caught.value.message
    assert "autodub engines install tiny" in caught.value.hint
    assert environment.interpreter(TINY, context) is None  # half an environment is none

    wheel(packages)
    said.clear()
    python = environment.install(TINY, context, say=said.append)
    assert python == environment.interpreter(TINY, context)
    assert any("Successfully installed tinyvoice" in line for line in said)
    assert environment.install(TINY, context, say=pytest.fail) == python

    (tmp_path / "tiny_worker.py").write_text(
        "import importlib.util, tinyvoice\n"
        "from autodub.infra.child import serve\n"
        "def see(name): return importlib.util.find_spec(name) is not None\n"
        "serve(lambda names: [tinyvoice.NAME, [see(name) for name in names]])\n",
        encoding="utf-8",
    )
    with Workers("tiny_worker", environment={"PYTHONPATH": str(tmp_path)}, python=python) as workers:
        assert workers.call(["autodub", "pydantic", "numpy"], deadline=60) == ["tiny", [True, False, False]]

    newer = replace(TINY, packages=("tinyvoice==2.0",))
    assert environment.interpreter(newer, context) is None
    wheel(packages, version="2.0")
    assert environment.install(newer, context, say=said.append) == python
    assert environment.interpreter(newer, context) == python


def test_a_package_that_cannot_be_imported_is_not_installed(tmp_path: Path, packages: Path) -> None:
    """The module is tried at the end; its own complaint is the reason, and it stays not installed."""
    wheel(packages, body="raise RuntimeError('wrong driver')\n")
    context = EngineContext({}, tmp_path / "models")
    with pytest.raises(EngineError, match="wrong driver"):
        environment.install(TINY, context, say=lambda _: None)
    assert environment.interpreter(TINY, context) is None


def test_a_stop_during_installation_leaves_it_unfinished(tmp_path: Path, packages: Path) -> None:
    """What ``check`` raises stops the installer, and what it left is not taken for an environment."""

    def check() -> None:
        raise Cancelled("stopped")

    context = EngineContext({}, tmp_path / "models")
    with pytest.raises(Cancelled):
        environment.install(TINY, context, say=lambda _: None, check=check)
    assert environment.interpreter(TINY, context) is None


def test_an_environment_made_by_hand_is_taken_as_it_is(tmp_path: Path) -> None:
    """Any virtual environment in the right folder does; operators may know better what fits their machine."""
    context = EngineContext({}, tmp_path)
    place = by_hand(context)
    assert environment.interpreter(TINY, context) == place / "bin" / "python"


def test_offline_and_busy_and_forbidden_are_said(tmp_path: Path) -> None:
    """No network allowed, another installer at work, and a folder that is a file each have their sentence."""
    with pytest.raises(EngineCannot, match="offline"):
        environment.install(TINY, EngineContext({}, tmp_path, offline=True), say=pytest.fail)
    (tmp_path / "environments").mkdir()
    other = FileLock(tmp_path / "environments" / "tiny.lock")
    assert other.take()
    with pytest.raises(Busy, match="Another process"):
        environment.install(TINY, EngineContext({}, tmp_path), say=pytest.fail)
    other.free(remove=True)
    (tmp_path / "file").touch()
    with pytest.raises(EngineCannot, match="cannot be made"):
        environment.install(TINY, EngineContext({}, tmp_path / "file"), say=pytest.fail)


def test_an_installer_without_a_network_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that refuses connections is a passing failure, not a missing package."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_RETRIES", "1")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "HTTP_PROXY", "http_proxy", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Unreachable, match="tiny could not be installed"):
        environment.install(TINY, EngineContext({}, tmp_path), say=lambda _: None)
