from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import retry
from bot.domain.fairness import Turn, Waiter, fair_order, line_up
from bot.domain.polling import POLLS_A_SECOND, next_poll, revised
from bot.domain.retry import RetryBudget, backoff
from bot.errors import TemporaryError

CHANCE = st.floats(0, 1)


@given(elapsed=st.floats(0, 1e6), base=st.floats(0.05, 60), chance=CHANCE)
def test_polls_are_never_hasty_and_never_rare(elapsed: float, base: float, chance: float) -> None:
    assert 0.89 * base <= next_poll(elapsed, base, 1, chance) <= 5.51 * base


@given(elapsed=st.floats(0, 1e6), base=st.floats(0.05, 60), crowd=st.integers(1, 100_000))
def test_a_crowd_shares_the_polls_that_one_core_carries(elapsed: float, base: float, crowd: int) -> None:
    assert crowd / next_poll(elapsed, base, crowd, 0.5) <= POLLS_A_SECOND * 1.001 or crowd <= 1


@given(attempt=st.integers(1, 10_000), chance=CHANCE)
def test_backoff_grows_to_a_minute_and_no_further(attempt: int, chance: float) -> None:
    assert 0.5 <= backoff(attempt, None, chance) <= 60


@given(after=st.floats(0, 1e9), chance=CHANCE)
def test_what_the_other_side_asks_for_is_honoured(after: float, chance: float) -> None:
    assert min(after, 600) <= backoff(1, after, chance) <= 600.5


def test_patience_does_not_hear_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: 50.0, time=lambda: 1e9)
    monkeypatch.setattr(retry, "time", clock)
    budget, trouble = RetryBudget(60.0), TemporaryError("away")
    clock.time = lambda: 2e9  # somebody turned it forward, and then back
    assert budget.allows(trouble)
    clock.time = lambda: 0.0
    assert budget.allows(trouble)
    clock.monotonic = lambda: 111.0
    assert not budget.allows(trouble)


@given(expected=st.floats(0, 1e6), eta=st.floats(1, 1e5), now=st.floats(0, 1e6))
def test_the_estimate_moves_only_when_it_is_worth_it(expected: float, eta: float, now: float) -> None:
    first = revised(expected, eta, now)
    assert first in (expected, now + eta)
    assert revised(first, eta - 1, now + 1) == first  # the same estimate, a second later
    assert revised(expected, None, now) == expected


# --- whose turn it is

PEOPLE = [(None, 1), (None, 2), (10, 1), (10, 2), (10, 3), (20, 1), (20, 4)]
ASKED = st.tuples(st.sampled_from(PEOPLE), st.integers(0, 50))
WAITING = st.lists(ASKED, max_size=40).map(
    lambda asked: [
        Waiter(f"job-{n:02}", guild, person, since) for n, ((guild, person), since) in enumerate(asked)
    ]
)
TAKEN = st.dictionaries(st.sampled_from(PEOPLE), st.tuples(st.integers(0, 5), st.integers(0, 5)))
History = dict[tuple[int | None, int], tuple[int, int]]


def ids(turns: list[Turn]) -> list[str]:
    return [turn.job_id for turn in turns]


@given(waiting=WAITING, taken=TAKEN)
def test_everybody_stands_in_the_line_once_and_in_order_of_asking(
    waiting: list[Waiter], taken: History
) -> None:
    order = ids(fair_order(waiting, taken))
    assert Counter(order) == Counter(waiter.job_id for waiter in waiting)
    known = {waiter.job_id: waiter for waiter in waiting}
    for who in PEOPLE:
        mine = [(known[j].since, j) for j in order if (known[j].guild_id, known[j].user_id) == who]
        assert mine == sorted(mine)
    assert ids(fair_order(reversed(waiting), taken)) == order  # the database gives rows in any order


@given(waiting=WAITING, taken=TAKEN)
def test_the_place_that_is_told_is_the_true_one(waiting: list[Waiter], taken: History) -> None:
    promised, served, history = ids(fair_order(waiting, taken)), [], dict(taken)
    left = {waiter.job_id: waiter for waiter in waiting}
    while left:  # one at a time, each decision from what is written down then
        turn = line_up(left.values(), history, room=1).granted[0]
        waiter = left.pop(turn.job_id)
        history[waiter.guild_id, waiter.user_id] = turn.round, turn.lap
        served.append(turn.job_id)
    assert served == promised


@given(waiting=WAITING, taken=TAKEN)
def test_nobody_has_two_turns_in_a_round(waiting: list[Waiter], taken: History) -> None:
    known = {waiter.job_id: waiter for waiter in waiting}
    turns = fair_order(waiting, taken)
    rounds = [turn.round for turn in turns]
    assert rounds == sorted(rounds)
    by_house = Counter((known[t.job_id].guild_id or -known[t.job_id].user_id, t.round) for t in turns)
    by_person = Counter((known[t.job_id].guild_id, known[t.job_id].user_id, t.lap) for t in turns)
    assert not [count for count in (by_house | by_person).values() if count > 1]


def test_one_persons_hundred_do_not_hold_up_the_others() -> None:
    many = [Waiter(f"many-{n:03}", 10, 1, n) for n in range(100)]
    late = [Waiter("same guild", 10, 2, 500), Waiter("other guild", 20, 3, 501), Waiter("a DM", None, 4, 502)]
    order = ids(fair_order([*many, *late], {}))
    assert order[:5] == ["many-000", "other guild", "a DM", "same guild", "many-001"]
    # Twenty of the hundred had their turns: whoever comes now is the next.
    order = ids(fair_order([*many[20:], *late], {(10, 1): (19, 19)}))
    assert order[:4] == ["other guild", "a DM", "same guild", "many-020"]


@given(waiting=WAITING, taken=TAKEN, room=st.integers(-5, 60))
def test_no_more_begin_than_there_is_room_for(waiting: list[Waiter], taken: History, room: int) -> None:
    line = line_up(waiting, taken, room=room)
    assert [*ids(line.granted), *line.waiting] == ids(fair_order(waiting, taken))
    assert len(line.granted) == min(max(0, room), len(waiting))
    assert line_up(waiting, taken, room=room, paused=1.0).granted == []
