"""What goes wrong on the way, sorted by what helps, and how long to bear with it."""

from __future__ import annotations

import time

from bot.domain import polling as pacing

PATIENCE = 3600.0
"""How long, in seconds, a step is tried while the other side is away."""


class Unreachable(Exception):
    """The other side did not answer, or answered that it is unwell: the same request may help later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(Unreachable):
    """Novita's rate limit: nothing is wrong, it is only not our turn."""


class Refused(Exception):
    """Discord refuses for good; `detour` names why: the place is "gone", "locked" or "forbidden"."""

    def __init__(self, message: str, detour: str = "forbidden") -> None:
        super().__init__(message)
        self.detour = detour


class DatabaseAway(Exception):
    """The database did not answer in time; `begun` says whether the work may have been done all the same."""

    def __init__(self, begun: bool) -> None:
        super().__init__("the database does not answer")
        self.begun = begun


class Patience:
    """How long to bear with one trouble: `bound` seconds (None: the caller has its own end)."""

    def __init__(self, bound: float | None = PATIENCE) -> None:
        self._ends = None if bound is None else time.monotonic() + bound
        self._tries = 0

    def bears(self, hold_up: Unreachable) -> bool:
        """Tell whether to go on; a full queue at Novita is no trouble, only a wait."""
        return isinstance(hold_up, Busy) or self._ends is None or time.monotonic() < self._ends

    def delay(self, hold_up: Unreachable) -> float:
        """Say how many seconds to wait before the next try."""
        self._tries += 1
        return pacing.backoff(self._tries, hold_up.retry_after)
