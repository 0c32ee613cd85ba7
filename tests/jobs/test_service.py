"""The door for commands and buttons: what it accepts, settles and brings again, and how it stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.domain.job import DeliveryMethod, Job, State
from bot.domain.request import InteractionRecord
from bot.engines.local import LocalEngine
from bot.errors import DuplicateInteraction, LeaseLost, PermanentError, Refusal
from bot.jobs import service as service_module
from bot.jobs.interactions import Interactions
from bot.jobs.notifier import Reply
from bot.jobs.offer import Offer
from bot.jobs.redelivery import REPLY_SECONDS, Redelivery
from bot.jobs.service import JobService
from bot.novita.codec import Kind, Problem, Repeat
from bot.novita.models import CATALOGUE
from bot.store.interactions import InteractionStore
from tests.support.commits import lose_answers
from tests.support.jobs import a_job
from tests.support.world import PATIENCE, World

REPLY = Reply("a reply", 7, 10 * 2**20, "en-GB")
NO_TASK = Problem(Kind.NO_TASK, Repeat.LATER, "TASK_NOT_FOUND", 404)


class Door:
    """A service with the engine behind it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = LocalEngine(world.store, world.runner())
        redelivery = Redelivery(world.notifier, world.novita, world.discord_files, world.videos)
        self.service = JobService(
            world.store,
            self.engine,
            world.images,
            redelivery,
            Offer(CATALOGUE),
            Interactions(InteractionStore(world.store.database)),
        )

    async def ended(self, job: Job) -> Job:
        async with asyncio.timeout(PATIENCE):
            await self.engine.ended(job.id)
        return await self.world.row(job.id)


@pytest.fixture
async def door(world: World) -> AsyncIterator[Door]:
    door = Door(world)
    yield door
    await door.engine.stop()


def an_interaction(number: int = 1) -> InteractionRecord:
    return InteractionRecord(2**60 + number, "command", "t", 5, 6, "en-GB", time.time())


async def held(world: World, job: Job) -> None:
    await world.images.prepare(job.id, "https://cdn.invalid/x.png", world.a_model)


# --- accepting


async def test_an_accepted_job_is_run_to_its_end(door: Door) -> None:
    job = a_job(wants_thread=True)
    await held(door.world, job)
    await door.service.accept(job, an_interaction())
    assert (await door.ended(job)).state is State.DELIVERED
    assert await door.service.find(job.id) == await door.world.row(job.id)
    assert [one.id for one in await door.service.jobs_of(job.requester.user_id)] == [job.id]


async def test_of_two_jobs_of_one_interaction_the_second_is_not_run(door: Door) -> None:
    first, second = a_job(prompt="first"), a_job(prompt="second")
    for job in (first, second):
        await held(door.world, job)
    await door.service.accept(first, an_interaction())
    with pytest.raises(DuplicateInteraction):
        await door.service.accept(second, an_interaction())
    await door.ended(first)
    assert not door.engine.runs(second.id)
    assert await door.service.find(second.id) is None
    assert door.world.images.held(second.id) is None  # and its image does not stay
    assert door.world.novita.prompts == ["first"]


async def test_an_acceptance_whose_answer_was_lost_is_paid_once(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_job()
    await held(door.world, job)
    lost = lose_answers(door.world.store.database, monkeypatch)
    await door.service.accept(job, an_interaction())
    assert lost
    assert (await door.ended(job)).state is State.DELIVERED
    assert door.world.novita.prompts == [job.request.prompt]


# --- deciding


async def test_of_two_people_who_decide_at_once_one_wins(door: Door) -> None:
    job = await door.world.standing("unconfirmed", notified=True)
    hold = door.world.journal.hold("submit …")
    decided = await asyncio.gather(
        door.service.decide(job, an_interaction(1), again=True),
        door.service.decide(job, an_interaction(2), again=True),
        return_exceptions=True,
    )
    (new,) = [one for one in decided if isinstance(one, Job)]
    (lost,) = [one for one in decided if not isinstance(one, Job)]
    assert isinstance(lost, LeaseLost)
    hold.open.set()
    assert (await door.ended(new)).state is State.DELIVERED
    assert door.world.novita.prompts == [job.request.prompt]
    row = await door.ended(job)
    assert (row.state, row.outcome.again_as, row.outcome.notified) == (State.CANCELLED, new.id, True)
    assert len(await door.service.jobs_of(job.requester.user_id)) == 2


async def test_letting_go_renders_nothing_and_updates_the_card(door: Door) -> None:
    job = await door.world.standing("unconfirmed", notified=True)
    assert await door.service.decide(job, an_interaction(), again=False) is None
    row = await door.ended(job)
    assert (row.state, row.outcome.again_as, row.outcome.notified) == (State.CANCELLED, "", True)
    assert door.world.notifier.shown[job.id] is State.CANCELLED
    assert door.world.novita.prompts == []


# --- looking again


async def test_a_job_that_was_given_up_is_looked_for_and_brought_here(door: Door) -> None:
    job = await door.world.standing("failed", problem="lost", notified=True)
    assert door.service.may_turn_up(job)
    await door.service.look_again(job, 77)
    row = await door.ended(job)
    (video,) = door.world.notifier.of(job.id, "video")
    assert (row.state, video.channel_id) == (State.DELIVERED, 77)
    assert door.world.novita.prompts == []


async def test_a_run_that_is_at_the_late_look_makes_way(door: Door) -> None:
    world = door.world
    job = await world.standing("failed", problem="deadline", notified=True)
    await world.write(job.id, check_at=world.clock.now + 10_000)
    hold = world.journal.hold("result …")
    door.engine.submit(job.id)
    async with asyncio.timeout(PATIENCE):
        await hold.reached.wait()  # the earlier run is at it, and never comes to an end
    await door.service.look_again(job, 77)
    async with asyncio.timeout(PATIENCE):
        while not world.notifier.of(job.id, "video"):  # noqa: ASYNC110 — the run is another task by then
            await asyncio.sleep(0.001)
    assert (await door.ended(job)).state is State.DELIVERED


async def test_looking_for_what_was_found_a_moment_ago_changes_nothing(door: Door) -> None:
    job = await door.world.standing("failed", problem="lost", notified=True)
    await door.world.write(job.id, state="rendered")
    await door.service.look_again(job, 77)  # whoever pressed saw it as it was
    row = await door.world.row(job.id)
    assert (row.state, row.destination.target_id) == (State.RENDERED, job.destination.target_id)
    assert not door.engine.runs(job.id)


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"problem": "task_failed"}, False),
        ({"task_id": None}, False),
        ({"state": "delivered"}, False),
    ],
)
def test_what_may_turn_up(changes: dict[str, str | None], may: bool) -> None:
    job = a_job(**{"state": "failed", "problem": "deadline", "task_id": "t"} | changes)
    assert JobService.may_turn_up(job) is may


# --- a video again


async def a_delivered(door: Door) -> Job:
    job = await door.world.run(await door.world.standing("rendered"))
    door.world.discord_files.urls.clear()
    door.world.novita.asked.clear()
    return job


async def test_a_video_is_brought_again_from_its_message(door: Door) -> None:
    job = await a_delivered(door)
    await door.service.redeliver(job, REPLY)
    (reply,) = door.world.notifier.of(job.id, "reply")
    (url,) = door.world.discord_files.urls
    assert reply.file == f"bytes of {url}".encode()
    assert door.world.novita.asked == []
    assert list(door.world.folder.glob("*/video.mp4")) == []


async def test_with_its_message_gone_the_video_comes_from_novita(door: Door) -> None:
    job = await a_delivered(door)
    door.world.notifier.delete(job.outcome.video_message_id or 0)
    await door.service.redeliver(job, REPLY)
    assert len(door.world.notifier.of(job.id, "reply")) == 1
    assert door.world.novita.asked == [job.task.task_id]
    assert door.world.novita.prompts == []


async def test_a_video_that_nobody_has_any_more_is_a_refusal(door: Door) -> None:
    job = await a_delivered(door)
    door.world.notifier.delete(job.outcome.video_message_id or 0)
    door.world.novita.on_result.append(NO_TASK)
    with pytest.raises(Refusal, match="does not keep it"):
        await door.service.redeliver(job, REPLY)


async def test_a_reply_is_tried_for_as_long_as_its_token_lives(door: Door) -> None:
    job = await a_delivered(door)
    door.world.notifier.lose_answer("redeliver", times=2)
    await door.service.redeliver(job, REPLY)
    assert len(door.world.notifier.of(job.id, "reply")) == 1
    door.world.notifier.lose_answer("redeliver", times=1000)
    began = door.world.clock.now
    with pytest.raises(Refusal, match="just now"):
        await door.service.redeliver(job, REPLY)
    assert 0 <= door.world.clock.now - began - REPLY_SECONDS < 120


@pytest.mark.parametrize(("reason", "says"), [("too_large", "larger"), ("gone", "just now")])
async def test_a_reply_that_takes_no_video_is_a_refusal(door: Door, reason: str, says: str) -> None:
    job = await a_delivered(door)
    door.world.notifier.fail("redeliver", PermanentError("no", reason))
    with pytest.raises(Refusal, match=says):
        await door.service.redeliver(job, REPLY)


async def test_a_link_that_has_died_is_not_handed_on(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Job] = []

    async def redeliver(job: Job, *_: object) -> None:
        seen.append(job)

    monkeypatch.setattr(door.world.notifier, "redeliver", redeliver)
    job = await a_delivered(door)
    now = door.world.clock.now
    for expires in (now - 1, now + 60):
        await door.service.redeliver(replace(job, task=replace(job.task, video_expires_at=expires)), REPLY)
    assert [one.task.video_url for one in seen] == [None, job.task.video_url]


async def test_a_stop_ends_what_is_being_brought_again(door: Door) -> None:
    job = await a_delivered(door)
    hold = door.world.journal.hold("redeliver …")
    bringing = asyncio.create_task(door.service.redeliver(job, REPLY))
    async with asyncio.timeout(PATIENCE):
        await hold.reached.wait()
        await door.service.quiesce()
        with pytest.raises(Refusal, match="restarted"):
            await bringing
    assert list(door.world.folder.glob("*/video.mp4")) == []


# --- stopping


async def test_a_stop_waits_for_what_is_being_accepted(door: Door) -> None:
    job = a_job()
    await held(door.world, job)
    async with door.service.answering():
        stopping = asyncio.create_task(door.service.quiesce())
        await asyncio.sleep(0.01)
        assert door.service.stopping
        assert not stopping.done()
        await door.service.accept(job, an_interaction())
    async with asyncio.timeout(PATIENCE):
        await stopping
    assert not door.engine.runs(job.id)
    assert (await door.world.row(job.id)).state in (State.ACCEPTED, State.RENDERING)


async def test_a_stop_waits_for_the_paid_request(door: Door) -> None:
    job = a_job()
    await held(door.world, job)
    hold = door.world.journal.hold("arrived")
    await door.service.accept(job, an_interaction())
    async with asyncio.timeout(PATIENCE):
        await hold.reached.wait()
    stopping = asyncio.create_task(door.service.quiesce())
    await asyncio.sleep(0.01)
    assert not stopping.done()
    hold.open.set()
    await stopping
    row = await door.world.row(job.id)
    assert (row.state, row.task.task_id) == (State.RENDERING, "task-1")


async def test_a_stop_does_not_wait_for_ever(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "STOP_SECONDS", 0.02)
    async with door.service.answering(), asyncio.timeout(PATIENCE):
        await door.service.quiesce()


async def test_after_a_stop_a_job_waits_for_the_next_start(door: Door) -> None:
    await door.service.quiesce()
    job = a_job()
    await held(door.world, job)
    await door.service.accept(job, an_interaction())
    assert not door.engine.runs(job.id)
    next_door = Door(door.world)
    assert await next_door.engine.start() == 1
    assert (await next_door.ended(job)).state is State.DELIVERED
    await next_door.engine.stop()


async def test_a_run_that_breaks_is_taken_up_again(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    job = await door.world.standing("rendered")
    good, broken = door.world.notifier.find_video, [ZeroDivisionError(), ZeroDivisionError()]

    async def find_video(job: Job) -> object:
        if broken:
            raise broken.pop()
        return await good(job)

    door.world.notifier.find_video = find_video  # type: ignore[method-assign, assignment]
    door.engine.submit(job.id)
    assert (await door.ended(job)).outcome.delivery_method == DeliveryMethod.ATTACHED
    assert caplog.text.count("stopped on an unexpected error") == 2
