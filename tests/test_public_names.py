"""Names others rely on, as they are documented: exports, errors, kinds of events, stages."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import autodub
from autodub.model import errors, job

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "autodub"


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Every call in the library."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield path, node


def constant(node: ast.expr | None) -> str | None:
    """The text of a literal."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """An argument by position or by name."""
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def called(call: ast.Call) -> str:
    """Last part of the name that is called."""
    return ast.unparse(call.func).rpartition(".")[2]


def test_exports_are_where_they_are_said_to_be() -> None:
    """Every public name is loaded from the module that type checkers see, and is defined there."""
    tree = ast.parse((SOURCE / "__init__.py").read_text("utf-8"))
    (guarded,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*seen, "__version__"} == set(autodub.__all__) == set(dir(autodub))
    for name, module in seen.items():
        assert getattr(autodub, name).__module__ == module, name


def test_every_public_name_is_documented() -> None:
    """Every exported class and function has a docstring and, if it is a value, described fields."""
    for name in autodub.__all__:
        thing = getattr(autodub, name)
        assert name == "__version__" or (inspect.getdoc(thing) or "").strip(), name


def test_importing_the_package_costs_nothing() -> None:
    """Nothing heavy is loaded before it is used, and star imports bring exactly the public names."""
    code = (
        "import sys; before = set(sys.modules); import autodub; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stdout)) - sys.stdlib_module_names == {"autodub"}
    names: dict[str, object] = {}
    exec("from autodub import *", names)
    assert {*names} - {"__builtins__"} == set(autodub.__all__)


@pytest.mark.parametrize("text", [autodub.__doc__, (ROOT / "README.md").read_text("utf-8")])
def test_examples_use_what_exists(text: str) -> None:
    """Every attribute of a dub that an example shows is one, and so is every attribute of its receipt."""
    shown = re.findall(r"\bdubbed\.(\w+)(?:\.(\w+))?", text)
    assert shown
    dubbed = {field.name for field in dataclasses.fields(autodub.Dubbed)}
    receipt = set(dir(autodub.Receipt))
    for first, second in shown:
        assert first in dubbed
        assert not second or (first == "receipt" and second in receipt), second


def tree_of(text: str) -> dict[str, tuple[str | None, str]]:
    """Name -> (parent, remark) of the tree of errors drawn in a docstring."""
    out: dict[str, tuple[str | None, str]] = {}
    above: list[tuple[int, str]] = []
    for line in text.split("::", 1)[1].splitlines():
        found = re.fullmatch(r"( {4,})([A-Z]\w+)(.*)", line)
        if found is None:
            continue
        depth = len(found[1])
        above = [(d, name) for d, name in above if d < depth]
        out[found[2]] = (above[-1][1] if above else None, found[3])
        above.append((depth, found[2]))
    return out


def test_the_tree_of_errors_is_the_one_drawn() -> None:
    """Every error class stands in the drawing under its parent, and what is drawn as transient is."""
    drawn = tree_of(errors.__doc__ or "")
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert {name: parent for name, (parent, _) in drawn.items()} == {
        name: kind.__base__.__name__ if name != "AutodubError" else None for name, kind in classes.items()
    }
    for name, kind in classes.items():
        if issubclass(kind, errors.EngineError) and kind is not errors.EngineError:
            assert kind.transient == ("(transient" in drawn[name][1]), name
        assert kind.__doc__


def test_codes_of_errors_are_stable_and_apart() -> None:
    """No two kinds of error share a code, and each is one word for programs."""
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.AutodubError)]
    codes = [vars(kind)["code"] for kind in kinds]
    assert len(set(codes)) == len(codes) > 15
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def caught(tree: ast.Module) -> set[str]:
    """Names of the errors that a module catches itself."""
    handlers = [n.type for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler) and n.type is not None]
    return {ast.unparse(kind) for some in handlers for kind in getattr(some, "elts", [some])}


def test_only_errors_of_the_tree_are_raised_for_people() -> None:
    """No module defines an error beside the tree, save private ones it catches itself and five named here."""
    own = set()
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and path.name != "errors.py":
                bases = {ast.unparse(base) for base in node.bases}
                if bases & {
                    "Exception",
                    "BaseException",
                    "RuntimeError",
                    "ValueError",
                    "OSError",
                    "AutodubError",
                }:
                    is_inner = node.name.startswith("_") and node.name in caught(tree)
                    if not is_inner:
                        own.add(f"{path.relative_to(SOURCE).as_posix()}: {node.name}")
    assert own == {
        "gateway/check.py: Nonsense",  # becomes BadAnswer before it leaves the gateway
        "gateway/membership.py: Apart",  # is asked again, the other way
        "infra/places.py: Missing",  # becomes an answer that is made anew
        "jobs/deriving.py: Unfinished",  # becomes 202: come back in a moment
        "testing/loopback/deepgram_hearing.py: Undecodable",  # becomes the reply of a pretended provider
    }


def test_every_kind_of_event_is_documented_and_told() -> None:
    """The kinds in Event's docstring are exactly those the library sends."""
    documented = set(re.findall(r"``([a-z]+(?:\.[a-z_]+)?)``", job.Event.__doc__ or "")) - {"kind"}
    told, open_ended = set(), []
    for path, call in calls():
        if called(call) == "Event" and "threading" not in ast.unparse(call.func):
            kind = argument(call, 0, "kind")
            if constant(kind) is None:
                open_ended.append(path.name)
            told.add(constant(kind))
        elif called(call) == "_tell" and path.parent.name == "gateway":
            told.add(constant(call.args[1]))
            assert constant(call.args[1]) is not None
    assert told - {None} == documented
    # Inside `_tell`, whose callers are looked at above, and where calls that were summed up are put back.
    assert open_ended == ["gateway.py", "metrics.py"]


def test_every_stage_is_listed_and_run() -> None:
    """STAGES are exactly the stages that dubs announce, call in and report progress of."""
    told = set()
    for path, call in calls():
        if "cli" in path.relative_to(SOURCE).parts[:1]:
            continue  # fetching weights is a stage of its own command, of no dub
        name = called(call)
        if name == "stage" or (name == "progress" and len(call.args) == 3):
            told.add(constant(call.args[0]))
        elif name == "Event":
            told.add(constant(argument(call, 1, "stage")))
        elif name in {"call", "_tell"}:
            told |= {constant(k.value) for k in call.keywords if k.arg == "stage"}
    assert told - {None, ""} == set(job.STAGES)
    assert len(set(job.STAGES)) == len(job.STAGES)
