"""People who use a server with accounts, in tests."""

from __future__ import annotations

from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from autodub.jobs.accounts import Accounts, Role
from autodub.jobs.passwords import Passwords
from autodub.jobs.platform import LOCAL_ACTOR, Platform

PASSWORD = "a lamp by the harbour"
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class Browser:
    """A browser of somebody: it keeps the cookie, and its pages know the session's token."""

    def __init__(self, app: Flask, name: str = "") -> None:
        """Log in as ``name``; without one nobody is."""
        self.client: FlaskClient = app.test_client()
        self.csrf = ""
        if name:
            answer = self.login(name)
            assert answer.status_code == 200, answer.get_json()

    def login(self, name: str, password: str = PASSWORD, **named: Any) -> TestResponse:
        """Try to log in."""
        answer = self.ask("POST", "/api/v1/auth/login", json={"name": name, "password": password}, **named)
        self.csrf = (answer.get_json() or {}).get("csrf") or self.csrf
        return answer

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **named: Any
    ) -> TestResponse:
        """Send a request as one of our own pages does."""
        sent = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        sent |= {"X-CSRF-Token": self.csrf} if self.csrf else {}
        return self.client.open(path, method=method, headers=sent | (headers or {}), **named)

    @property
    def cookie(self) -> str:
        """The secret of its session; empty without one."""
        found = self.client.get_cookie("autodub_session")
        return found.value if found is not None else ""


def added(platform: Platform, name: str, *, role: Role = "user") -> str:
    """A new user with the password of everybody here; their id. Checking it costs nothing."""
    platform.accounts = Accounts(platform.sql, CHEAP)
    return platform.accounts.create(LOCAL_ACTOR, name, PASSWORD, role=role).id


def key_of(platform: Platform, user: str, *scopes: str) -> dict[str, str]:
    """The headers of a new key."""
    text, _ = platform.keys.create(LOCAL_ACTOR, "test", scopes or ("read", "jobs", "voices"), owner=user)
    return {"Authorization": f"Bearer {text}"}
