"""Two gateways and three workers on one database, killed and paused at random: as good as one process."""

from __future__ import annotations

import asyncio
import os
import random
import time

import pytest

from tests.scale.cluster import Cluster, Process
from tests.scale.house import GUILDS, PLACES
from tests.scale.process import STALLED_SECONDS, SWEEP_SECONDS

JOBS = int(os.environ.get("KINORA_SCALE_JOBS", "30"))
MISHAPS = int(os.environ.get("KINORA_SCALE_MISHAPS", "7"))
SEED = int(os.environ.get("KINORA_SCALE_SEED", "5"))
"""For the large run: KINORA_SCALE_JOBS=200 KINORA_SCALE_MISHAPS=40 pytest -n 0 tests/scale -k random"""
PEOPLE = ("mia", "rosa", "adam", "olivia")
MOST_OPEN = 24
TAKE_OVER = STALLED_SECONDS + 2 * SWEEP_SECONDS + 0.5


@pytest.mark.timeout(120 + 3 * JOBS)
async def test_kills_and_pauses_at_random_cost_nobody_anything(cluster: Cluster) -> None:
    await cluster.sandbox.discord.settings(shards=4, identify_interval=0.1)
    await cluster.sandbox.novita.settings(queue_seconds=0.1, render_seconds=0.6)
    gateways = [cluster.process("gateway", KINORA_SHARDS=shards) for shards in ("0-1/4", "2-3/4")]
    workers = [cluster.process("worker") for _ in range(3)]
    await asyncio.gather(*(process.start() for process in (*gateways, *workers)))
    asking = asyncio.create_task(_ask(cluster))
    await _disturb(cluster, gateways, workers)
    await asking
    rows = await cluster.all_ended(JOBS, 60 + JOBS)
    assert len({row["guild_id"] for row in rows}) > 2
    await cluster.check()
    assert sum(row["state"] == "delivered" for row in rows) > JOBS // 2


async def _ask(cluster: Cluster) -> None:
    """Have people all over the servers ask until there are enough jobs; who is not answered asks again."""
    rng = random.Random(SEED)  # noqa: S311
    number = 0
    while len(rows := cluster.rows("SELECT told FROM jobs")) < JOBS:
        if sum(not row["told"] for row in rows) >= MOST_OPEN:
            await asyncio.sleep(0.2)
            continue
        number += 1
        assert number < 3 * JOBS + 50, "commands come to nothing"
        await cluster.animate(
            f"Number {number}", rng.choice(PEOPLE), rng.randrange(GUILDS), rng.randrange(PLACES)
        )
        await asyncio.sleep(rng.uniform(0.05, 0.5))


async def _disturb(cluster: Cluster, gateways: list[Process], workers: list[Process]) -> None:
    """Kill, stop and pause processes; at most two of the workers are out of work at any time."""
    rng = random.Random(SEED + 1)  # noqa: S311
    free = asyncio.Semaphore(2)
    resting = set[Process]()

    async def trouble(process: Process, how: str) -> None:
        async with free:
            cluster.mishap()
            if how == "pause":
                process.pause()
                await asyncio.sleep(TAKE_OVER)
                process.wake()
            else:
                assert await (process.kill() if how == "kill" else process.stop()) in (-9, 0)
                await process.start()
            cluster.mishap()
        resting.discard(process)

    async with asyncio.TaskGroup() as group:
        for number in range(MISHAPS):
            await asyncio.sleep(rng.uniform(0.2, 1.2))
            kind = gateways if number % 4 == 3 else workers
            process = rng.choice([process for process in kind if process not in resting] or gateways)
            if process not in resting:
                resting.add(process)
                group.create_task(trouble(process, rng.choice(("kill", "kill", "pause", "pause", "stop"))))
            await _room(resting)


async def _room(resting: set[Process]) -> None:
    async with asyncio.timeout(60):
        while len(resting) > 2:  # noqa: ASYNC110 — a set has no event
            await asyncio.sleep(0.05)


async def test_a_dead_workers_jobs_are_taken_over_within_half_a_minute(cluster: Cluster) -> None:
    """With the product's own heartbeats."""
    await cluster.sandbox.novita.settings(render_seconds=600)
    environ = {"KINORA_SLOW_HEART": "1"}
    _gateway, worker = await cluster.start("gateway", "worker", **environ)
    prompts = [f"Number {number}" for number in range(3)]
    for prompt in prompts:
        await cluster.animate(prompt)
    for prompt in prompts:
        await cluster.until(prompt, lambda row: row["state"] == "rendering")
    other = await cluster.process("worker", **environ).start()
    await worker.kill()
    cluster.mishap()
    died = time.monotonic()
    await cluster.sandbox.novita.settings(render_seconds=0.1)
    await cluster.all_ended(3)
    assert time.monotonic() - died < 30, other.text  # the one promise that is a time
    await cluster.check()
