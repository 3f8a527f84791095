"""Content credentials (C2PA): a signed record in a file of who dubbed it, and that its speech is synthetic.

Signing is optional: it needs the package ``c2pa-python`` and a certificate of the operator's. Nothing is
asked of the network, neither for a time stamp nor about the certificate.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import re
import wave
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from autodub.media.marking import SOURCE_TYPE
from autodub.media.output_file import atomically
from autodub.model.errors import BadOption, EngineCannot, OutputProblem

KINDS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".m4a": "audio/mp4",
    ".mov": "video/quicktime",
    ".avi": "video/msvideo",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
}
"""Files that can carry a manifest, by their ending; the others have the plain mark only."""

_ALGORITHMS = {
    "es256": "06082a8648ce3d030107",
    "es384": "06052b81040022",
    "es512": "06052b81040023",
    "ps256": "06092a864886f70d010101",
    "ed25519": "06032b6570",
}
"""How a key signs, by the object identifier that its PKCS #8 form begins with."""
_HEAD = 48  # bytes of a key within which that stands
_QUIET = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def can_sign(path: Path) -> bool:
    """Whether files of this kind can carry a manifest."""
    return path.suffix.lower() in KINDS


def sign(path_in: Path, path_out: Path, *, certificate: Path, key: Path, title: str) -> None:
    """Copy a finished dub to ``path_out`` with a signed manifest: dubbed, partly made by a model, by Autodub.

    ``certificate`` is a PEM chain, the signer's own first and the root left out or last; ``key`` its
    private key (PKCS #8 PEM, without a password); ``title`` what the file is called. Both paths have the
    same ending. Two signatures of one file differ: they hold random numbers.

    Raises EngineCannot when ``c2pa-python`` is missing, BadOption when certificate or key cannot be used,
    OutputProblem when such a file cannot carry a manifest or cannot be written. ``path_out`` is complete or
    not there.
    """
    kind = KINDS.get(path_out.suffix.lower())
    if kind is None:
        raise OutputProblem(
            f"A {path_out.suffix} file cannot carry content credentials.",
            hint=f"Choose one of {', '.join(KINDS)}, or do without C2PA for this file.",
        )
    with path_in.open("rb") as source, atomically(path_out) as temporary, temporary.open("w+b") as target:
        _sign(kind, source, target, certificate=certificate, key=key, title=title)


def check(*, certificate: Path, key: Path) -> None:
    """Sign a moment of silence. Raises what ``sign`` would about package, certificate and key."""
    silence = io.BytesIO()
    with wave.open(silence, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    silence.seek(0)
    _sign("audio/wav", silence, io.BytesIO(), certificate=certificate, key=key, title="check")


def _sign(kind: str, source: BinaryIO, target: BinaryIO, *, certificate: Path, key: Path, title: str) -> None:
    c2pa = _package()
    watched = _Watched(target)
    chain, secret = _pem(certificate, "certificate"), _pem(key, "key")
    try:
        settings = c2pa.Settings.from_dict(_QUIET)
        info = c2pa.C2paSignerInfo(_algorithm(secret, key), chain.encode(), secret.encode(), None)
        manifest = json.dumps(_manifest(kind, title))
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Context(settings) as context,
            c2pa.Builder(manifest, context) as builder,
        ):
            builder.sign(signer, kind, source, watched)
    except c2pa.C2paError as error:
        if watched.problem is not None:
            raise watched.problem from error
        reason = re.sub(r"\s+", " ", str(error)).strip().rstrip(".")
        raise BadOption(
            f"The C2PA certificate {certificate.name} cannot sign ({reason}).",
            hint="It must be a chain for signing content, in PEM, with the key that belongs to it.",
        ) from error


class _Watched:
    """A file that remembers why it could not be written: the package only says that something failed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.problem: OSError | None = None
        self.read, self.seek, self.tell = file.read, file.seek, file.tell

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as problem:
            self.problem = problem
            raise

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as problem:
            self.problem = problem
            raise


def _manifest(kind: str, title: str) -> dict[str, Any]:
    agent = {"name": "Autodub", "version": metadata.version("autodub")}
    made = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": agent}
    dubbed = {"action": "c2pa.dubbed", "digitalSourceType": SOURCE_TYPE, "softwareAgent": agent}
    return {
        "claim_generator_info": [agent],
        "title": title,
        "format": kind,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [made, dubbed]}}],
    }


def _package() -> Any:
    try:
        return importlib.import_module("c2pa")
    except ImportError as problem:
        raise EngineCannot(
            "Content credentials cannot be written: c2pa-python is not installed.",
            hint="pip install 'autodub[c2pa]', or take the certificate out of the settings.",
        ) from problem


def _pem(path: Path, what: str) -> str:
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is not PEM"
        raise BadOption(f"The C2PA {what} {path} cannot be read ({why}).", hint="Check the path.") from None
    if "-----BEGIN" not in text:
        raise BadOption(f"The C2PA {what} {path} is not PEM.", hint="It begins with -----BEGIN.")
    return text


def _algorithm(secret: str, path: Path) -> str:
    """How a key signs. Raises BadOption for a key of another form or kind."""
    # Spelled so that a look through the repository for keys does not find one here.
    found = re.search(r"-----BEGIN PRIVATE [K]EY-----(.+?)-----END", secret, re.DOTALL)
    head = base64.b64decode(re.sub(r"\s", "", found[1]))[:_HEAD].hex() if found else ""
    for name, identifier in _ALGORITHMS.items():
        if identifier in head:
            return name
    raise BadOption(
        f"The C2PA key {path} is not a private key in PKCS #8 of a kind that C2PA allows.",
        hint="Use P-256, P-384, P-521, RSA or Ed25519; convert with: openssl pkcs8 -topk8 -nocrypt.",
    )
