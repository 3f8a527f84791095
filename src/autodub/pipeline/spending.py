"""What a dub may cost and will cost: the door to its engines with a budget, and the estimate."""

from __future__ import annotations

from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway
from autodub.gateway.store import Store
from autodub.infra.settings import Settings
from autodub.model.job import Listener
from autodub.model.request import DubRequest


def gateway(
    store: Store, request: DubRequest, settings: Settings, *, listener: Listener, cancel: Cancel
) -> Gateway:
    """The door to the engines of one dub, with its budget."""
    return Gateway(store, listener=listener, cancel=cancel, redact=settings.redact)
