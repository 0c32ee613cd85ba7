"""How much one person may ask for."""

from __future__ import annotations

from contextlib import ExitStack

from bot.domain.limits import PersonLimit


def test_so_many_at_once() -> None:
    limit = PersonLimit(at_once=2, within=9, seconds=60)
    with ExitStack() as stack:
        given = [stack.enter_context(limit.turn(1, 0)) for _ in range(3)]
        assert given == [True, True, False]
        assert stack.enter_context(limit.turn(2, 0))
    with limit.turn(1, 1) as allowed:
        assert allowed


def test_so_many_within_a_while_and_then_again() -> None:
    limit = PersonLimit(at_once=1, within=2, seconds=60)
    given = []
    for now in (0, 30, 59, 60, 61, 90):
        with limit.turn(1, now) as allowed:
            given.append(allowed)
    assert given == [True, True, False, True, False, True]
