"""An S3 server for tests: moto's, on a free port of loopback, which can fail, and lets links run out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "films"
_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


class S3Server:
    """The server. What moto lacks is added: links that run out, and failures."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self.asked: list[tuple[str, str]] = []
        """Method and path of every request."""
        self.failing: Callable[[str, str], bool] = lambda method, path: False
        """Which requests are answered with 503."""
        self.later = 0.0
        """Seconds by which the server's clock is ahead."""
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __call__(self, environ: dict[str, Any], begin: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with self._lock:
            self.asked.append((method, path))
        if self.failing(method, path):
            begin("503 Slow Down", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return []
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "X-Amz-Expires" in query:
            signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            ends = signed + timedelta(seconds=int(query["X-Amz-Expires"][0]))
            if datetime.fromtimestamp(time.time() + self.later, UTC) > ends:
                begin("403 Forbidden", [("Content-Type", "text/plain")])
                return [b"Request has expired"]
        answer: Iterable[bytes] = self._app(environ, begin)
        return answer

    def keys(self, prefix: str = "") -> list[str]:
        """Every object there is below a prefix."""
        pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with a bucket, and the variables by which it is found."""
    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _VARIABLES.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        boto3.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield server
    server.close()
