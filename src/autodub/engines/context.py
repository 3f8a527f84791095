"""From the operator's settings to what engines are given of them."""

from __future__ import annotations

from autodub.engines.remote import Elsewhere
from autodub.engines.roles import EngineContext, Fetching
from autodub.infra.settings import Settings


def engine_context(settings: Settings) -> EngineContext:
    """What engines are given of the settings. Raises UnknownEngine, BadOption for ``remote_engines``."""
    usual = Fetching()
    fetching = Fetching(
        sites=usual.sites if settings.sites is None else settings.sites,
        addresses=settings.addresses,
        longest=settings.longest or usual.longest,
        largest=settings.largest or usual.largest,
        height=settings.height or usual.height,
    )
    return EngineContext(
        settings.secret_values(),
        settings.models_dir,
        offline=settings.offline,
        endpoints=settings.endpoints,
        fetching=fetching,
        elsewhere=_elsewhere(settings),
    )


def _elsewhere(settings: Settings) -> Elsewhere | None:
    if not settings.remote_engines:
        return None
    from autodub.engines.remote_directory import Directory

    return Directory(settings)
