"""Query parameters that a route does not know are refused: they would do nothing, unnoticed."""

from __future__ import annotations

from flask import Flask, Response, request

from autodub.infra.faults import near
from autodub.web.asking import parameters
from autodub.web.problems import wrong

STRICT = "/api/v1/"
"""The simple interface passes over what it does not know, as the prototype did."""
_LONGEST = 60
_MOST = 20
"""Characters of a name, and names, that are told to whoever sent them."""


def check() -> Response | None:
    """Refuse a request with parameters of no meaning."""
    if not request.query_string or request.url_rule is None or not request.url_rule.rule.startswith(STRICT):
        return None
    known = parameters(request.endpoint)
    unknown = [name for name in request.args if name not in known]
    if not unknown:
        return None
    there_are = f": there are {', '.join(known)}" if known else ", nor is any other"
    errors = [
        {"where": name[:_LONGEST], "why": f"is no parameter here{near(name, known) or there_are}"}
        for name in unknown[:_MOST]
    ]
    return wrong(f"{errors[0]['where']} {errors[0]['why']}", errors)


def install(app: Flask) -> None:
    """Look at the query of every request."""
    app.before_request(check)
