"""What many processes learn about accounts, together."""

from __future__ import annotations

from autodub.gateway.accounts import Accounts
from autodub.gateway.membership import LEASE, Membership
from autodub.gateway.shared_breaker import SharedBreaker
from autodub.gateway.shared_lanes import SharedLanes
from autodub.infra.redis_limits import Memory


class SharedAccounts(Accounts):
    """Circuit breaker and gates by account, of all processes with the same memory. Safe for many threads."""

    def __init__(
        self, memory: Memory, *, threshold: int = 3, cooldown: float = 60.0, lease: float = LEASE
    ) -> None:
        """``lease``: seconds after which what a silent process holds is free."""
        self.membership = Membership(memory, lease=lease)
        self.lanes = lanes = SharedLanes(self.membership)
        self.breaker = SharedBreaker(
            self.membership, lanes.passed, threshold=threshold, cooldown=cooldown
        )  # fmt: skip

    def close(self) -> None:
        """Be no part of it any more."""
        self.membership.close()
