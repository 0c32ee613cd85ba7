"""How long to back off, and for how long a step is tried while the other side is away."""

from __future__ import annotations

import random
import time

from bot.errors import RateLimited, TemporaryError

RETRY_SECONDS = 3600.0
"""How long, in seconds, a step is tried while the other side is away; what is paid only slows down then."""
MOST_RETRY_AFTER = 600.0
"""The longest wait, in seconds, that the other side may ask for."""
SLOW_SECONDS = (600.0, 900.0)
"""The least and the most seconds between two tries of what has slowed down."""
LEAST_SECONDS = 60.0
"""How soon such a try may come when the other side has answered somebody else."""


def backoff(attempt: int, retry_after: float | None = None, chance: float | None = None) -> float:
    """Return the seconds to wait after failure number `attempt` (from 1): doubling from 1 to 60, jittered.

    A `retry_after` the other side named is honoured as it is, up to ten minutes, with a little added.
    """
    chance = random.random() if chance is None else chance  # noqa: S311
    if retry_after is not None:
        return min(retry_after, MOST_RETRY_AFTER) + 0.5 * chance
    ceiling = min(60.0, 2.0 ** min(attempt - 1, 6))
    return ceiling * (0.5 + 0.5 * chance)


class RetryBudget:
    """How long to bear with one trouble: for `bound` seconds (None: an hour), then the step is given up.

    What is `lasting` (paid, say) is never given up for that; it is tried more rarely from then on.
    """

    def __init__(self, bound: float | None = None, *, lasting: bool = False) -> None:
        self._slows = time.monotonic() + (RETRY_SECONDS if bound is None else bound)
        self._lasting = lasting
        self._in_vain = 0
        self.tries = 0

    @property
    def slow(self) -> bool:
        """Return whether tries are rare by now."""
        return self._lasting and time.monotonic() >= self._slows

    def allows(self, trouble: TemporaryError) -> bool:
        """Return whether to go on; a full queue is no trouble, only a wait."""
        if trouble.most_tries is not None and self.tries >= trouble.most_tries:
            return False
        return isinstance(trouble, RateLimited) or self._lasting or time.monotonic() < self._slows

    def delay(self, trouble: TemporaryError) -> float:
        """Return how many seconds to wait before the next try."""
        self.tries += 1
        if not self.slow:
            return backoff(self.tries, trouble.retry_after)
        return random.uniform(*SLOW_SECONDS)  # noqa: S311

    def least(self) -> float:
        """Return how many of them to wait although the other side answers others.

        They double each time that this was no help: then the trouble is this job's own.
        """
        return float(min(LEAST_SECONDS * 2.0 ** min(self._in_vain, 6), SLOW_SECONDS[0]))

    def woken(self) -> None:
        """Count a try that comes early because the other side answered somebody else."""
        self._in_vain += 1
