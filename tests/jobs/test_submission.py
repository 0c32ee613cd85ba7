"""A stop in the middle of paying: the row never says that a request may be out when it is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from bot.domain.job import State
from bot.jobs.submission import Submission
from bot.novita.client import NovitaClient
from bot.novita.models import CATALOGUE
from tests.support.jobs import Store, a_job
from tests.support.notifier import FakeOperator
from tests.support.servers import serving

MODEL = CATALOGUE["kling-2.5-turbo-i2v"]


@pytest.mark.parametrize("turns_of_the_loop", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
async def test_the_image_may_be_dropped_at_any_moment(tmp_path: Path, turns_of_the_loop: int) -> None:
    orders = 0

    async def create(request: web.Request) -> web.Response:
        nonlocal orders
        await request.read()
        orders += 1
        return web.json_response({"task_id": "t-1"})

    image = tmp_path / "image.png"
    image.write_bytes(b"image" * 100_000)
    store = Store(f"sqlite:///{tmp_path}/kinora.db")
    await store.open()
    job = await store.claim((await store.accept(a_job())).id)
    async with serving({f"/v3/async/{MODEL.name}": create}) as base:
        novita = NovitaClient(base, "sk_key", timeout=5.0)
        submission = Submission(store, novita, FakeOperator())
        submitting = asyncio.create_task(submission.submit(job, MODEL, [image]))
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        submitting.cancel()
        await asyncio.gather(submitting, return_exceptions=True)
        image.unlink()
        await asyncio.gather(*submission.under_way, return_exceptions=True)
        await novita.close()
    row = await store.get(job.id)
    await store.close()
    assert row is not None
    assert (row.state, orders) in ((State.ACCEPTED, 0), (State.RENDERING, 1))
