"""Bytes in storage that speaks S3. Credentials, region and endpoint come from the usual places of AWS.

Large files go and come in parts, several at once; what fails for a passing reason is tried again by the SDK.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from autodub.infra.places import Missing, StorageAway
from autodub.model.errors import BadOption, Unavailable

PART = 8 << 20
"""Bytes of a part; smaller files are sent in one."""
_TOGETHER = 4  # parts of one file under way at once
_TRIES = 5
_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/-]*))?")
_NOT_KNOWN = 501  # HTTP: not implemented
_GONE = ("404", "NoSuchKey", "NotFound")


class S3:
    """A bucket, or what begins with a prefix in it. Safe for many threads."""

    kind: Literal["folder", "s3"] = "s3"

    def __init__(self, address: str) -> None:
        """``address`` is ``s3://bucket/prefix``. Raises BadOption; Unavailable without the SDK."""
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise BadOption("blobs is not an address of S3.", hint="It looks like s3://bucket/prefix.")
        self._bucket, prefix = found[1], (found[2] or "").strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self.name = f"s3://{self._bucket}/{self._prefix}"
        self._lock = threading.Lock()
        self._client: Any = None
        self._transfer: Any = None
        self._versions: bool | None = None

    def put(self, place: str, file: Path) -> None:
        """Send a file; it is there when all of it is."""
        with self._talking() as client:
            if file.stat().st_size < PART:
                with file.open("rb") as stream:
                    client.put_object(Bucket=self._bucket, Key=self._prefix + place, Body=stream)
            else:
                client.upload_file(str(file), self._bucket, self._prefix + place, Config=self._transfer)

    def get(self, place: str, file: Path) -> None:
        """Bring a file, a large one in ranges."""
        with self._talking(place) as client:
            client.download_file(self._bucket, self._prefix + place, str(file), Config=self._transfer)

    def local(self, place: str) -> Path | None:  # noqa: ARG002
        """It must be brought."""
        return None

    def remove(self, place: str, *, half: bool = False) -> None:
        """Delete it, every version of it, and parts of it that were never put together."""
        here = {"Bucket": self._bucket}
        key = self._prefix + place
        with self._talking() as client:
            client.delete_object(Key=key, **here)
            if half:
                self._give_up(client, key)
            if self._keeps_versions(client):
                for page in client.get_paginator("list_object_versions").paginate(Prefix=key, **here):
                    for old in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                        client.delete_object(Key=old["Key"], VersionId=old["VersionId"], **here)

    def _give_up(self, client: Any, key: str) -> None:
        """Remove parts that were never put together."""
        from botocore.exceptions import ClientError

        here = {"Bucket": self._bucket}
        try:
            for upload in client.list_multipart_uploads(Prefix=key, **here).get("Uploads", ()):
                client.abort_multipart_upload(Key=upload["Key"], UploadId=upload["UploadId"], **here)
        except (
            ClientError
        ) as problem:  # somebody else was quicker; rclone says so where there are none at all
            if problem.response.get("Error", {}).get("Code") != "NoSuchUpload":
                raise

    def _keeps_versions(self, client: Any) -> bool:
        """Whether the bucket keeps what is deleted; a server that does not know of versions keeps none."""
        if self._versions is None:
            from botocore.exceptions import ClientError

            try:
                self._versions = "Status" in client.get_bucket_versioning(Bucket=self._bucket)
            except ClientError as problem:
                if problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != _NOT_KNOWN:
                    raise
                self._versions = False
        return self._versions

    def before(self, when: float) -> Iterator[str]:
        """Every object under the prefix that is old enough."""
        with self._talking() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                for one in page.get("Contents", ()):
                    if one["LastModified"].astimezone(UTC) < datetime.fromtimestamp(when, UTC):
                        yield one["Key"].removeprefix(self._prefix)

    def link(self, place: str, *, name: str, media: str, inline: bool, seconds: int) -> str | None:
        """A presigned address."""
        how = "inline" if inline else "attachment"
        with self._talking() as client:
            address: str = client.generate_presigned_url(
                "get_object", ExpiresIn=seconds,
                Params={
                    "Bucket": self._bucket, "Key": self._prefix + place, "ResponseContentType": media,
                    "ResponseContentDisposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
                },
            )  # fmt: skip
        return address

    def check(self) -> None:
        """Whether the bucket is there and may be looked at."""
        with self._talking() as client:
            client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    @contextmanager
    def _talking(self, place: str = "") -> Iterator[Any]:
        """The client; its errors become ours."""
        client = self._opened()
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield client
        except ClientError as problem:
            code = str(problem.response.get("Error", {}).get("Code", ""))
            if place and code in _GONE:
                raise Missing(place) from None
            raise self._away(code or "no reason given") from None
        except (BotoCoreError, Boto3Error) as problem:
            raise self._away(type(problem).__name__) from None

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    import boto3
                    from boto3.s3.transfer import TransferConfig
                    from botocore.config import Config
                    from botocore.exceptions import BotoCoreError
                except ModuleNotFoundError as error:
                    raise Unavailable(
                        "Files are to lie in S3, and its SDK is not installed.",
                        hint="Install it: pip install 'autodub[cluster]'",
                    ) from error
                config = Config(
                    connect_timeout=5, read_timeout=60, max_pool_connections=32, signature_version="s3v4",
                    retries={"mode": "standard", "total_max_attempts": _TRIES},
                    # Other servers than AWS's know no trailing checksums; we compare sha256 ourselves.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                )  # fmt: skip
                try:
                    self._client = boto3.session.Session().client("s3", config=config)
                except (BotoCoreError, ValueError) as problem:
                    raise self._away(type(problem).__name__) from None
                self._transfer = TransferConfig(
                    multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=_TOGETHER
                )
            return self._client

    def _away(self, why: str) -> StorageAway:
        return StorageAway(
            f"The storage {self.name} cannot be used ({why}).",
            hint="Check that it runs and can be reached, that the bucket exists, and the AWS_* variables.",
        )
