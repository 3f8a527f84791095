"""Headers that every answer carries, so that browsers do no more with it than it is meant for."""

from __future__ import annotations

from flask import Flask, Response, request

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For what is no page: nothing in it is ever run or loaded."""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""For our pages: everything comes from the server itself, and nothing that stands in the page is run."""
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), "
    "midi=(), display-capture=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
}
_YEAR = 31_536_000


def _with(**more: str) -> tuple[tuple[str, tuple[str, str]], ...]:
    """Name in small letters, and the header, once for all answers of a kind."""
    whole = _ALWAYS | {name.replace("_", "-"): value for name, value in more.items()}
    return tuple((name.lower(), (name, value)) for name, value in whole.items())


_OF_PAGES = _with(Content_Security_Policy=PAGE_POLICY)
_OF_DATA = _with(Content_Security_Policy=DATA_POLICY)
_OF_JSON = _with(Content_Security_Policy=DATA_POLICY, Cache_Control="no-store")


def told(answer: Response) -> Response:
    """Add what a route did not set itself."""
    page, is_json = answer.mimetype == "text/html", (answer.mimetype or "").endswith("json")
    wanted = _OF_PAGES if page else _OF_JSON if is_json else _OF_DATA
    set_already = {name.lower() for name, _ in answer.headers}
    answer.headers.extend([one for lower, one in wanted if lower not in set_already])
    if request.is_secure:
        answer.headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR}")
    return answer


def install(app: Flask) -> None:
    """Have every answer of the app carry them."""
    app.after_request(told)
