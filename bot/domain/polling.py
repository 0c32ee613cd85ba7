"""When to ask Novita next, and when a render is expected: decided here, and nothing but decided."""

from __future__ import annotations

import random

POLLS_A_SECOND = 100
"""What one core carries beside its other work; with more renders than that, each is asked for less often."""


def next_poll(elapsed: float, base: float, crowd: int = 1, chance: float | None = None) -> float:
    """Return how many seconds to wait before the next poll of a task that has been rendering for `elapsed`
    seconds, while this process polls for `crowd` of them.

    A tenth of the time already waited, so that the person loses at most that, between `base` and five times
    it; `chance` (0…1) spreads polls by a fifth, so that jobs that started together do not ask together.
    """
    chance = random.random() if chance is None else chance  # noqa: S311 — spreading load needs no secrecy
    return max(min(max(elapsed / 10, base), 5 * base), crowd / POLLS_A_SECOND) * (0.9 + 0.2 * chance)


def expected_at(submitted_at: float, typical: float, duration: int) -> float:
    """Return when a render should be ready; `typical` is for 5 s, a longer clip takes somewhat longer."""
    return submitted_at + typical * (0.5 + duration / 10)


def revised(expected: float, eta: float | None, now: float) -> float:
    """Return Novita's own estimate (`eta`, seconds from now) where it differs by enough to matter."""
    if not eta or abs(now + eta - expected) < max(15.0, (expected - now) / 5):
        return expected
    return now + eta
