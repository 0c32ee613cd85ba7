"""A worker that slept while others did its work wakes up: it neither pays, posts, edits nor writes."""

from __future__ import annotations

import asyncio
import gc
from tempfile import TemporaryFile
from typing import Any

import pytest
from aiohttp import web

from bot.domain.job import Job, State
from bot.errors import LeaseLost, NotSent
from bot.jobs import fencing
from bot.novita.client import NovitaClient
from bot.novita.models import CATALOGUE, DEFAULT_MODEL
from sandbox.client import Sandbox
from tests.scale.cluster import Cluster
from tests.support.jobs import a_job
from tests.support.servers import serving

DONE = (1, 1, "Done")
UNSURE = (0, 0, "Unconfirmed")
PAID_UNSURE = (1, 0, "Unconfirmed")
MOMENTS = {
    "before commit: claim": DONE,
    "after commit: claim": DONE,
    "before commit: submitting": DONE,
    "after commit: submitting": UNSURE,
    "connected submit": UNSURE,
    "checked submit": UNSURE,
    "half submit": UNSURE,
    "before commit: rendering": PAID_UNSURE,
    "connected card edit": DONE,
    "checked card edit": DONE,
    "before commit: rendered": DONE,
    "connected post": DONE,
    "checked post": DONE,
    "half post": DONE,
    "before commit: delivered": DONE,
    "before commit: told": DONE,
}
"""Where a worker falls asleep, and how the job ends through another: payments, videos, the card's title."""
READING = ("GET", "HEAD")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_who_wakes_up_late_does_nothing(cluster: Cluster, moment: str) -> None:
    # Large enough to be uploaded in several pieces, and slow enough for the card to change meanwhile.
    await cluster.sandbox.novita.settings(video_bytes=200_000, render_seconds=0.7)
    gateway, sleeper = (
        await cluster.process("gateway").start(),
        cluster.process("worker", KINORA_STOP_AT=moment),
    )
    await sleeper.start()
    await cluster.animate("First")
    await sleeper.stopped_itself()
    cluster.mishap()
    other = await cluster.process("worker").start()
    row = await cluster.ended("First")
    assert await cluster.outcome(row) == MOMENTS[moment], cluster.log
    asleep = await cluster.now()
    sleeper.wake()
    await sleeper.wait_for_log("another run has it")
    # It is of use again: alone with the next job, it brings that to its end.
    assert await other.stop() == 0
    assert await _written(cluster.sandbox, asleep) == [], cluster.log
    await cluster.animate("Second")
    assert await cluster.outcome(await cluster.ended("Second")) == DONE, cluster.log
    assert cluster.row("First") == row
    assert await cluster.outcome(row) == MOMENTS[moment], cluster.log
    await cluster.check()
    assert await gateway.stop() == 0


async def _written(sandbox: Sandbox, since: int) -> list[tuple[str, str]]:
    """List what was written since a moment; a request that broke off was not."""
    return [
        (exchange["method"], exchange["path"])
        for exchange in await sandbox.wire(since)
        if exchange["side"] in ("discord", "novita")
        and exchange["method"] not in READING
        and exchange["status"] is not None
    ]


# --- the fence on its own -----------------------------------------------------------------------------------


@pytest.fixture
def job() -> Job:
    """Any job."""
    return a_job(state=State.SUBMITTING, prompt="waves")


async def _submit(job: Job, owns: Any, file: Any) -> list[str]:
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
                return repr(await client.submit(model, job.request, file, "png"))
            except (NotSent, LeaseLost) as error:
                return type(error).__name__

        ended = await asyncio.create_task(pay())
        await client.close()
    gc.collect()  # a connection that was left open would warn
    return [*arrived, ended]


async def test_nothing_is_sent_for_a_job_that_is_anothers(job: Job) -> None:
    async def owns(_job: Job) -> bool:
        return False

    with TemporaryFile() as file:
        assert await _submit(job, owns, file) == ["LeaseLost"]


async def test_a_database_that_does_not_answer_leaves_the_money_where_it_is(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "AWAY", 0.05)

    async def owns(_job: Job) -> bool:
        await asyncio.Event().wait()
        return True

    with TemporaryFile() as file:
        assert await _submit(job, owns, file) == ["NotSent"]
