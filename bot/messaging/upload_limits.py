"""How large a file a place takes, learned from what Discord says and does, since its table keeps changing."""

from __future__ import annotations

import time
from collections.abc import Iterable

FORGET_SECONDS = 3600.0
"""A refusal is believed this long: a server may be boosted any time."""
WORTH_WATCHING = 300_000
"""The least bytes that a video is squeezed into; below, its link serves people better."""
STEPS = 3
"""How often to halve when every stated limit proved too high."""


class UploadLimits:
    """The smallest size that each place was seen to refuse; sizes in bytes."""

    def __init__(self) -> None:
        self._refused: dict[int, tuple[int, float]] = {}

    def refused(self, place: int, size: int) -> None:
        """Remember that a file of this size was too large."""
        known = self._ceiling(place)
        self._refused[place] = (size if known is None else min(size, known), time.monotonic())

    def allows(self, place: int, size: int, stated: Iterable[int]) -> bool:
        """Return whether a file is worth trying: not refused lately, within the most that was stated."""
        ceiling, most = self._ceiling(place), max(stated, default=size)
        return size <= most and (ceiling is None or size < ceiling)

    def targets(self, place: int, size: int, stated: Iterable[int]) -> list[int]:
        """List the sizes to fit a file of `size` into, best first."""
        ceiling = min(size, self._ceiling(place) or size)
        targets = sorted({limit for limit in stated if limit < ceiling}, reverse=True)
        lowest = targets[-1] if targets else ceiling
        targets += [lowest >> step for step in range(1, STEPS + 1)]
        return [target for target in targets if target >= WORTH_WATCHING]

    def _ceiling(self, place: int) -> int | None:
        size, at = self._refused.get(place, (0, 0.0))
        return size if size and time.monotonic() - at < FORGET_SECONDS else None
