"""What the operator of a server has a dub ask before it goes on; on the command line nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from autodub.dubbing.cost import Estimate
from autodub.model.media import Audio
from autodub.model.speech import Line, Voice

if TYPE_CHECKING:
    from autodub.pipeline.revising import Revision
    from autodub.pipeline.run import Run


class Policy(Protocol):
    """The rules of one dub. Whatever it raises ends the dub."""

    @property
    def identity(self) -> str:
        """What makes these rules others: a finished dub is found again only under those it was made by."""
        ...

    @property
    def user(self) -> str:
        """Whose dub it is: users take turns at providers' accounts; empty where nobody is known."""
        ...

    def lasts(self, seconds: float) -> None:
        """So long a programme is to be dubbed; nothing is spent on it yet. Raises QuotaExceeded."""
        ...

    def costs(self, cost: Estimate) -> Decimal | None:
        """So much it will cost: what may be spent, in US dollars; None = whatever the request says."""
        ...

    def examine(self, run: Run, lines: Sequence[Line]) -> None:
        """Look at what is said, before any of it is translated or cloned. Raises ContentRefused."""
        ...

    def cloning(self, speaker: str, sample: Audio, engine: str) -> None:
        """A voice is about to be made of a sample by ``role.name``. Raises ConsentMissing."""
        ...

    def cloned(self, speaker: str, voice: Voice) -> None:
        """It was made, or was there."""
        ...


class Anything:
    """The policy that asks for nothing."""

    identity = user = ""

    def lasts(self, seconds: float) -> None: ...

    def costs(self, cost: Estimate) -> Decimal | None: ...

    def examine(self, run: Run, lines: Sequence[Line]) -> None: ...

    def cloning(self, speaker: str, sample: Audio, engine: str) -> None: ...

    def cloned(self, speaker: str, voice: Voice) -> None: ...


def examine(run: Run, lines: Sequence[Line], revision: Revision) -> None:
    """Have everything looked at that was heard, and then what a person wrote instead."""
    run.policy.examine(run, lines)
    heard = set(lines)
    written = [line for line in revision.lines if line not in heard]
    written += [
        replace(line, text=revision.texts[line.id]) for line in revision.lines if line.id in revision.texts
    ]
    if written:
        run.policy.examine(run, written)
