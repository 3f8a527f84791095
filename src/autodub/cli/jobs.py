"""``autodub jobs``: submit, watch, edit and download dubs at a server."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "submit": "jobs_submit", "batch": "jobs_submit",
    "list": "jobs_look", "show": "jobs_look", "watch": "jobs_look",
    "download": "jobs_files", "uploads": "jobs_files",
    "lines": "jobs_edit", "edit": "jobs_edit", "regenerate": "jobs_edit",
    "cancel": "jobs_change", "retry": "jobs_change", "delete": "jobs_change",
}  # fmt: skip
"""Command -> the module it is in, under its own name (``list_`` and so on where that is taken)."""


class _Lazy(click.Group):
    """A group that imports a command's module when the command is used or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the names are click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = getattr(
            import_module(f"autodub.cli.{_COMMANDS[cmd_name]}"), f"{cmd_name}_command"
        )
        return found


@click.group("jobs", cls=_Lazy)
def command() -> None:
    """Dub at a server: submit, watch, edit, download.

    The server is http://127.0.0.1:5000 unless --server, AUTODUB_SERVER or server_url in the settings file
    says otherwise. A server with accounts wants your key: AUTODUB_KEY, or server_key in the settings file.
    A job is named by its id, its first characters, or: last.
    """
