"""A stop in the middle of paying: the row never says that a request may be out when it is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from bot.domain.job import State
from bot.jobs.submission import Payments
from bot.novita.client import NovitaClient
from bot.novita.models import CATALOGUE
from bot.store.jobs import Ledger
from tests.jobs.test_store import a_job
from tests.servers import serving

MODEL = CATALOGUE["kling-2.5-turbo-i2v"]


@pytest.mark.parametrize("turns_of_the_loop", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
async def test_the_still_may_be_dropped_at_any_moment(tmp_path: Path, turns_of_the_loop: int) -> None:
    orders = 0

    async def create(request: web.Request) -> web.Response:
        nonlocal orders
        await request.read()
        orders += 1
        return web.json_response({"task_id": "t-1"})

    still = tmp_path / "still.png"
    still.write_bytes(b"still" * 100_000)
    ledger = Ledger(f"sqlite:///{tmp_path}/kinora.db")
    await ledger.open()
    job = await ledger.claim((await ledger.accept(a_job())).id)
    async with serving({f"/v3/async/{MODEL.name}": create}) as base:
        novita = NovitaClient(base, "sk_key", timeout=5.0)
        payments = Payments(ledger, novita)
        driving = asyncio.create_task(payments.pay(job, MODEL, still))
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
        still.unlink()
        await asyncio.gather(*payments.under_way, return_exceptions=True)
        await novita.close()
    row = await ledger.get(job.id)
    await ledger.close()
    assert row is not None
    assert (row.state, orders) in ((State.ACCEPTED, 0), (State.RENDERING, 1))
