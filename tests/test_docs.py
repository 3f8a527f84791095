"""The documents say what the code does."""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import re
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest
from pydantic import BaseModel

from autodub import __all__, __version__, client
from autodub.cli import root
from autodub.dubbing import fitting
from autodub.engines import registry
from autodub.model.request import ROLES
from autodub.pipeline.project import CastEntry, LineEntry, Project, Timing, VoiceEntry, Wording
from autodub.quality.definitions import DEFINITIONS

ROOT = Path(__file__).resolve().parents[1]
PROSE = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    """``scripts/docs.py`` as a module."""
    spec = importlib.util.spec_from_file_location("autodub_docs", ROOT / "scripts" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["CLI.md", "ENGINES.md", "METRICS.md", "SERVER.md"])
def test_derived_documents_are_current(writer: ModuleType, name: str) -> None:
    """A document derived from the code is what the code says now."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert text == writer.DOCUMENTS[name](), "run: python scripts/docs.py"


def test_stale_documents_are_noticed(writer: ModuleType, tmp_path: Path) -> None:
    """A document that was changed by hand, or is missing, is reported as out of date."""
    for name, write in writer.DOCUMENTS.items():
        (tmp_path / name).write_text(write(), encoding="utf-8")
    writer.DOCS = tmp_path
    assert writer.stale() == []
    (tmp_path / "CLI.md").write_text("something else", encoding="utf-8")
    (tmp_path / "METRICS.md").unlink()
    assert writer.stale() == ["CLI.md", "METRICS.md"]


def test_every_command_engine_and_figure_is_documented() -> None:
    """Commands, engines with their options, and figures each have their place in the documents."""
    commands = (ROOT / "docs" / "CLI.md").read_text(encoding="utf-8")
    for name in root.list_commands(click.Context(root)):
        assert f"## `autodub {name}`" in commands
    engines = (ROOT / "docs" / "ENGINES.md").read_text(encoding="utf-8")
    for role in ROLES:
        for name in registry.names(role):
            assert f"### {role}.{name}" in engines
            for option in registry.describe_options(registry.load(role, name)):
                assert f"| `{option.name}` |" in engines
    figures = (ROOT / "docs" / "METRICS.md").read_text(encoding="utf-8")
    for name in DEFINITIONS:
        assert f"| `{name}` |" in figures


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a document points at a file of this repository."""
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


_OTHERS = "docker|helm|kubectl|make cluster"
"""Commands of other programs, with options of their own."""


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_options_named_in_documents_exist(page: Path) -> None:
    """Every ``--option`` that a document shows with the command is one that some command has."""
    known = {"--help", "--version", "--check", "--fast", "--quick"}
    waiting: list[click.Command] = [root]
    while waiting:
        command = waiting.pop()
        known |= {n for one in command.params for n in (*one.opts, *one.secondary_opts)}
        if isinstance(command, click.Group):
            context = click.Context(command)
            found = (command.get_command(context, name) for name in command.list_commands(context))
            waiting += [child for child in found if child is not None]
    ours = re.sub(rf"(?m)^(?:{_OTHERS}) (?:.*\\\n)*.*$", "", page.read_text(encoding="utf-8"))
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours))
    assert said <= known


def test_every_field_of_the_project_file_is_documented() -> None:
    """Each field of each part of a project file has its row, and the example is a line that can be added."""
    text = (ROOT / "docs" / "PROJECT.md").read_text(encoding="utf-8")
    sections: dict[type[BaseModel], str] = {
        Project: "## Every field",
        VoiceEntry: "A voice, under",
        CastEntry: "A voice, under",
        LineEntry: "A line, under",
        Timing: "`timing` is for reading",
        Wording: "`made` of a line",
    }
    heads = [*dict.fromkeys(sections.values()), None]
    ends = dict(itertools.pairwise(heads))
    for model, head in sections.items():
        section = text.split(head)[1]
        section = section.split(end)[0] if (end := ends[head]) else section
        for name in model.model_fields:
            assert f"`{name}`" in section, (model.__name__, name)
    (example,) = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    assert LineEntry.model_validate_json(example).made is None
    known = inspect.getsource(fitting.flags)
    for flag in re.findall(r"`(\w+)`", text.split("| `flags` |")[1].split("\n")[0]):
        assert f'"{flag}"' in known


def test_python_examples_use_public_names() -> None:
    """The README's Python imports only what the package promises."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(examples) == 2
    homes = {"autodub": set(__all__), "autodub.client": set(client.__all__)}
    for example in examples:
        found = re.findall(r"^from (\S+) import (.+)$", example, flags=re.MULTILINE)
        assert found
        for home, names in found:
            assert {name.strip() for name in names.split(",")} <= homes[home]
        compile(example, "README.md", "exec")


def test_every_extra_and_environment_is_in_the_readme() -> None:
    """Whatever can be installed besides has its line, and nothing else is promised."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"]) - {"dev"}
    assert set(re.findall(r"\| `pip install 'autodub\[(\w+)\]'`", text)) == extras
    kinds = [(role, name) for role in ROLES for name in registry.names(role)]
    apart = {name for role, name in kinds if getattr(registry.load(role, name), "environment", None)}
    assert set(re.findall(r"\| `autodub engines install (\w+)`", text)) == apart


def test_architecture_names_every_layer() -> None:
    """The layers of the architecture document are the packages there are, in the order that is checked."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.split("## Layers")[1].split("```")[1]
    named = [word for line in section.splitlines()[1:] for word in re.findall(r"[a-z]+", line.split("  ")[0])]
    here = {path.name for path in (ROOT / "src" / "autodub").iterdir() if (path / "__init__.py").exists()}
    assert set(named) - {"api"} == here
    configured = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("layers = [")[1].split("]")[0]
    assert named == re.findall(r"[a-z]+", configured)


def test_the_changelog_knows_the_version() -> None:
    """The version is in the changelog, or is still the unreleased one."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {__version__}" in text or "## Unreleased" in text


def test_no_document_names_what_is_not_in_the_repository() -> None:
    """Committed text does not point at files outside the repository or at one machine's paths."""
    for page in PROSE:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(?:root|work|home/\w+)/", text)
        assert not re.search(r"\b(HOUSE|TIMING|AUDIO|PEERS|STYLE|PROVIDERS)\.md\b", text)
