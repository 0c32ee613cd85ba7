"""The fair queue: whose render is next, decided here, and nothing but decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Waiter:
    """A job in line: who asked for it, where, and when."""

    job_id: str
    guild_id: int | None
    user_id: int
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
"""The latest round and lap that each user of each guild (None: in a DM) had a turn in."""


def line_up(waiting: Iterable[Waiter], taken: Taken, *, room: int, paused: float = 0.0) -> Line:
    """Return who renders next: `room` is how many may begin now; `paused`, for how long Novita takes none."""
    order = fair_order(waiting, taken)
    room = max(0, room) if paused <= 0 else 0
    return Line(order[:room], [turn.job_id for turn in order[room:]], max(0.0, paused))


def fair_order(waiting: Iterable[Waiter], taken: Taken) -> list[Turn]:
    """Return those in line in their order: guilds take turns in rounds, and a guild's people in laps.

    So one guild's or one user's hundred jobs do not hold up another's first. Whoever asks in a DM counts as
    a guild of one. The order is the true one: unless somebody joins, it is kept as turns are taken.
    """
    rounds: dict[int, int] = {}
    laps: dict[int, dict[int, int]] = defaultdict(dict)
    for (guild_id, user_id), (last_round, last_lap) in taken.items():
        party = _party(guild_id, user_id)
        rounds[party] = max(last_round, rounds.get(party, last_round))
        laps[party][user_id] = last_lap
    people: dict[int, dict[int, list[Waiter]]] = defaultdict(lambda: defaultdict(list))
    for waiter in sorted(waiting, key=_came):
        people[_party(waiter.guild_id, waiter.user_id)][waiter.user_id].append(waiter)
    lines = []
    for party, lines_of in people.items():
        in_party = _interleaved([(_next(laps[party], user), line) for user, line in lines_of.items()], _came)
        lines.append((_next(rounds, party), in_party))
    merged = _interleaved(lines, lambda placed: _came(placed[1]))
    return [Turn(waiter.job_id, round_, lap) for round_, (lap, waiter) in merged]


def _party(guild_id: int | None, user_id: int) -> int:
    return -user_id if guild_id is None else guild_id


def _next(last: Mapping[int, int], who: int) -> int:
    """Return in which round somebody's next turn is: this one, or the next for who has had a turn in it."""
    this = max(last.values(), default=0)
    return this + (last.get(who) == this)


def _interleaved(
    lines: Iterable[tuple[int, list[T]]], came: Callable[[T], tuple[float, str]]
) -> list[tuple[int, T]]:
    """Merge lines that begin in some round, one of each line in a round; return the rounds too."""
    placed = [(first + place, one) for first, line in lines for place, one in enumerate(line)]
    return sorted(placed, key=lambda place: (place[0], came(place[1])))


def _came(waiter: Waiter) -> tuple[float, str]:
    return waiter.since, waiter.job_id
