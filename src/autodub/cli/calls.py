"""What the commands call: the library, imported when first used; tests hand in something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autodub.client import Client
    from autodub.gateway.store import Store
    from autodub.infra.settings import Settings


def _settings(*, data_dir: Path | None) -> Settings:
    from autodub.infra.settings import load

    return load(data_dir=data_dir)


def _dub(*arguments: Any, **named: Any) -> Any:
    from autodub.pipeline.dub import dub

    return dub(*arguments, **named)


def _foretell(*arguments: Any, **named: Any) -> Any:
    from autodub.pipeline.estimating import foretell

    return foretell(*arguments, **named)


def _measure(*arguments: Any, **named: Any) -> Any:
    from autodub.api import measure

    return measure(*arguments, **named)


def _transcribe(*arguments: Any, **named: Any) -> Any:
    from autodub.pipeline.transcribe import transcribe

    return transcribe(*arguments, **named)


def _client(address: str, key: str | None) -> Client:
    from autodub.client import Client

    return Client(address, key)


@dataclass(frozen=True, slots=True)
class Calls:
    """The library as the command line sees it."""

    settings: Callable[..., Settings] = _settings
    dub: Callable[..., Any] = _dub
    foretell: Callable[..., Any] = _foretell
    measure: Callable[..., Any] = _measure
    transcribe: Callable[..., Any] = _transcribe
    client: Callable[[str, str | None], Client] = _client

    @contextmanager
    def store(self, *, data_dir: Path | None) -> Iterator[Store]:
        """The store of the data directory, closed afterwards."""
        from autodub.gateway.opening import open_store

        store = open_store(self.settings(data_dir=data_dir))
        try:
            yield store
        finally:
            store.close()
