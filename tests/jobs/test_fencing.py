"""The fence on its own: what is sent for a job that may be another run's by now, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web

from bot.domain.job import Job, State
from bot.domain.request import RenderRequest
from bot.errors import AnswerLost, LeaseLost, NotSent
from bot.jobs import fencing
from bot.novita.client import ImageFile, NovitaClient
from bot.novita.codec import Problem, Submitted
from bot.novita.models import CATALOGUE, DEFAULT_MODEL, Encoding, Model
from tests.support.jobs import a_job
from tests.support.novita import FakeNovita
from tests.support.servers import serving
from tests.support.world import World

Owns = Callable[[Job], Awaitable[bool]]
LONG = 8_000_000
"""More bytes than the line takes before somebody reads."""


@pytest.fixture
def job() -> Job:
    """Any job."""
    return a_job(state=State.SUBMITTING, prompt="waves")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    path.write_bytes(b"image")
    return path


async def submitted(job: Job, owns: Owns, image: Path) -> list[str]:
    """Send a paid request through a fence; give what arrived, and how it ended."""
    arrived: list[str] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append("request")
        await request.read()
        arrived.append("body")
        return web.json_response({"task_id": "1"})

    model = CATALOGUE[DEFAULT_MODEL]
    async with serving({f"/v3/async/{model.name}": take}) as url:
        client = NovitaClient(url, "sk_test", trace=fencing.Fence(owns).trace())

        async def pay() -> str:
            fencing.set_job(job)
            try:
                with image.open("rb") as file:
                    images = [ImageFile(file, "png")]
                    return type(await client.submit(model, job.request, "base64", images)).__name__
            except (NotSent, AnswerLost, LeaseLost) as error:
                return type(error).__name__

        ended = await asyncio.create_task(pay())
        await client.close()
    gc.collect()  # a connection that was left open would warn
    return [*arrived, ended]


async def test_what_is_sent_for_ones_own_job_arrives(job: Job, image: Path) -> None:
    asked: list[Job] = []

    async def owns(whose: Job) -> bool:
        asked.append(whose)
        return True

    assert await submitted(job, owns, image) == ["request", "body", "Submitted"]
    assert asked == [job]


async def test_nothing_is_sent_for_a_job_that_is_anothers(job: Job, image: Path) -> None:
    async def owns(_job: Job) -> bool:
        return False

    assert await submitted(job, owns, image) == ["LeaseLost"]


async def test_a_database_that_does_not_answer_leaves_the_money_where_it_is(
    job: Job, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "AWAY", 0.05)

    async def owns(_job: Job) -> bool:
        await asyncio.Event().wait()
        return True

    assert await submitted(job, owns, image) == ["NotSent"]


async def test_a_long_body_breaks_off_when_its_job_was_taken_over(
    job: Job, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = a_clock(monkeypatch)
    answers = [True, False]

    async def owns(_job: Job) -> bool:
        return answers.pop(0)

    def tick() -> float:
        clock.now += 1.0  # every look takes a second, so that an answer is soon an old one
        return float(clock.now)

    clock.monotonic = tick
    image.write_bytes(b"x" * LONG)
    arrived = await submitted(job, owns, image)
    # What was sent may have arrived, as far as this run can know; its next write is refused.
    assert (arrived[-1], "body" in arrived) == ("AnswerLost", False)
    assert answers == []


async def test_an_answer_that_a_pause_made_old_is_asked_for_again(
    job: Job, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = a_clock(monkeypatch)
    answers = [True, False]

    async def owns(_job: Job) -> bool:
        clock.now += 60.0 * (len(answers) == 2)  # the process slept, and somebody took the job over
        return answers.pop(0)

    assert await submitted(job, owns, image) == ["LeaseLost"]


async def test_what_a_run_sends_is_asked_for_under_its_own_token(world: World) -> None:
    asked: list[Job] = []

    async def owns(whose: Job) -> bool:
        asked.append(whose)
        return await world.store.owns(whose)

    async def take(request: web.Request) -> web.Response:
        return web.Response()

    class Sending(FakeNovita):
        async def submit(
            self,
            model: Model,
            request: RenderRequest,
            encoding: Encoding,
            images: Sequence[ImageFile] | Sequence[str],
        ) -> Submitted | Problem:
            async with session.post(f"{base}/order") as response:
                response.raise_for_status()
            return await super().submit(model, request, encoding, images)

    world.novita = Sending(world.journal)
    async with (
        serving({"/order": take}) as base,
        aiohttp.ClientSession(trace_configs=[fencing.Fence(owns).trace()]) as session,
    ):
        job = await world.run(await world.accept())
    assert job.state is State.DELIVERED
    assert [(one.id, one.fencing_token) for one in asked] == [(job.id, job.fencing_token)]


def a_clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Put a clock into the fence that a test moves."""
    clock = SimpleNamespace(now=time.monotonic())
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(fencing, "time", clock)
    return clock
