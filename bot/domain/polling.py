"""When to ask next, how long to back off, and whose turn it is: decided here, and nothing but decided."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

POLLS_A_SECOND = 100
"""What one core carries beside its other work; with more renders than that, each is asked for less often."""


def next_poll(elapsed: float, base: float, crowd: int = 1, chance: float | None = None) -> float:
    """Say how many seconds to wait before the next poll of a task that has been rendering for `elapsed`
    seconds, while this process polls for `crowd` of them.

    A tenth of the time already waited, so that the person loses at most that, between `base` and five times
    it; `chance` (0…1) spreads polls by a fifth, so that jobs that started together do not ask together.
    """
    chance = random.random() if chance is None else chance  # noqa: S311 — spreading load needs no secrecy
    return max(min(max(elapsed / 10, base), 5 * base), crowd / POLLS_A_SECOND) * (0.9 + 0.2 * chance)


def backoff(attempt: int, retry_after: float | None = None, chance: float | None = None) -> float:
    """Say how many seconds to wait after failure number `attempt` (from 1): doubling from 1 to 60, jittered.

    A `retry_after` the other side named is honoured as it is, up to ten minutes, with a little added.
    """
    chance = random.random() if chance is None else chance  # noqa: S311
    if retry_after is not None:
        return min(retry_after, 600.0) + 0.5 * chance
    ceiling = min(60.0, 2.0 ** min(attempt - 1, 6))
    return ceiling * (0.5 + 0.5 * chance)


def expected_at(submitted_at: float, typical: float, duration: int) -> float:
    """Estimate when a render is ready; `typical` is for 5 s, a longer clip takes somewhat longer."""
    return submitted_at + typical * (0.5 + duration / 10)


def revised(expected: float, eta: float | None, now: float) -> float:
    """Follow Novita's own estimate (`eta`, seconds from now) when it differs by enough to matter."""
    if not eta or abs(now + eta - expected) < max(15.0, (expected - now) / 5):
        return expected
    return now + eta


@dataclass(frozen=True)
class Waiter:
    """A job in line: who asked for it, where, and when."""

    job_id: str
    guild_id: int | None
    person_id: int
    since: float


@dataclass(frozen=True)
class Turn:
    """A place in the line: in which round of the guilds, and in which lap of its guild's people."""

    job_id: str
    round: int
    lap: int


@dataclass(frozen=True)
class Line:
    """How the line stands: whose turn it is now, who waits, next first, and for how long nobody moves up."""

    granted: list[Turn] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    paused: float = 0.0


Taken = Mapping[tuple[int | None, int], tuple[int, int]]
"""The latest round and lap that each person of each guild (None: in a DM) had a turn in."""


def line_up(waiting: Iterable[Waiter], taken: Taken, *, room: int, paused: float = 0.0) -> Line:
    """Decide who renders next: `room` is how many may begin now; `paused`, for how long Novita takes none."""
    order = fair_order(waiting, taken)
    room = max(0, room) if paused <= 0 else 0
    return Line(order[:room], [turn.job_id for turn in order[room:]], max(0.0, paused))


def fair_order(waiting: Iterable[Waiter], taken: Taken) -> list[Turn]:
    """Put those in line into their order: guilds take turns in rounds, and a guild's people in laps.

    So one guild's or one person's hundred jobs do not hold up another's first. Whoever asks in a DM counts as
    a guild of one. The order is the true one: unless somebody joins, it is kept as turns are taken.
    """
    rounds: dict[int, int] = {}
    laps: dict[int, dict[int, int]] = defaultdict(dict)
    for (guild_id, person_id), (last_round, last_lap) in taken.items():
        house = _house(guild_id, person_id)
        rounds[house] = max(last_round, rounds.get(house, last_round))
        laps[house][person_id] = last_lap
    people: dict[int, dict[int, list[Waiter]]] = defaultdict(lambda: defaultdict(list))
    for waiter in sorted(waiting, key=_came):
        people[_house(waiter.guild_id, waiter.person_id)][waiter.person_id].append(waiter)
    lines = []
    for house, lines_of in people.items():
        in_house = _interleaved(
            [(_next(laps[house], person), line) for person, line in lines_of.items()], _came
        )
        lines.append((_next(rounds, house), in_house))
    merged = _interleaved(lines, lambda placed: _came(placed[1]))
    return [Turn(waiter.job_id, round_, lap) for round_, (lap, waiter) in merged]


def _house(guild_id: int | None, person_id: int) -> int:
    return -person_id if guild_id is None else guild_id


def _next(last: Mapping[int, int], who: int) -> int:
    """Say in which round somebody's next turn is: this one, or the next for who has had a turn in it."""
    this = max(last.values(), default=0)
    return this + (last.get(who) == this)


def _interleaved(
    lines: Iterable[tuple[int, list[T]]], came: Callable[[T], tuple[float, str]]
) -> list[tuple[int, T]]:
    """Merge lines that begin in some round, one of each line in a round; gives the rounds too."""
    placed = [(first + place, one) for first, line in lines for place, one in enumerate(line)]
    return sorted(placed, key=lambda place: (place[0], came(place[1])))


def _came(waiter: Waiter) -> tuple[float, str]:
    return waiter.since, waiter.job_id
