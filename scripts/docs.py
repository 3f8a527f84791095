"""Write what is derived from the code: docs/CLI.md, ENGINES.md, METRICS.md, and the settings of SERVER.md.

``python scripts/docs.py`` writes them; ``--check`` only says which are out of date (exit code 1).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from autodub.cli import failure, root
from autodub.engines import registry
from autodub.infra import server_settings, settings
from autodub.model.request import ROLES
from autodub.quality.definitions import DEFINITIONS, Definition

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTICE = (
    "<!-- Written by scripts/docs.py from the code. Change it there, then run: python scripts/docs.py -->\n"
)
DUTIES = {
    "downloader": "Fetches the source.",
    "detector": "Finds where people speak. The one detector every figure rests on.",
    "separator": "Takes the voice out of the mix, so that music and effects stay.",
    "transcriber": "Writes down what is said, or reads it from subtitles.",
    "diarizer": "Tells the speakers apart.",
    "translator": "Says each line in the other language.",
    "synthesizer": "Speaks.",
    "cloner": "Makes a voice sound like the original speaker. Only used with --match-voices.",
}
SETTINGS = {
    "host": "Where it runs", "slots": "Jobs", "upload": "Uploads", "accounts": "Accounts and quotas",
    "rates": "The interface", "consent": "Policy", "log": "Operations",
}  # fmt: skip
"""First setting of each group, and what the group is called."""
PLACES = {
    "data_dir": "the user's data folder", "models_dir": "`models` in the data directory",
    "offline": "`false`",
}  # fmt: skip
"""Defaults that are worked out."""
SETTINGS_BEGIN = "<!-- Written by scripts/docs.py from the code: settings -->"
SETTINGS_END = "<!-- end of settings -->"
GROUPS = {
    "L": "Lines",
    "D": "Length",
    "R": "Rendered against planned",
    "T": "Timing",
    "B": "Background",
    "M": "Mix and loudness",
    "V": "Voices",
}


def cli() -> str:
    """Help of every command, as it is printed, and the exit codes."""
    parts = [
        NOTICE,
        "# Command line\n",
        "Progress goes to standard error, results to standard output. With `--json` standard output is one",
        'JSON object and nothing else; an error is `{"error": {"code", "message", "hint"}}`.\n',
        "| exit code | meaning |\n|---|---|",
        "| 0 | done |",
        f"| {failure.FAILED} | something failed on the way; finished work is kept |",
        f"| {failure.WRONG} | refused: the command or the request cannot be carried out; nothing was spent |",
        f"| {failure.INTERRUPTED} | stopped by Ctrl-C or SIGTERM; the same command continues |\n",
        "Errors are one sentence and one hint. `AUTODUB_DEBUG=1` adds where in the code it happened.\n",
    ]
    for path, command in commands(root, "autodub"):
        context = click.Context(
            command, info_name=path, terminal_width=96, max_content_width=96,
            help_option_names=["-h", "--help"],
        )  # fmt: skip
        parts.append(f"## `{path}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def commands(group: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """Every command below a group, with the words that call it, the group first."""
    found = [(path, group)]
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            found += commands(command, f"{path} {name}")
    return found


def engines() -> str:
    """Every engine with its options."""
    parts = [
        NOTICE,
        "# Engines\n",
        "Each job in a dub is a role; each role has engines. `auto` takes, per role, the first that can run",
        "here: a cloud engine whose key is set, then a local model whose weights are here, then an engine",
        "that needs nothing. `autodub engines` shows what can run on this machine and how to change that.",
        "Name one with `--transcriber NAME` and so on, set an option with `--set role.option=value`.",
        "An engine may also run on another machine, such as one with a GPU: see Calls on other machines in",
        "[SCALING.md](SCALING.md).\n",
    ]
    for role in ROLES:
        parts.append(f"## {role}\n\n{DUTIES[role]}\n")
        parts += [engine(role, name) for name in registry.names(role) if is_own(role, name)]
    return "\n".join(parts)


def is_own(role: str, name: str) -> bool:
    """Whether the engine ships with Autodub; others that happen to be installed document themselves."""
    return registry.load(role, name).__module__.startswith("autodub.engines.")


def engine(role: str, name: str) -> str:
    """One engine: what it is, what it serves, its options."""
    known = registry.load(role, name)
    info = known.describe()
    served = "any" if info.languages is None else ", ".join(sorted(info.languages))
    if info.languages is not None and len(info.languages) > 30:
        served = f"{len(info.languages)} of them"
    facts = [f"Languages: {served}."]
    facts += [f"Licence: {info.licence}."] if info.licence else []
    facts += ["Needs weights."] if info.needs_weights else []
    facts += ["Paid."] if info.paid else []
    lines = [f"### {role}.{name}\n", f"{sentence(info.summary)} {' '.join(facts)}\n"]
    options = registry.describe_options(known)
    if options:
        lines.append("| option | what may be given | default | meaning |\n|---|---|---|---|")
        lines += [
            f"| `{o.name}` | {cell(o.kind)} | {default(known, o)} | {cell(o.description)} |" for o in options
        ]
        lines.append("")
    return "\n".join(lines)


def default(known: Any, option: registry.Option) -> str:
    """What counts when the option is not given."""
    if known.Options.model_fields[option.name].is_required():
        return "must be given"
    return f"`{cell(option.default)}`" if option.default else "empty"


def sentence(text: str) -> str:
    """Text with one full stop at its end."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def metrics() -> str:
    """The definition of every figure on a receipt."""
    parts = [
        NOTICE,
        "# Figures on the receipt\n",
        "Every figure is taken from the finished file, decoded again. Speech is found by one detector with",
        "one setting in source and dub (10 ms frames, gaps under 100 ms joined, runs under 50 ms dropped);",
        "planned times never stand in for detected ones. A value that does not exist (nothing detected, an",
        "empty set) is left out and counted, with the reason, under `undefined`. *Floor* is what a dub must",
        "reach to be shipped, *lead* what a good one reaches; figures without either are reported only.\n",
    ]
    others = dict.fromkeys(sorted({name[0] for name in DEFINITIONS} - set(GROUPS)), "Others")
    for letter, title in (GROUPS | others).items():
        rows = [d for d in DEFINITIONS.values() if d.id[0] == letter]
        parts.append(f"## {title}\n\n| id | figure | definition | floor | lead |\n|---|---|---|---|---|")
        parts += [
            f"| `{d.id}` | {cell(d.name)} | {cell(d.text)} | {asked(d, d.floor)} | {asked(d, d.lead)} |"
            for d in rows
        ]
        parts.append("")
    return "\n".join(parts)


def server() -> str:
    """The handwritten document with its tables of settings as they are in the code."""
    text = (DOCS / "SERVER.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(SETTINGS_BEGIN)
    _, _, after = rest.partition(SETTINGS_END)
    return f"{before}{SETTINGS_BEGIN}\n\n{settings_tables()}\n{SETTINGS_END}{after}"


def settings_tables() -> str:
    """Every setting: its name in the file, its variable, what counts without it, what it means."""
    head = "| setting | variable | default | meaning |\n|---|---|---|---|"
    parts: list[str] = []
    for name, field in server_settings.ServerSettings.model_fields.items():
        if name in SETTINGS:
            parts.append(f"\n### {SETTINGS[name]} (`[server]`)\n\n{head}")
        parts.append(row(name, server_settings.VARIABLES[name], field))
    parts.append(
        f"\n### Of every command (above all tables of the file; marked ones in `[download]`)\n\n{head}"
    )
    for name, variable in settings._VARIABLES.items():
        place = f"download.{name}" if name in settings._DOWNLOADS else name
        parts.append(row(place, variable, settings.Settings.model_fields[name]))
    parts.append("\n### Keys and addresses of engines (`[secrets]`, `[endpoints]`)\n")
    parts.append("Variables of the same names: " + ", ".join(f"`{n}`" for n in settings.SECRETS) + ";")
    parts.append(
        ", ".join(f"`{n}`" for n in settings.ENDPOINTS) + ". `AUTODUB_CONFIG` names the file itself."
    )
    return "\n".join(parts).lstrip("\n") + "\n"


def row(name: str, variable: str, field: Any) -> str:
    """One setting."""
    return f"| `{name}` | `{variable}` | {without(name, field)} | {cell(field.description or '')} |"


def without(name: str, field: Any) -> str:
    """What counts when a setting is not given."""
    if name in PLACES:
        return PLACES[name]
    found = field.default
    found = found.get_secret_value() if hasattr(found, "get_secret_value") else found
    if isinstance(found, bool):
        return f"`{str(found).lower()}`"
    return "empty" if found in ("", None, ()) else f"`{found}`"


def asked(definition: Definition, bound: float | None) -> str:
    """A bound with its side; empty when there is none."""
    return "" if bound is None or not definition.sense else f"{definition.sense} {bound:g}"


def cell(text: str) -> str:
    """Text that cannot break a table."""
    return " ".join(text.split()).replace("|", "\\|")


DOCUMENTS = {"CLI.md": cli, "ENGINES.md": engines, "METRICS.md": metrics, "SERVER.md": server}


def stale() -> list[str]:
    """Names of the documents that are not what the code says."""
    return [name for name, write in DOCUMENTS.items() if not current(DOCS / name, write())]


def current(path: Path, text: str) -> bool:
    """Whether the file holds the text."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main() -> int:
    """Write, or check."""
    if "--check" in sys.argv[1:]:
        old = stale()
        for name in old:
            print(f"docs/{name} is out of date. Run: python scripts/docs.py")
        return 1 if old else 0
    for name, write in DOCUMENTS.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
