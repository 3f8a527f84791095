"""The app factory: one Flask app over one platform."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib import import_module
from typing import Any

from flask import Response, g, request
from flask_openapi3 import Info, OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from autodub import __version__
from autodub.jobs.platform import Platform
from autodub.web import access, asking, bodies, headers, identity, limits, origins, problems, queries
from autodub.web.pushing import Pusher

_ROUTES = (
    "auth",
    "keys",
    "users",
    "jobs",
    "stages",
    "transcripts",
    "editing",
    "fitting",
    "timings",
    "batches",
    "checks",
    "estimates",
    "look",
    "catalogue",
    "previews",
    "glossaries",
    "webhooks",
    "usage",
    "consents",
    "privacy",
    "audit",
    "simple",
    "events",
    "files",
    "waveforms",
    "thumbnails",
    "tus",
    "uploads",
    "document",
    "docs",
    "pages",
    "health",
    "metrics",
)
"""Modules of this package with a ``blueprint``."""
SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key: `Authorization: Bearer adk_...`"},
    "session": {"type": "apiKey", "in": "cookie", "name": "autodub_session"},
}


class _App(OpenAPI):
    """The app: none of its views is a coroutine, and none is looked at for it, a dozen times a request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(platform: Platform) -> OpenAPI:
    """The server's app. ``platform`` must outlive it."""
    app = _App(
        "autodub.web",
        info=Info(
            title="Autodub", version=__version__,
            description="Dub videos into other languages: submit, watch, edit, download.",
        ),
        security_schemes=SECURITY,  # type: ignore[arg-type]
        validation_error_status=422,
        validation_error_model=problems.Problem,
        validation_error_callback=problems.of_validation,
        doc_ui=False,
        static_folder=None,
    )  # fmt: skip
    app.extensions["autodub"] = platform
    app.extensions["autodub.pusher"] = pusher = Pusher()
    platform.watching.heard = pusher.wake
    app.json.sort_keys = False  # type: ignore[attr-defined]
    if platform.server.proxies:
        count = platform.server.proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count
        )

    @app.before_request
    def named() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if 8 <= len(given) <= 64 and given.isalnum() else secrets.token_hex(8)

    @app.after_request
    def tagged(answer: Response) -> Response:
        answer.headers["X-Request-Id"] = g.get("request_id", "")
        return answer

    access.install(app, platform)
    problems.install(app)
    headers.install(app)
    origins.install(app, platform.server)  # in this order a request is looked at
    bodies.install(app, platform.server)
    limits.install(app, platform.server)
    identity.install(app)
    queries.install(app)
    for name in _ROUTES:
        app.register_api(import_module(f"autodub.web.{name}").blueprint)
    asking.install(app)
    return app
