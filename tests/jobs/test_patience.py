"""What is paid waits for as long as it takes, and is woken when there is news; the rest has an hour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.job import Charge, Job, Rendering, Sending, State
from bot.domain.retry import LEAST_SECONDS, RETRY_SECONDS, SLOW_SECONDS, RetryBudget
from bot.errors import AccessRefused, AnswerLost, DownloadError, PermanentError, TemporaryError
from bot.novita.codec import Kind, Pending, Problem, Repeat, TaskFailed
from tests.support.world import PATIENCE, TIMEOUT, World

DAY = 86_400.0
AWAY = TemporaryError("Discord answered 503")
REFUSED = AccessRefused("Discord refuses the bot's token (401)")
LOST = AnswerLost("Timeout")
KEY = Problem(Kind.KEY, Repeat.NO, "INVALID_API_KEY", 401)
DOWN = DownloadError("the download answered 503", 503)
GONE = PermanentError("the thread is gone", "gone")
Failing = Callable[[World], None]


def away(method: str, error: TemporaryError = AWAY) -> Failing:
    """Have Discord refuse something until `answers` is called."""
    return lambda world: world.notifier.fail(method, error, times=10_000)


def answers(world: World) -> None:
    """Have everybody answer again."""
    for method in ("deliver", "find_video", "fallback", "notify"):
        world.notifier.mend(method)
    world.novita.on_result.clear()
    world.novita_files.failures.clear()


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 — time here is the virtual clock's
            await asyncio.sleep(0.001)


def a_closed_thread(world: World) -> None:
    world.notifier.fail("deliver", GONE)
    away("fallback")(world)


TROUBLES: dict[str, tuple[str, Failing]] = {
    "looking for the video": ("rendered", away("find_video")),
    "bringing the video": ("rendered", away("deliver")),
    "asking for the next place": ("rendered", a_closed_thread),
    "the token": ("rendered", away("deliver", REFUSED)),
    "fetching the video": ("rendered", lambda world: world.novita_files.failures.extend([DOWN] * 10_000)),
    "polling": ("rendering", lambda world: world.novita.on_result.extend([LOST] * 10_000)),
    "the key": ("rendering", lambda world: world.novita.on_result.extend([KEY] * 10_000)),
    "telling": ("delivered", away("notify")),
}


def hours(world: World, state: str, trouble: str) -> None:
    """Arrange a trouble; while the video is fetched, Novita is away as well."""
    TROUBLES[trouble][1](world)
    if trouble == "fetching the video":
        world.novita.on_result.extend([LOST] * 10_000)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_is_paid_waits_out_a_day_and_ends_well(world: World, trouble: str) -> None:
    state, _ = TROUBLES[trouble]
    job, began = await world.standing(state), world.clock.now
    hours(world, state, trouble)
    running = asyncio.create_task(world.run(job))
    await reached(lambda: world.clock.now > began + DAY)
    row = await world.row(job.id)
    assert (row.state, row.outcome.notified, row.outcome.problem) == (state, False, "")
    assert await world.store.open_jobs() == [job.id]
    answers(world)
    job = await running
    assert (job.state, job.outcome.notified) == (State.DELIVERED, True)
    assert len(world.notifier.of(job.id, "video")) == (state != "delivered")
    assert world.notifier.of(job.id, "verdict") == []


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_after_an_hour_there_is_a_try_every_ten_to_fifteen_minutes(world: World, trouble: str) -> None:
    state, _ = TROUBLES[trouble]
    job, began = await world.standing(state), world.clock.now
    hours(world, state, trouble)
    running = asyncio.create_task(world.run(job))
    await reached(lambda: world.clock.now > began + RETRY_SECONDS)
    entry = {"rendering": "result …", "delivered": "notify …"}.get(state, "")
    entry = entry or {
        "looking for the video": "find_video …",
        "asking for the next place": "fallback …",
        "fetching the video": "video …",
    }.get(trouble, "deliver …")
    before, since = world.journal.count(entry), world.clock.now
    await reached(lambda: world.clock.now > since + DAY)
    tries = world.journal.count(entry) - before
    assert DAY / SLOW_SECONDS[1] - 2 <= tries <= DAY / SLOW_SECONDS[0] + 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_restart_takes_up_what_waits(world: World) -> None:
    job, began = await world.standing("rendered"), world.clock.now
    away("deliver")(world)
    running = asyncio.create_task(world.run(job))
    await reached(lambda: world.clock.now > began + DAY / 4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    answers(world)
    assert await world.store.open_jobs() == [job.id]
    restarted = world.clock.now
    assert (await world.run(job)).state is State.DELIVERED
    assert world.clock.now - restarted < 60


# --- woken by the next success


async def slowed(world: World, runner: Any, arrange: Failing, state: str) -> tuple[Job, asyncio.Task[Job]]:
    """Have a job that has waited for hours, in the process of `runner`."""
    job, began = await world.standing(state), world.clock.now
    arrange(world)
    running = asyncio.create_task(world.run(job, runner))
    await reached(lambda: world.clock.now > began + 2 * RETRY_SECONDS)
    return job, running


def hold_the_clock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have those who sleep long sleep until they are woken."""

    async def wait_for(awaitable: Any, timeout: float) -> Any:
        return await awaitable

    monkeypatch.setattr("bot.jobs.retries.asyncio.wait_for", wait_for)  # the virtual clock's


@pytest.mark.parametrize("side", ["discord", "novita"])
async def test_the_next_success_of_another_job_wakes_those_who_wait(
    world: World, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    runner = world.runner()
    state = "rendered" if side == "discord" else "rendering"
    arrange = TROUBLES["looking for the video" if side == "discord" else "polling"][1]
    _, running = await slowed(world, runner, arrange, state)
    hold_the_clock(world, monkeypatch)
    await asyncio.sleep(0.05)  # it sleeps now, and no time passes
    answers(world)
    assert not running.done()
    woken = world.clock.now
    await world.run(await world.accept(reply_token="another"), runner)
    assert (await running).state is State.DELIVERED
    assert world.clock.now - woken < SLOW_SECONDS[0]


async def test_the_other_sides_success_wakes_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = world.runner()
    _, running = await slowed(world, runner, away("find_video"), "rendered")
    hold_the_clock(world, monkeypatch)
    await asyncio.sleep(0.05)
    answers(world)
    other = await world.standing("rendering")
    world.novita.on_result.append(TaskFailed("no"))  # Novita answers, and Discord does not
    away("notify")(world)
    looks = world.journal.count("find_video …")
    telling = asyncio.create_task(world.run(other, runner))
    await reached(lambda: world.journal.count("notify …") > 20)
    assert (world.journal.count("result"), world.journal.count("find_video …")) == (1, looks)
    for task in (running, telling):
        task.cancel()
    await asyncio.gather(running, telling, return_exceptions=True)


def test_a_trouble_of_ones_own_is_not_tried_more_often_for_others_successes() -> None:
    budget = RetryBudget(0.0, lasting=True)
    least = []
    for _ in range(10):
        least.append(budget.least())
        assert SLOW_SECONDS[0] <= budget.delay(AWAY) <= SLOW_SECONDS[1]
        budget.woken()
    assert least[0] == LEAST_SECONDS
    assert least == sorted(least)
    assert least[-1] == SLOW_SECONDS[0]


# --- only Novita says that there is no video


@pytest.mark.parametrize(
    "answer", [LOST, KEY, Problem(Kind.PROVIDER, Repeat.LATER, "HTTP_502", 502)], ids=str
)
async def test_past_its_time_it_is_given_up_only_on_novitas_word(world: World, answer: Any) -> None:
    job = await world.standing("rendering", submitted_at=world.clock.now - TIMEOUT - 1)
    world.novita.on_result.extend([answer] * 200 + [Pending(started=True)])
    hold = world.journal.hold("row: notified")
    running = asyncio.create_task(world.run(job))
    async with asyncio.timeout(PATIENCE):
        await hold.reached.wait()
    assert (len(world.novita.asked), (await world.row(job.id)).outcome.problem) == (201, "deadline")
    hold.open.set()
    await running


@pytest.mark.parametrize(
    "answer",
    [
        LOST,
        KEY,
        Problem(Kind.PROVIDER, Repeat.LATER, "HTTP_502", 502),
        Problem(Kind.LOAD, Repeat.LATER, "RATE_LIMIT_EXCEEDED", 429),
    ],
    ids=str,
)
@pytest.mark.parametrize("has_it", [True, False])
async def test_a_late_look_is_over_only_with_novitas_word(world: World, answer: Any, has_it: bool) -> None:
    job = await world.standing("failed", problem="deadline", charge="unknown", notified=True)
    await world.write(job.id, check_at=world.clock.now + 600)
    world.novita.on_result.extend([answer] * 200 + ([] if has_it else [Pending(started=True)]))
    job = await world.run(job)
    assert len(world.novita.asked) == 201
    says = [verdict.says for verdict in world.notifier.of(job.id, "verdict")]
    assert (job.state, says) == ((State.DELIVERED, []) if has_it else (State.FAILED, ["lost"]))


async def test_an_outage_is_on_the_card_the_whole_time(world: World) -> None:
    job = await world.standing("rendering")
    world.novita.on_result.extend([LOST] * 100)
    world.novita_files.failures.extend([DOWN] * 5)
    await world.run(job)
    stages = world.notifier.stages_of(job.id)
    assert {stage.because for stage in stages if isinstance(stage, Rendering)} == {"", "novita_away"}
    assert Sending(because="novita_away") in stages


# --- unpaid: an hour


@pytest.mark.parametrize(("method", "problem"), [("post_card", "not_started"), ("image_url", "not_started")])
async def test_what_is_not_paid_is_given_up_after_an_hour(world: World, method: str, problem: str) -> None:
    job = await (world.accept() if method == "post_card" else world.standing("accepted"))
    began = world.clock.now
    world.notifier.fail(method, AWAY, times=10_000)
    job = await world.run(job)
    assert (job.state, job.outcome.problem, job.outcome.charge) == (State.FAILED, problem, Charge.NOTHING)
    assert 0 <= world.clock.now - began - RETRY_SECONDS < 120


@pytest.mark.parametrize("charge", ["nothing", "unknown"])
async def test_an_end_is_told_however_late_and_told_means_told(world: World, charge: str) -> None:
    job, began = await world.standing("failed", problem="input", charge=charge), world.clock.now
    away("notify")(world)
    running = asyncio.create_task(world.run(job))
    await reached(lambda: world.clock.now > began + DAY)
    assert not (await world.row(job.id)).outcome.notified
    answers(world)
    job = await running
    assert (job.outcome.notified, len(world.notifier.of(job.id, "verdict"))) == (True, 1)


# --- the operator


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


async def test_a_dead_token_is_an_error_and_an_alert(world: World, caplog: pytest.LogCaptureFixture) -> None:
    job = await world.standing("rendered")
    world.notifier.fail("deliver", REFUSED, times=5)
    await world.run(job)
    (said,) = errors(caplog)  # once, not for every try
    assert said.startswith(f"job {job.id}: ")
    assert "token" in said
    assert set(world.operator.alerts) == {"token"}


async def test_a_dead_key_is_an_error_and_an_alert_while_polling(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.novita.on_result.extend([KEY] * 5)
    job = await world.run(await world.standing("rendering"))
    (said,) = errors(caplog)
    assert said.startswith(f"job {job.id}: ")
    assert "NOVITA_API_KEY" in said
    assert set(world.operator.alerts) == {"key"}
    assert job.state is State.DELIVERED


async def test_a_dead_key_is_an_alert_when_something_is_ordered(world: World) -> None:
    world.novita.on_submit.append(KEY)
    job = await world.run(await world.accept())
    assert (job.state, job.outcome.charge) == (State.FAILED, Charge.NOTHING)
    assert world.operator.alerts == ["key"]


@pytest.mark.parametrize("trouble", ["bringing the video", "polling"])
async def test_an_outage_is_no_alert(world: World, trouble: str) -> None:
    job, began = await world.standing(TROUBLES[trouble][0]), world.clock.now
    TROUBLES[trouble][1](world)
    running = asyncio.create_task(world.run(job))
    await reached(lambda: world.clock.now > began + 2 * RETRY_SECONDS)
    answers(world)
    await running
    assert world.operator.alerts == []
