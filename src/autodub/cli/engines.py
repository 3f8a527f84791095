"""``autodub engines``: every engine by role, whether it can run here, and how to make it ready."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option


@click.group("engines", invoke_without_command=True)
@data_dir_option
@json_option
@click.pass_context
def command(context: click.Context, *, data_dir: Path | None, as_json: bool) -> int:
    """List the engines by role, and how to make the others ready.

    The state is one of ready, needs key, needs download, needs worker and not installed.
    """
    if context.invoked_subcommand is not None:
        return 0
    from autodub.cli import show_engines
    from autodub.pipeline import catalogue

    calls: Calls = context.obj
    states = catalogue.engines(calls.settings(data_dir=data_dir))
    if as_json:
        emit(show_engines.as_json(states))
    else:
        show_engines.show(states)
    return 0


@command.command("fetch")
@click.argument("engine", metavar="ROLE.NAME")
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="An option of the engine.")
@data_dir_option
@json_option
@click.pass_obj
def fetch(
    calls: Calls, *, engine: str, settings: tuple[str, ...], data_dir: Path | None, as_json: bool
) -> int:
    """Download what an engine needs, such as transcriber.whisper."""
    from autodub.cli import progress
    from autodub.cli.stopping import stopping
    from autodub.engines import registry
    from autodub.engines.context import engine_context
    from autodub.gateway.cancel import Cancel
    from autodub.gateway.work import CallWork
    from autodub.model.errors import EngineCannot, Unreachable

    role, name = _whole(engine)
    options = dict(_pair(text) for text in settings)
    loaded = calls.settings(data_dir=data_dir)
    context = engine_context(loaded)
    built = registry.build(role, name, options, context)
    if getattr(built, "fetch", None) is None:
        raise EngineCannot(f"The {role} {name} has nothing to download.", hint=built.readiness().fix)
    if loaded.offline:
        raise EngineCannot(
            "Downloads are switched off (offline).", hint="Unset AUTODUB_OFFLINE for this once."
        )
    cancel = Cancel()
    with (
        calls.store(data_dir=data_dir) as store,
        progress.shown(sys.stderr) as view,
        stopping(cancel.request, view.say),
    ):
        work = CallWork(store.blobs, cancel=cancel, listener=view, stage="fetch")
        try:
            built.fetch(work)
        finally:
            work.close()
    ready = registry.build(role, name, options, context).readiness()
    if ready.state != "ready":
        raise Unreachable(f"The {role} {name} is still not ready: {ready.detail}.", hint=ready.fix)
    if as_json:
        emit({"role": role, "name": name, "state": ready.state, "detail": ready.detail})
    else:
        click.echo(f"{role}.{name} is ready.")
    return 0


@command.command("install")
@click.argument("engine", metavar="ROLE.NAME")
@data_dir_option
@click.pass_obj
def install(calls: Calls, *, engine: str, data_dir: Path | None) -> int:
    """Install an engine that keeps apart from the others.

    Its packages go into an environment of their own, in the models directory: separator.demucs, say.
    """
    from autodub.engines import environment, registry
    from autodub.engines.context import engine_context
    from autodub.model.errors import EngineCannot

    role, name = _whole(engine, shared=lambda found: getattr(found, "environment", found))
    loaded = calls.settings(data_dir=data_dir)
    wanted = getattr(registry.load(role, name), "environment", None)
    if wanted is None:
        raise EngineCannot(
            f"The {role} {name} needs no environment of its own.",
            hint="Run `autodub engines` to see what it needs.",
        )
    if loaded.offline:
        raise EngineCannot(
            "Downloads are switched off (offline).", hint="Unset AUTODUB_OFFLINE for this once."
        )
    environment.install(wanted, engine_context(loaded), say=lambda text: click.echo(text, err=True))
    click.echo(f"{role}.{name} is installed.")
    return 0


def _whole(engine: str, *, shared: Callable[[type[Any]], object] = lambda found: found) -> tuple[str, str]:
    """Role and name of an engine; the name alone will do where it, or what is ``shared``, is one thing.

    Raises UnknownEngine with the whole names there are.
    """
    from autodub.engines import registry
    from autodub.model.errors import UnknownEngine
    from autodub.model.request import ROLES

    role, dot, name = engine.partition(".")
    if dot:
        return role, name
    found = [known for known in ROLES if engine in registry.names(known)]
    if found and len({shared(registry.load(known, engine)) for known in found}) == 1:
        return found[0], engine
    names = " or ".join(f"{known}.{engine}" for known in found)
    hint = f"Did you mean {names}?" if found else "Run `autodub engines` to see them."
    raise UnknownEngine(f"{engine!r} is not of the form ROLE.NAME.", hint=hint)


def _pair(text: str) -> tuple[str, str]:
    option, equals, value = text.partition("=")
    if not equals or not option:
        raise click.UsageError(f"{text!r} is not of the form option=value.")
    return option, value
