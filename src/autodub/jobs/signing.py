"""Content credentials: what a server delivers is signed with the operator's certificate, where there is one.

The dub itself stays as it was made, so that it is found again; a signed copy is what the job shows. The mark
that its speech is synthetic is in the file with or without a signature.
"""

from __future__ import annotations

import logging
from pathlib import Path

from autodub.gateway.store import Store
from autodub.infra.server_settings import ServerSettings
from autodub.jobs.results import Item, Result
from autodub.media import provenance
from autodub.model.errors import AutodubError, BadOption
from autodub.model.job import Event, Listener

log = logging.getLogger("autodub.jobs")


class Signing:
    """Signs finished dubs, or leaves them as they are."""

    def __init__(self, server: ServerSettings, store: Store) -> None:
        """Raises BadOption when only one of certificate and key is set."""
        if (server.c2pa_certificate is None) != (server.c2pa_key is None):
            raise BadOption(
                "Content credentials need a certificate and its key.",
                hint="Set both c2pa_certificate and c2pa_key, or neither.",
            )
        self._certificate, self._key, self._store = server.c2pa_certificate, server.c2pa_key, store

    def check(self) -> None:
        """Raise BadOption or EngineCannot when nothing could be signed: to be asked before anything is."""
        if self._certificate is not None and self._key is not None:
            provenance.check(certificate=self._certificate, key=self._key)

    def signed(self, job: str, result: Result, listener: Listener) -> Result:
        """A job's result with its media signed.

        What cannot be signed is delivered without, which is announced and stands with the result.
        """
        media = result.files.get("media")
        if self._certificate is None or self._key is None or media is None:
            return result
        try:
            item = self._copy(job, media, self._certificate, self._key)
        except AutodubError as problem:  # its words may hold paths of this machine
            log.warning("a dub could not be signed", extra={"job": job, "code": problem.code})
            why = "its certificate cannot be used now" if self._fits(media) else "such files carry none"
            said = f"no content credentials are in the file ({why})"
            listener(Event("degraded", "", said, data={"what": "provenance"}))
            return result.model_copy(update={"degradations": [*result.degradations, said]})
        return result.model_copy(update={"files": {**result.files, "media": item}})

    def _copy(self, job: str, media: Item, certificate: Path, key: Path) -> Item:
        blobs = self._store.blobs
        with blobs.scratch() as folder:
            path = folder / f"signed{media.suffix}"
            provenance.sign(blobs.path(media.blob), path, certificate=certificate, key=key, title=media.name)
            blob = blobs.keep(path)
        self._store.pin(job, blob)
        return Item(name=media.name, digest=blob.digest, size=blob.size, suffix=blob.suffix)

    @staticmethod
    def _fits(media: Item) -> bool:
        return provenance.can_sign(Path(f"file{media.suffix}"))
