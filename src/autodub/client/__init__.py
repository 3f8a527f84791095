"""A typed client for an Autodub server. It speaks HTTP and knows nothing of how the server works."""

from __future__ import annotations

from autodub.client.client import Client
from autodub.client.errors import (
    ApiError,
    BadFile,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    ServerError,
    TooMany,
    Unauthenticated,
    Unreachable,
)
from autodub.client.models import Batch, Edited, Estimate, Event, Failure, Job, Line, Transcript, Upload

__all__ = [
    "ApiError",
    "BadFile",
    "BadRequest",
    "Batch",
    "Client",
    "Conflict",
    "Edited",
    "Estimate",
    "Event",
    "Failure",
    "Forbidden",
    "Job",
    "Line",
    "NotFound",
    "ServerError",
    "TooMany",
    "Transcript",
    "Unauthenticated",
    "Unreachable",
    "Upload",
]
