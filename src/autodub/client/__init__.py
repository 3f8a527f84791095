"""A typed client for an Autodub server. It speaks HTTP and knows nothing of how the server works."""

from __future__ import annotations

from autodub.client.client import Client
from autodub.client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    ServerError,
    TooMany,
    Unauthenticated,
    Unreachable,
)
from autodub.client.models import Event, Failure, Job, Upload

__all__ = [
    "ApiError",
    "BadRequest",
    "Client",
    "Conflict",
    "Event",
    "Failure",
    "Forbidden",
    "Job",
    "NotFound",
    "ServerError",
    "TooMany",
    "Unauthenticated",
    "Unreachable",
    "Upload",
]
