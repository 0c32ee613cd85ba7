"""How long to back off, and for how long a step is tried while the other side is away."""

from __future__ import annotations

import random
import time

from bot.errors import RateLimited, TemporaryError

RETRY_SECONDS = 3600.0
"""How long, in seconds, a step is tried while the other side is away."""


def backoff(attempt: int, retry_after: float | None = None, chance: float | None = None) -> float:
    """Return the seconds to wait after failure number `attempt` (from 1): doubling from 1 to 60, jittered.

    A `retry_after` the other side named is honoured as it is, up to ten minutes, with a little added.
    """
    chance = random.random() if chance is None else chance  # noqa: S311
    if retry_after is not None:
        return min(retry_after, 600.0) + 0.5 * chance
    ceiling = min(60.0, 2.0 ** min(attempt - 1, 6))
    return ceiling * (0.5 + 0.5 * chance)


class RetryBudget:
    """How long to bear with one trouble: `bound` seconds (None: the caller has its own end)."""

    def __init__(self, bound: float | None = RETRY_SECONDS) -> None:
        self._ends = None if bound is None else time.monotonic() + bound
        self._tries = 0

    def allows(self, trouble: TemporaryError) -> bool:
        """Return whether to go on; a full queue is no trouble, only a wait."""
        return isinstance(trouble, RateLimited) or self._ends is None or time.monotonic() < self._ends

    def delay(self, trouble: TemporaryError) -> float:
        """Return how many seconds to wait before the next try."""
        self._tries += 1
        return backoff(self._tries, trouble.retry_after)
