"""The checkout itself: set-up on machines of all sorts, and habits that no other check notices."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import autodub
from autodub.model.request import OPERATOR_ROLES, ROLES

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("bash", "cat", "grep", "sed", "head", "tail", "mktemp", "rm", "mkdir", "env", "sha256sum", "dirname",
         "basename", "sleep", "chmod", "find", "sort", "xargs")  # fmt: skip
PACKAGES = [
    "ffmpeg",
    "espeak-ng",
    "apertium",
    "apertium-eng-spa",
    "apertium-eng-cat",
    "apertium-spa-cat",
    "apertium-fr-es",
    "apertium-fra-cat",
    "apertium-es-pt",
    "apertium-cat-ita",
    "apertium-spa-ita",
    "flite",
    "pocketsphinx-testdata",
    "postgresql",
    "nodejs",
    "npm",
    "chromium",
    "redis-server",
    "rabbitmq-server",
    "nginx",
]
PYTHON = """#!/usr/bin/env bash
echo "python $*" >>"$LOG"
case "$*" in
  "-c import sys"*) exit "${TOO_OLD:-0}" ;;
  "-c import ensurepip"*) exit "${NO_VENV:-0}" ;;
  "--version") echo "Python 3.11.99" ;;
  "-m venv"*) mkdir -p .venv/bin; cat "$0" >.venv/bin/python; chmod +x .venv/bin/python ;;
  "-m pip"*) [ -z "${PIP_FAILS:-}" ] || { echo "no matching hash" >&2; exit 1; } ;;
esac
"""

Setup = Callable[..., subprocess.CompletedProcess[str]]


class Machine:
    """A make-believe machine: a checkout, a PATH of our own, and a log of what set-up called."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        (self.checkout / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup", self.checkout / "scripts" / "setup")
        for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
            (self.checkout / name).write_text(name)
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self._log = folder / "log"
        self.program("id", 'echo "${USER_ID:-0}"')
        self.program("uname", 'echo "${SYSTEM:-Linux}"')
        (self.bin / "python3").write_text(PYTHON)
        (self.bin / "python3").chmod(0o755)

    def program(self, name: str, body: str = "true") -> None:
        """Install a program that logs its call and does ``body``."""
        path = self.bin / name
        path.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >>"$LOG"\n{body}\n')
        path.chmod(0o755)

    def debian(self, *, installed: list[str]) -> None:
        """Make it a Debian with these packages."""
        said = "\\n".join(f"installed {package}" for package in installed)
        self.program("dpkg-query", f"printf '{said}\\n'; exit 1")
        self.program("apt-get")

    def setup(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run set-up."""
        self._log.write_text("")
        return subprocess.run(
            ["bash", "scripts/setup"], cwd=self.checkout, capture_output=True, text=True, check=False,
            env={"PATH": str(self.bin), "LOG": str(self._log), "TMPDIR": str(self.bin.parent), **environment},
        )  # fmt: skip

    def called(self, start: str) -> list[str]:
        """Calls that begin like this, in order."""
        return [line for line in self._log.read_text().splitlines() if line.startswith(start)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a Python and nothing else."""
    return Machine(tmp_path)


def test_setup_installs_only_what_is_missing(machine: Machine) -> None:
    """On Debian exactly the missing packages are installed, without questions, then the locked ones."""
    machine.debian(installed=[p for p in PACKAGES if p not in ("flite", "apertium-spa-ita")])
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.called("apt-get") == [
        "apt-get update -qq",
        "apt-get install --yes --no-install-recommends apertium-spa-ita flite",
    ]
    assert [line.split()[3] for line in machine.called("python -m pip")] == ["install", "install"]
    assert "--require-hashes" in machine.called("python -m pip")[0]


def test_setup_twice_does_nothing(machine: Machine) -> None:
    """A second set-up says nothing, asks apt for nothing, and starts neither Python nor pip to install."""
    machine.debian(installed=PACKAGES)
    assert machine.setup().returncode == 0
    done = machine.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.called("apt-get") == machine.called("python -m") == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "pyproject.toml"])
def test_setup_notices_a_new_lock(machine: Machine, name: str) -> None:
    """When a lock file or the project changes, the packages are installed again."""
    machine.debian(installed=PACKAGES)
    machine.setup()
    (machine.checkout / name).write_text("changed")
    machine.setup()
    assert len(machine.called("python -m pip")) == 2
    assert not machine.called("python -m venv")


def test_setup_after_a_failed_install_tries_again(machine: Machine) -> None:
    """A set-up whose pip failed says so and is not taken for done."""
    machine.debian(installed=PACKAGES)
    done = machine.setup(PIP_FAILS="1")
    assert done.returncode == 1
    assert "no matching hash" in done.stderr
    assert machine.setup().returncode == 0
    assert machine.called("python -m pip")


def test_setup_uses_sudo_or_says_what_to_type(machine: Machine) -> None:
    """A user installs through sudo; without sudo the command to type is printed."""
    machine.debian(installed=PACKAGES[:-1])
    done = machine.setup(USER_ID="1000")
    assert done.returncode == 1
    assert f"apt-get install {PACKAGES[-1]}" in done.stderr
    machine.program("sudo", '"$@"')
    assert machine.setup(USER_ID="1000").returncode == 0
    assert machine.called("sudo")[0] == "sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq"


def test_setup_goes_on_without_what_a_release_lacks(machine: Machine) -> None:
    """A package that only adds a language may be unknown to the release; one that is needed may not."""
    machine.debian(installed=[p for p in PACKAGES if p not in ("flite", "apertium-fr-es")])
    machine.program("apt-get", '[[ "$*" != *apertium-fr-es* ]]')
    done = machine.setup()
    assert done.returncode == 0
    assert "apertium-fr-es could not be installed: going on without it" in done.stderr
    assert machine.called("apt-get install")[-1].endswith(" flite")
    machine.debian(installed=PACKAGES[1:])
    machine.program("apt-get", '[[ "$*" != *ffmpeg* ]]')
    done = machine.setup()
    assert done.returncode == 1
    assert "ffmpeg could not be installed, and Autodub needs it" in done.stderr


def test_setup_takes_programs_from_anywhere(machine: Machine) -> None:
    """A program on the PATH need not come from a Debian package."""
    machine.debian(installed=PACKAGES[1:])
    machine.program("ffmpeg")
    assert machine.setup().returncode == 0
    assert not machine.called("apt-get")


def test_setup_without_the_venv_module(machine: Machine) -> None:
    """Debian's missing part of Python is installed before the environment is made."""
    machine.debian(installed=PACKAGES)
    machine.setup(NO_VENV="1")
    assert machine.called("apt-get install")[0].endswith(" python3-venv")


def test_setup_without_a_new_enough_python(machine: Machine) -> None:
    """An old Python is not used; the message names what was looked for and how to point at another."""
    for name in ("ffmpeg", "ffprobe", "espeak-ng", "apertium", "flite"):
        machine.program(name)
    done = machine.setup(TOO_OLD="1")
    assert done.returncode == 1
    assert "Python 3.11 or newer" in done.stderr
    done = machine.setup(TOO_OLD="1", PYTHON="python3")
    assert done.returncode == 1
    assert "PYTHON=python3 is not a Python 3.11" in done.stderr


def test_setup_elsewhere_lists_what_is_missing(machine: Machine) -> None:
    """On a system nobody knows, set-up installs nothing and lists exactly what is missing."""
    machine.program("ffmpeg")
    machine.program("apertium")
    done = machine.setup()
    assert done.returncode == 1
    assert "Missing: ffprobe, espeak-ng." in done.stderr
    assert not (machine.checkout / ".venv").exists()


def test_setup_on_a_mac(machine: Machine) -> None:
    """On macOS Homebrew installs what it has, and Apertium's absence is said."""
    machine.program("brew")
    done = machine.setup(SYSTEM="Darwin")
    assert done.returncode == 0, done.stderr
    assert machine.called("brew") == ["brew install --quiet ffmpeg espeak-ng flite"]
    assert "Apertium is not in Homebrew" in done.stderr


@pytest.fixture
def web(machine: Machine) -> Machine:
    """A machine with everything, and a web app to build with a make-believe npm."""
    machine.debian(installed=PACKAGES)
    web = machine.checkout / "web"
    (web / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "src/main.ts"):
        (web / name).write_text(name)
    machine.program("node")
    made = "../src/autodub/web/assets"
    machine.program(
        "npm",
        'case "$1" in ci) [ -z "${CI_FAILS:-}" ] && mkdir -p node_modules ;; '
        f'run) [ -z "${{BUILD_FAILS:-}}" ] && mkdir -p {made} && echo app >{made}/index.html ;; esac',
    )
    return machine


def test_setup_builds_the_web_app_when_it_changed(web: Machine) -> None:
    """It is built once, and again when its sources change; its packages when those change."""
    assert web.setup().returncode == 0
    assert web.called("npm") == ["npm ci", "npm run build"]
    done = web.setup()
    assert (done.returncode, done.stderr, web.called("npm")) == (0, "", [])
    (web.checkout / "web" / "src" / "main.ts").write_text("changed")
    web.setup()
    assert web.called("npm") == ["npm run build"]
    (web.checkout / "web" / "package-lock.json").write_text("changed")
    web.setup()
    assert web.called("npm") == ["npm ci", "npm run build"]


def test_setup_goes_on_without_the_web_app(web: Machine) -> None:
    """Without a new enough Node, or without its packages, everything else is there, and that is said."""
    web.program("node", "exit 1")
    done = web.setup()
    assert done.returncode == 0
    assert "going on without the web app" in done.stderr
    assert web.called("npm") == []
    web.program("node")
    done = web.setup(CI_FAILS="1")
    assert done.returncode == 0
    assert "going on without the web app" in done.stderr


def test_setup_fails_when_the_web_app_cannot_be_built(web: Machine) -> None:
    """A fault in the sources is not passed over, nor taken for done."""
    done = web.setup(BUILD_FAILS="1")
    assert done.returncode == 1
    assert "could not be built" in done.stderr
    assert web.setup().returncode == 0
    assert web.called("npm") == ["npm run build"]


def test_continuous_integration_types_what_a_person_types() -> None:
    """The CI script runs ``make test`` and nothing more; every script can be executed."""
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()
    for script in [ROOT / ".ci" / "run", *(p for p in (ROOT / "scripts").iterdir() if not p.suffix)]:
        if script.is_file():
            assert os.access(script, os.X_OK), script
            assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_no_index_or_proxy_is_named() -> None:
    """Packages come from wherever the machine's own pip and apt are told to look."""
    for path in (ROOT / "Makefile", *(ROOT / "scripts").glob("[a-z]*"), *ROOT.glob("requirements*.txt")):
        if path.is_file():
            text = path.read_text()
            assert not re.search(r"--(extra-)?index-url[ =]\S*http|pypi\.org|--proxy", text), path


def test_every_entry_point_is_there() -> None:
    """Every engine that the project registers can be loaded, under a role that exists."""
    own = [entry for entry in entry_points(group="autodub.engines") if entry.value.startswith("autodub.")]
    assert own
    for entry in own:
        role, _, name = entry.name.partition(".")
        assert role in (*ROLES, *OPERATOR_ROLES)
        info = entry.load().describe()
        assert (info.role, info.name) == (role, name)


def test_public_names() -> None:
    """The package promises at most twenty names, and keeps the promise."""
    assert len(autodub.__all__) <= 20
    assert sorted(autodub.__all__) == autodub.__all__
    for name in autodub.__all__:
        assert getattr(autodub, name) is not None
    with pytest.raises(AttributeError):
        autodub.nothing  # noqa: B018 - the access is the test


def test_modules_stay_readable() -> None:
    """No module is longer than 400 lines, and half of them are far shorter."""
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / "src").rglob("*.py")}
    too_long = [f"{path.relative_to(ROOT)}: {length}" for path, length in lengths.items() if length > 400]
    assert not too_long
    assert sorted(lengths.values())[len(lengths) // 2] <= 200


def test_tests_say_what_they_show() -> None:
    """Every test has a docstring; test files have names of their own."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    twice = [name for name, count in Counter(path.name for path in files).items() if count > 1]
    assert not twice
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.relative_to(ROOT)}: {node.name}"


def test_code_names_nothing_outside_the_repository() -> None:
    """Code does not mention one machine's paths or documents that are not here."""
    names = re.compile(r"/(?:root|work|home/\w+)/|\b(?:HOUSE|TIMING|AUDIO|PEERS|STYLE|PROVIDERS)\.md\b")
    here = Path(__file__).name
    for folder in ("src", "tests", "scripts", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in ("", ".py") and path.name not in (here, "test_docs.py"):
                found = names.search(path.read_text(errors="replace"))
                assert found is None, f"{path.relative_to(ROOT)}: {found}"
