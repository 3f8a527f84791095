"""Deepgram's wire: what its refusals mean, a client of its SDK, and files that are sent from disk."""

from __future__ import annotations

import socket
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from autodub.infra.http import Kind, Provider, failure, importing, unreachable
from autodub.media.sound import Reader
from autodub.model.errors import AutodubError, BadAnswer, MediaError

if TYPE_CHECKING:
    import httpx
    from deepgram import DeepgramClient

T = TypeVar("T")

BASE = "https://api.deepgram.com"
LARGEST = 2 * 10**9
"""Bytes of a file that Deepgram takes."""
DEEPGRAM = Provider(
    "Deepgram",
    "DEEPGRAM_API_KEY",
    {
        "INSUFFICIENT_PERMISSIONS": Kind.REFUSED_CALL,
        "does not have access": Kind.REFUSED_CALL,
        "ASR_PAYMENT_REQUIRED": Kind.NO_CREDIT,
        "PAYMENT_REQUIRED": Kind.NO_CREDIT,
        "INVALID_AUTH": Kind.REFUSED,
        "TOO_MANY_REQUESTS": Kind.BUSY,
        "SLOW_UPLOAD": Kind.UNREACHABLE,
        "PAYLOAD_TOO_LARGE": Kind.TOO_LONG,
        "corrupt or unsupported data": Kind.REJECTED,
        # It worked for as long as it works on anything; the same file would take as long again.
        "504": Kind.TOO_LONG,
    },
    endpoint="DEEPGRAM_BASE_URL",
    credit="console.deepgram.com",
)

_BLOCK = 30 * 16_000
_CODECS = {"flac": ("FLAC", "PCM_16", ".flac"), "opus": ("OGG", "OPUS", ".ogg")}
_KEEPALIVE = 60
"""Seconds of silence after which the kernel asks whether the other side is still there: the wait for a
long transcription outlasts the memory of many routers."""


def base_address(endpoints: Mapping[str, str]) -> str:
    """The address without the version that the SDK adds itself."""
    return (endpoints.get(DEEPGRAM.endpoint) or BASE).rstrip("/").removesuffix("/v1")


def client(*, key: str, base: str, timeout: float) -> DeepgramClient:
    """A client that tries once, follows no redirect, and raises errors of our tree for every refusal.

    ``timeout`` = seconds without a sign of the answer. Takes half a second where the SDK was not
    imported before.
    """
    with importing():
        import httpx
        from deepgram import DeepgramClient, DeepgramClientEnvironment

    transport = httpx.HTTPTransport(socket_options=_socket_options(), limits=httpx.Limits(max_connections=32))
    http = httpx.Client(
        transport=transport,
        timeout=httpx.Timeout(timeout, connect=10.0, write=60.0, pool=None),
        follow_redirects=False,
        event_hooks={"response": [_refuser(key)]},
    )
    where = DeepgramClientEnvironment(base=base, production=base, agent=base, agent_rest=base)
    made = DeepgramClient(api_key=key, environment=where, httpx_client=http, max_retries=0)
    weakref.finalize(made, http.close)  # connections are kept open as long as somebody may need them
    # Its streaming part, which is loaded along, uses old names of the websockets package.
    warnings.filterwarnings("ignore", r"websockets\.", DeprecationWarning)
    made.listen.v1.media.with_raw_response  # noqa: B018 - the SDK imports what it needs only when it is named
    return made


def _refuser(key: str) -> Callable[[httpx.Response], None]:
    """Raises the error an answer stands for, before the SDK tries to read it.

    The SDK loses the status of answers whose body is neither JSON nor text.
    """

    def refuse(response: httpx.Response) -> None:
        if response.is_success:
            return
        body = response.read()
        what = "transcription" if response.request.url.path.endswith("/listen") else "account"
        raise failure(
            DEEPGRAM, status=response.status_code, headers=response.headers, body=body, what=what, secret=key
        )

    return refuse


def asked(call: Callable[[], T], *, what: str) -> T:
    """What a call of the SDK returns; whatever it raises becomes an error of our tree."""
    import httpx

    try:
        return call()
    except AutodubError:
        raise  # told by the hook already, or a request to stop
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeEncodeError) as error:
        raise unreachable(DEEPGRAM, error, what=what) from None
    except Exception as error:  # the SDK's own errors are known only once it is loaded
        if not isinstance(error, (ValueError, RecursionError, *_sdk_errors())):
            raise
        # A success that cannot be read. Its text is somebody's speech: it is not repeated.
        raise BadAnswer(
            f"Deepgram's answer ({what}) cannot be read ({type(error).__name__}); was it cut short?",
            hint="Run again: what is finished is kept.",
        ) from None


def _sdk_errors() -> tuple[type[Exception], ...]:
    from deepgram.core.api_error import ApiError
    from deepgram.core.parse_error import ParsingError

    return (ApiError, ParsingError)


def _socket_options() -> list[tuple[int, int, int]]:
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    idle = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
    if idle is not None:
        options.append((socket.IPPROTO_TCP, idle, _KEEPALIVE))
    return options


def compress(source: Path, folder: Path, *, codec: str, check: Callable[[], None]) -> Path:
    """The sound as FLAC or Ogg Opus in ``folder``, read and written in blocks.

    Raises Gone or MediaError when it cannot be read, MediaError when it cannot be written, and whatever
    ``check`` raises.
    """
    import soundfile

    kind, subtype, suffix = _CODECS[codec]
    path = folder / f"speech{suffix}"
    with Reader(source) as sound:
        try:
            with soundfile.SoundFile(
                path, "w", samplerate=sound.rate, channels=sound.channels, format=kind, subtype=subtype
            ) as out:
                for block in sound.blocks(_BLOCK):
                    check()
                    out.write(block)
        except (soundfile.LibsndfileError, OSError) as error:
            raise MediaError(
                f"The sound could not be compressed for sending: {error}.",
                hint="Check that there is room on the disk of the data directory.",
            ) from error
    return path


class Upload:
    """A file as a request body: sent from disk with its length, told about on the way, stopped on request."""

    def __init__(self, path: Path, *, progress: Callable[[float], None]) -> None:
        self._file = path.open("rb")
        self._size = max(1, path.stat().st_size)
        self._sent = 0
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fileno(self) -> int:
        """For whoever wants to know the length."""
        return self._file.fileno()

    def read(self, size: int = -1) -> bytes:
        """The next bytes; raises whatever the progress raises."""
        data = self._file.read(size)
        self._sent += len(data)
        self._progress(self._sent / self._size)
        return data

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self.read(65_536)
        if not data:
            raise StopIteration
        return data
