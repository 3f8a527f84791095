"""What no test of one module can keep: no data run as code, no keys, no hidden gain, no tall claims."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ("src", "scripts", "benchmarks")
STARTERS = {"infra/process.py", "infra/child.py"}
"""The only modules of the library that start programs; both take argument lists, neither a shell."""
KEYS = re.compile(
    r"AKIA[0-9A-Z]{16}|\bsk-[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[0-9A-Za-z-]{20,}"
    r"|AIza[0-9A-Za-z_-]{35}|\bhf_[A-Za-z0-9]{30,}|\bsk_[a-z]+_[0-9A-Za-z]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|(?i:\b\w*(?:api_?key|secret|token|password)\b)\s*[=:]\s*[\"'](?!.*(?i:secret|example))[\w+/=-]{24,}[\"']"
)
DYNAMIC = re.compile(
    r"\b(?:loudnorm|dynaudnorm|acompressor|speechnorm|alimiter|amix|amerge|sidechaincompress)\b"
)
"""ffmpeg's filters that change levels on their own."""
FIGURE = re.compile(
    r"(?<![\w.])\d+(?:[.,]\d+)?\s?(?:%|ms\b|dB\b|dBTP\b|LU\b|LUFS\b|[kMG]i?B\b|times\b|×|x\b|s\b|seconds?\b|fps\b)"
)
WRITTEN = re.compile(r"<!-- figures written by (\S+) -->.*?<!-- end of figures -->", re.DOTALL)


def programs() -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file of the project that is not a test."""
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text("utf-8"))


def offences(tree: ast.Module) -> list[str]:
    """Where data could become code: eval and its like, shells, and formats that run what they read."""
    found = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "builtins.eval",
                        "subprocess.getoutput", "subprocess.getstatusoutput", "yaml.load"}:  # fmt: skip
                found.append(f"{line}: {name}")
            found += [f"{line}: shell={ast.unparse(k.value)}" for k in node.keywords if k.arg == "shell"]
            first = node.args[0] if node.args else None
            if isinstance(first, ast.List) and [
                part.value for part in first.elts[:2] if isinstance(part, ast.Constant)
            ][1:] == ["-c"]:
                found.append(f"{line}: an interpreter given code")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names]
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{line}: {m}" for m in modules if m in {"pickle", "marshal", "shelve", "dill", "pty"}]
    return found


@pytest.mark.parametrize(
    "text",
    [
        "eval(cell)", "exec(cell)", "__import__(name)", "os.system(f'rm {path}')", "import pickle",
        "from pickle import loads", "subprocess.run(line, shell=True)", "run(line, shell=wanted)",
        "compile(cell, '', 'eval')", "run(['sh', '-c', line])",
    ],
)  # fmt: skip
def test_the_look_for_code_finds_it(text: str) -> None:
    """Every way of running data that we forbid is noticed."""
    assert offences(ast.parse(text))


def test_no_data_becomes_code() -> None:
    """Nothing evaluates text, unpickles, or starts a shell (R30)."""
    found = {str(path.relative_to(ROOT)): offences(tree) for path, tree in programs()}
    assert len(found) > 100
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_programs_are_started_in_two_places_only() -> None:
    """All programs go through the modules that bound their time, memory and environment (R30)."""
    starting = set()
    for path, tree in programs():
        if not path.is_relative_to(ROOT / "src"):
            continue
        names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & {
            "Popen", "check_call", "check_output", "posix_spawn", "execv", "execvp", "fork",
        }  # fmt: skip
        imports = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        imports |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        if names or "subprocess" in imports:
            starting.add(path.relative_to(ROOT / "src" / "autodub").as_posix())
    assert starting == STARTERS


def tracked() -> list[Path]:
    """Every file of the repository; without git, every file beside what builds leave."""
    asked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        return [ROOT / name for name in asked.stdout.split("\0") if name]
    own = ("src", "tests", "scripts", "benchmarks", "docs", ".ci")
    return [*(p for f in own for p in (ROOT / f).rglob("*")), *(p for p in ROOT.iterdir() if p.is_file())]


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "ABCDEFGHIJKLMNOP", "sk-" + "a1B2" * 6, "ghp_" + "a1B2c3" * 6, "hf_" + "abcDEF" * 6,
        "-----BEGIN " + "RSA PRIVATE KEY-----", "DEEPGRAM_API_KEY = '" + "0a1b2c3d" * 4 + "'",
        'password: "' + "hunter2A" * 3 + '"', "eyJhbGciOiJIAAAA.eyJzdWIiOiIxAAAA." + "abcdefghijkl",
    ],
)  # fmt: skip
def test_the_look_for_keys_finds_them(text: str) -> None:
    """Keys of the common makes are noticed, and so are long values under telling names."""
    assert KEYS.search(text)


def test_no_key_is_in_the_repository() -> None:
    """No file of the repository holds anything that looks like a real key (R29)."""
    files = [path for path in tracked() if path.is_file()]
    assert len(files) > 200
    for path in files:
        found = KEYS.search(path.read_bytes().decode("utf-8", "replace"))
        assert found is None, f"{path.relative_to(ROOT)}: {found.group()[:12] if found else ''}..."


def test_no_filter_changes_levels_on_its_own() -> None:
    """Levels are ours alone: no filter of ffmpeg that changes them by itself is named (R13, R16)."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        found = DYNAMIC.search(path.read_text("utf-8"))
        assert found is None, f"{path.relative_to(ROOT)}: {found}"


@pytest.mark.parametrize(
    "text", ["98.5 % of lines", "0.4 s", "30x faster", "within 0.5 LU", "400 MB", "41 ms"]
)
def test_the_look_for_figures_finds_them(text: str) -> None:
    """A number with a unit is a claim."""
    assert FIGURE.search(text)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_no_figure_is_typed_by_hand(name: str) -> None:
    """Every measured figure in what users read first stands in a block that a script of ours wrote (R31)."""
    text = (ROOT / name).read_text("utf-8")
    for script in WRITTEN.findall(text):
        assert "figures written by" in (ROOT / script).read_text("utf-8"), f"{script} writes no figures"
    found = FIGURE.search(WRITTEN.sub("", text))
    assert found is None, f"{name}: {found.group() if found else ''} - where was it measured?"
