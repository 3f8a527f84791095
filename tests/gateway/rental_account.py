"""A provider's account as a folder of files, and a job that rents from it; also run as a process."""

import json
import os
import secrets
import sys
import time
from pathlib import Path

from autodub.gateway.store import Store
from autodub.gateway.tenant import Tenant
from autodub.model.errors import Full

ACCOUNT = "stand:0123"


class Account:
    """Voices are files: handle -> name. Whatever was made is there until it is deleted."""

    def __init__(self, folder: Path, *, slots: int = 10, slow: float = 0.0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.slots = slots
        self.slow = slow
        self.made: list[str] = []
        self.forgotten: list[str] = []
        self.looked = 0

    def make(self, name: str) -> str:
        """Clone a voice; the answer comes later than the voice does."""
        time.sleep(self.slow)
        if len(self.voices()) >= self.slots:
            raise Full(f"{self.slots} of {self.slots} voices are taken.")
        handle = secrets.token_hex(6)
        (self.folder / f"{handle}.part").write_text(name)
        (self.folder / f"{handle}.part").rename(self.folder / f"{handle}.voice")
        with (self.folder / "made").open("a") as log:
            log.write(f"{name}\n")
        self.made.append(name)
        time.sleep(self.slow)
        return handle

    def voices(self) -> dict[str, str]:
        """Name -> handle of everything in the account."""
        return {path.read_text(): path.stem for path in self.folder.glob("*.voice")}

    def forget(self, handle: str) -> None:
        time.sleep(self.slow)
        (self.folder / f"{handle}.voice").unlink(missing_ok=True)
        self.forgotten.append(handle)

    def rented(self, prefix: str) -> dict[str, str]:
        self.looked += 1
        return {name: handle for name, handle in self.voices().items() if name.startswith(prefix)}


def rent(tenant: Tenant, account: Account, identity: str = "voice", **changes: object) -> str:
    """Rent a voice as a call does."""
    more = {"engine": "cloner.stand", "landlord": account, "check": lambda: None} | changes
    return tenant.rent(ACCOUNT, identity, account.make, **more)


def main(data: str, folder: str, identities: str, end: str) -> None:
    """Rent voices, say so, and end as told: give them back, keep them, or just go."""
    store, account = Store(Path(data)), Account(Path(folder), slow=0.002)
    tenant = Tenant(store.rentals)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    handles = {name: rent(tenant, account, name) for name in identities.split(",")}
    sys.stdout.write(json.dumps(handles) + "\n")
    sys.stdout.flush()
    if end == "wait":
        sys.stdin.readline()
    if end in ("wait", "give back"):
        tenant.give_back(ACCOUNT, account, keep=False)
    store.close()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
