"""How much one person may ask for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class PersonLimit:
    """So many things `at_once`, and so many `within` some `seconds`, for each person; in memory only."""

    def __init__(self, at_once: int, within: int, seconds: float) -> None:
        self._at_once = at_once
        self._within = within
        self._seconds = seconds
        self._under_way: dict[int, int] = {}
        self._begun: dict[int, deque[float]] = {}

    @contextmanager
    def turn(self, person: int, now: float) -> Iterator[bool]:
        """Give a person one more, or False when that would be too much; `now` is of a monotonic clock."""
        self._forget(now)
        begun, under_way = self._begun.get(person, ()), self._under_way.get(person, 0)
        if under_way >= self._at_once or len(begun) >= self._within:
            yield False
            return
        self._begun.setdefault(person, deque()).append(now)
        self._under_way[person] = under_way + 1
        try:
            yield True
        finally:
            self._under_way[person] -= 1
            if not self._under_way[person]:
                del self._under_way[person]

    def _forget(self, now: float) -> None:
        for person, begun in list(self._begun.items()):
            while begun and begun[0] <= now - self._seconds:
                begun.popleft()
            if not begun:
                del self._begun[person]
