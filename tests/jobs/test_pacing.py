from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.pacing import Turns, backoff, next_poll, revised

CHANCE = st.floats(0, 1)


@given(elapsed=st.floats(0, 1e6), base=st.floats(0.05, 60), chance=CHANCE)
def test_polls_are_never_hasty_and_never_rare(elapsed: float, base: float, chance: float) -> None:
    assert 0.89 * base <= next_poll(elapsed, base, chance) <= 5.51 * base


@given(attempt=st.integers(1, 10_000), chance=CHANCE)
def test_backoff_grows_to_a_minute_and_no_further(attempt: int, chance: float) -> None:
    assert 0.5 <= backoff(attempt, None, chance) <= 60


@given(after=st.floats(0, 1e9), chance=CHANCE)
def test_what_the_other_side_asks_for_is_honoured(after: float, chance: float) -> None:
    assert min(after, 600) <= backoff(1, after, chance) <= 600.5


@given(expected=st.floats(0, 1e6), eta=st.floats(1, 1e5), now=st.floats(0, 1e6))
def test_the_estimate_moves_only_when_it_is_worth_it(expected: float, eta: float, now: float) -> None:
    first = revised(expected, eta, now)
    assert first in (expected, now + eta)
    assert revised(first, eta - 1, now + 1) == first  # the same estimate, a second later
    assert revised(expected, None, now) == expected


async def test_first_come_first_served_within_the_limit() -> None:
    turns, entered, heard = Turns(2), [], []

    async def job(name: str) -> None:
        await turns.wait(name, lambda position: heard.append((name, position)))
        entered.append(name)

    tasks = [asyncio.create_task(job(name)) for name in "abcd"]
    await asyncio.wait(tasks[:2])
    await asyncio.sleep(0)
    assert entered == ["a", "b"]
    assert heard == [("c", 1), ("d", 2)]
    turns.leave("a")
    await tasks[2]
    assert entered == ["a", "b", "c"]
    turns.leave("b")
    await tasks[3]
    await turns.close()


async def test_a_render_already_at_novita_counts_but_never_waits() -> None:
    turns = Turns(1)
    turns.take("old")
    turns.take("older")
    waiting = asyncio.create_task(turns.wait("new", lambda _: None))
    turns.leave("old")
    await asyncio.sleep(0)
    assert not waiting.done()
    turns.leave("older")
    await waiting
    await turns.close()


async def test_one_who_gives_up_holds_nobody_up() -> None:
    turns = Turns(1)
    turns.take("first")
    second = asyncio.create_task(turns.wait("second", lambda _: None))
    third = asyncio.create_task(turns.wait("third", lambda _: None))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    turns.leave("first")
    await third
    await turns.close()


async def test_all_pause_when_novita_asks_for_it() -> None:
    turns = Turns(5)
    turns.pause(0.05)
    waiting = asyncio.create_task(turns.wait("job", lambda _: None))
    await asyncio.sleep(0)
    assert not waiting.done()
    await waiting  # the usher lets it in when the pause is over
    await turns.close()
