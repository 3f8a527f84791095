"""The files of deploy/: what they say exists, and what reads them takes them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from deploy.cluster import parts, sites

from autodub import __version__
from autodub.cli import root
from autodub.infra import server_settings, settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
CHECKERS = ROOT / ".venv" / "deploy"
"""Where ``make deploy-check`` puts what it needs."""
OURS = {"AUTODUB_CLUSTER"}
"""Variables of these files themselves."""
ENV = {"POSTGRES_PASSWORD": "a", "REDIS_PASSWORD": "b", "S3_KEY": "c", "S3_SECRET": "d"}


def texts() -> Iterator[tuple[str, str]]:
    """Every file, by its name."""
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name != "requirements.txt":
            yield str(path.relative_to(DEPLOY)), path.read_text(encoding="utf-8")


def compose() -> dict[str, Any]:
    """The services of compose.yaml."""
    found = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    services: dict[str, Any] = found["services"]
    return services


def commands() -> Iterator[tuple[str, list[str]]]:
    """Where, and the words after ``autodub``, of everything that the files run."""
    words = {"$PORT": "5000", "$QUEUES": "net,cpu", "$CONCURRENCY": "2", "$ENGINES": "demucs"}

    def split(line: str) -> list[str]:
        return [words.get(word.replace("{", "").replace("}", ""), word) for word in shlex.split(line)]

    for line in (DEPLOY / "Procfile").read_text().splitlines():
        yield "Procfile", split(line)[2:]
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=/opt/autodub/bin/autodub (.*)$", unit.read_text(), re.MULTILINE):
            yield unit.name, split(line)
    for name, service in compose().items():
        if "build" in service:
            yield f"compose: {name}", service["command"]
    yield (
        "Dockerfile",
        json.loads(re.findall(r"^CMD (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[0]),
    )
    for path in sorted((DEPLOY / "helm" / "autodub" / "templates").glob("*.yaml")):
        plain = path.read_text()
        for value, given in (("queues", '"net,cpu"'), ("calls", '"demucs"'), ("concurrency", '"2"')):
            plain = plain.replace(f"{{{{ $worker.{value} | quote }}}}", given)
        for given in re.findall(r"^ *args: (\[.*\])$", plain, re.MULTILINE):
            yield f"helm: {path.name}", yaml.safe_load(given)
        for line in re.findall(r"^ +autodub ([^|\n]*)", plain, re.MULTILINE):
            yield f"helm: {path.name}", shlex.split(line.split("<")[0])


def test_variables_are_settings() -> None:
    """Every variable of ours that a file names is a setting."""
    known = {*settings.KNOWN, *server_settings.VARIABLES.values(), "AUTODUB_CONFIG", *OURS}
    named = {(name, word) for name, text in texts() for word in re.findall(r"\bAUTODUB_[A-Z0-9_]+\b", text)}
    assert len(named) > 20
    assert sorted((name, word) for name, word in named if word not in known) == []


def test_commands_are_understood() -> None:
    """The command line takes every command that a file runs, and there are all of them."""
    found = list(commands())
    assert len(found) >= 12
    for where, words in found:
        command: click.Command = root
        left, info = list(words), where
        context: click.Context | None = None
        while isinstance(command, click.Group):
            # Each below the one before, as the command line does it: a command remembers the names of
            # its help option from the first context that asks.
            context = click.Context(command, parent=context, info_name=info, **command.context_settings)
            name, chosen, left = command.resolve_command(context, left)
            assert chosen is not None, (where, name)
            command, info = chosen, str(name)
        command.make_context(info, [str(word) for word in left], parent=context)


def test_every_resource_is_served() -> None:
    """Compose, the chart and the units each have workers for net, cpu and gpu."""
    served: dict[str, set[str]] = {}
    for where, words in commands():
        if "--queues" in words:
            kind = where.split(":")[0] if ":" in where else Path(where).suffix
            served.setdefault(kind, set()).update(words[words.index("--queues") + 1].split(","))
    assert sum("--calls" in words for _, words in commands()) >= 3
    values = yaml.safe_load((DEPLOY / "helm" / "autodub" / "values.yaml").read_text())
    served["helm"] = {one for worker in values["workers"].values() for one in worker["queues"].split(",")}
    for kind in ("compose", "helm", ".service"):
        assert served[kind] == {"net", "cpu", "gpu"}, kind


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_taken_by_systemd(unit: Path, tmp_path: Path) -> None:
    """To systemd there is nothing to complain of, and little that a broken-into Autodub could reach."""
    here = Path(sys.executable).with_name("autodub")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/autodub/bin/autodub", str(here)))
    for words in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run(
            ["systemd-analyze", "--no-pager", *words, str(copy)], capture_output=True, text=True, check=False
        )
        complaints = done.stdout + done.stderr if words == ["verify"] else ""
        assert (done.returncode, complaints) == (0, ""), done.stdout + done.stderr


def test_sites_come_from_one_file(tmp_path: Path) -> None:
    """What is written from nginx.conf is what it says now."""
    for path in sites.SITES:
        assert path.read_text() == sites.written(path), "run: python -m deploy.cluster.sites"


def test_nginx_takes_the_sites(tmp_path: Path) -> None:
    """The site as it is handed out, that of Compose and that of a cluster are taken by nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed here (make setup installs nginx)")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=dub.example.org", "-keyout", str(tmp_path / "privkey.pem"),
            "-out", str(tmp_path / "fullchain.pem")]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    frame = parts.nginx_config(tmp_path, 8080, [5001, 5002])
    site = (DEPLOY / "nginx.conf").read_text().replace("/etc/letsencrypt/live/dub.example.org", str(tmp_path))
    head = frame.partition("# nginx in front")[0]
    there = sites.written(DEPLOY / "compose" / "nginx.conf").replace("api:5000", "127.0.0.1:5000")
    for name, text in (("cluster", frame), ("site", f"{head}{site}}}\n"), ("compose", f"{head}{there}}}\n")):
        (tmp_path / "nginx.conf").write_text(text)
        words = [program, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr}"


def test_the_chart_is_of_this_release() -> None:
    """What a chart installs is the release it came with, unless its user says otherwise."""
    chart = yaml.safe_load((DEPLOY / "helm" / "autodub" / "Chart.yaml").read_text())
    values = yaml.safe_load((DEPLOY / "helm" / "autodub" / "values.yaml").read_text())
    assert (chart["appVersion"], values["image"]["tag"]) == (__version__, "")


def test_image_has_what_setup_installs() -> None:
    """The image has the programs of a machine that was set up, and extras that there are."""
    text = (DEPLOY / "Dockerfile").read_text()
    setup = (ROOT / "scripts" / "setup").read_text()
    wanted = set(re.findall(r"\b(?:ffmpeg|espeak-ng|apertium(?:-[a-z]+)*)\b", setup.partition("say()")[0]))
    assert len(wanted) > 8
    assert wanted <= set(text.split()), wanted - set(text.split())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for line in re.findall(r"EXTRAS=(\S+)", text):
        assert set(line.split(",")) <= set(extras)


def test_compose_file_is_whole() -> None:
    """Every password comes from outside, whoever depends on something waits for it, volumes are declared."""
    found = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    example = (DEPLOY / "compose" / "env.example").read_text()
    for name in set(re.findall(r"\$\{([A-Z0-9_]+)[:}]", text)) - {"IMAGE"}:
        assert re.search(rf"^{name}=", example, re.MULTILINE), name
    for service in found["services"].values():
        assert set(service.get("depends_on", ())) <= set(found["services"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in found["volumes"] or (DEPLOY / "compose" / source).exists()


def test_compose_takes_its_file() -> None:
    """Docker Compose itself understands compose.yaml."""
    program = CHECKERS / "bin" / "docker-compose"
    if not program.exists():
        pytest.skip("Docker Compose is not here (make deploy-check installs it)")
    file = str(DEPLOY / "compose" / "compose.yaml")
    done = subprocess.run(
        [program, "--profile", "*", "-f", file, "config", "--format", "json"],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], **ENV},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)["services"]) == set(compose())


def test_chart_is_taken_by_helm_and_kubernetes() -> None:
    """Helm lints and renders the chart in several ways, and all of it fits the schemas of Kubernetes."""
    if not (CHECKERS / "helm_python").exists():
        pytest.skip("Helm is not here (make deploy-check installs it)")
    done = subprocess.run(
        [sys.executable, DEPLOY / "check.py"], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKERS)},
    )  # fmt: skip
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert (done.returncode, found["trouble"]) == (0, [])
    for one in found["made"]["as it is"]:
        if one["kind"] == "Deployment":
            pod = one["spec"]["template"]["spec"]
            assert pod["terminationGracePeriodSeconds"] >= 30
            assert all(box["securityContext"]["readOnlyRootFilesystem"] for box in pod["containers"])
            assert {box["image"] for box in pod["containers"]} == {f"autodub:{__version__}"}
    fences = {way: policies(made) for way, made in found["made"].items()}
    assert fences["bare"] == {}
    assert set(fences["as it is"]) == {"demo-autodub", "demo-autodub-api"}
    assert fences["as it is"]["demo-autodub"] == {"policyTypes": ["Ingress"], "ingress": []}
    (served,) = fences["fenced"]["demo-autodub-api"]["ingress"]
    assert served["from"]
    _, world, ours = fences["fenced"]["demo-autodub-egress"]["egress"]
    assert "10.0.0.0/8" in world["to"][0]["ipBlock"]["except"]
    assert ours == {"to": [{"ipBlock": {"cidr": "10.0.12.0/24"}}], "ports": [{"port": 5432}]}


def policies(made: list[Any]) -> dict[str, Any]:
    """Name of each NetworkPolicy -> what it says, of whatever pods."""
    found = {one["metadata"]["name"]: one["spec"] for one in made if one["kind"] == "NetworkPolicy"}
    return {
        name: {key: value for key, value in spec.items() if key != "podSelector"}
        for name, spec in found.items()
    }
