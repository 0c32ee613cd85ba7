"""What holds over all processes: commands, IDENTIFYs, the account's limits, fair turns, quick handovers."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from tests.scale.cluster import Cluster, Json
from tests.support.waiting import until

IDENTIFY, INVALID_SESSION = 2, 9
INTERVAL = 0.25


async def test_commands_are_synced_once_and_not_again_when_unchanged(cluster: Cluster) -> None:
    first, second = await cluster.start("gateway", "gateway")
    assert await _syncs(cluster) == 1, cluster.log
    assert await second.stop() == 0
    await second.start()
    assert await _syncs(cluster) == 1, cluster.log
    assert len(await cluster.sandbox.person("mia").commands("0-0")) > 1
    assert await first.stop() == 0


async def _syncs(cluster: Cluster) -> int:
    wire = await cluster.sandbox.wire(side="discord")
    return sum(e["method"] == "PUT" and e["path"].endswith("/commands") for e in wire)


async def test_two_gateways_keep_the_pace_of_identifies(cluster: Cluster) -> None:
    await cluster.sandbox.discord.settings(shards=4, identify_interval=INTERVAL)
    gateways = [cluster.process("gateway", KINORA_SHARDS=shards) for shards in ("0-1/4", "2-3/4")]
    await asyncio.gather(*(gateway.start() for gateway in gateways))
    events = [e for e in await cluster.sandbox.wire(side="gateway") if e["method"] == "from_bot"]
    at = sorted(e["at"] for e in events if e["request_body"]["op"] == IDENTIFY)
    assert len(at) == 4
    assert min(later - earlier for earlier, later in itertools.pairwise(at)) >= INTERVAL
    told = [
        e["response_body"]["op"] for e in await cluster.sandbox.wire(side="gateway") if e["response_body"]
    ]
    assert INVALID_SESSION not in told
    # Each server's commands reach the process that has its shard.
    await cluster.start("worker")
    for guild in range(4):
        await cluster.animate(f"Server {guild}", guild=guild)
    rows = await cluster.all_ended(4)
    assert {row["state"] for row in rows} == {"delivered"}
    await cluster.check()


async def test_the_accounts_renders_are_shared_by_all_workers(cluster: Cluster) -> None:
    most = 3
    await cluster.sandbox.novita.settings(render_seconds=0.6)
    environ = {"KINORA_MAX_RENDERS": str(most)}
    await cluster.start("gateway", "worker", "worker", **environ)
    for number in range(8):
        await cluster.animate(f"Number {number}", ("mia", "rosa")[number % 2], guild=number % 3)
    await cluster.all_ended(8)
    tasks = await cluster.sandbox.novita.tasks()
    assert len(tasks) == 8
    at_once = [
        sum(other["submitted_at"] <= task["submitted_at"] < other["ended_at"] for other in tasks)
        for task in tasks
    ]
    assert max(at_once) <= most
    assert max(at_once) > 1
    await cluster.check()


async def test_the_accounts_requests_a_minute_are_shared_by_all_workers(cluster: Cluster) -> None:
    rate = 4
    await cluster.start("gateway", "worker", "worker", KINORA_NOVITA_RPM=str(rate))
    for number in range(6):
        await cluster.animate(f"Number {number}", guild=number % 3)
    await until(lambda: sum(row["state"] == "delivered" for row in cluster.rows()) == rate)
    await until(lambda: sum(row["queued_at"] is not None for row in cluster.rows()) == 6)
    assert len(await cluster.sandbox.novita.payments()) == rate
    # A minute passes for the ledger.
    cluster.execute("UPDATE jobs SET turn_at = turn_at - 60")
    rows = await cluster.all_ended(6)
    assert {row["state"] for row in rows} == {"delivered"}
    await cluster.check()


async def test_one_persons_many_do_not_hold_up_anothers_first(cluster: Cluster) -> None:
    await cluster.sandbox.novita.settings(render_seconds=0.2)
    await cluster.start("gateway", "worker", "worker", KINORA_MAX_RENDERS="1", KINORA_NOVITA_RPM="1")
    for number in range(8):
        await cluster.animate(f"Mia's {number}", "mia")
    await until(lambda: sum(row["queued_at"] is not None for row in cluster.rows()) == 8)
    await cluster.animate("Rosa's first", "rosa")
    await cluster.animate("Adam's first", "adam", guild=1)
    await until(lambda: sum(row["queued_at"] is not None for row in cluster.rows()) == 10)
    # From here on a minute passes for the ledger whenever somebody has had a turn.
    pacing = asyncio.create_task(_minutes(cluster))
    rows = await cluster.all_ended(10)
    pacing.cancel()
    prompts = [payment["prompt"] for payment in await cluster.sandbox.novita.payments()]
    assert len(prompts) == len(rows) == 10
    assert prompts[0].startswith("Mia's")
    # Adam's server has had no turn yet, and Rosa none in hers.
    assert prompts.index("Adam's first") in (1, 2), prompts
    assert prompts.index("Rosa's first") in (1, 2, 3), prompts
    await cluster.check()


async def _minutes(cluster: Cluster) -> None:
    while True:
        await asyncio.sleep(0.05)
        cluster.execute("UPDATE jobs SET turn_at = turn_at - 60 WHERE state = 'delivered'")


async def test_a_stopped_worker_hands_its_jobs_over_at_once(cluster: Cluster) -> None:
    """With the product's own heartbeats: nobody waits for the one that is missing."""
    await cluster.sandbox.novita.settings(render_seconds=600)
    environ = {"KINORA_SLOW_HEART": "1"}
    _, worker = await cluster.start("gateway", "worker", **environ)
    for number in range(3):
        await cluster.animate(f"Number {number}")
    await until(lambda: [row["state"] for row in cluster.rows()] == 3 * ["rendering"])
    await cluster.process("worker", **environ).start()
    before = {row["run"] for row in cluster.rows()}
    began = time.monotonic()
    assert await worker.stop() == 0
    assert time.monotonic() - began < 10
    await until(lambda: not before & {row["run"] for row in cluster.rows()}, 10)
    await cluster.sandbox.novita.settings(render_seconds=0.1)
    rows = await cluster.all_ended(3)
    assert {row["state"] for row in rows} == {"delivered"}
    await cluster.check()


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_a_gateway_that_ends_takes_nothing_with_it(cluster: Cluster, how: str) -> None:
    gateway, _ = await cluster.start("gateway", "worker")
    await cluster.sandbox.novita.settings(render_seconds=0.5)
    await cluster.animate("Waves")
    await cluster.until("Waves", lambda row: row["state"] != "")
    assert await (gateway.kill() if how == "kill" else gateway.stop()) in (-9, 0)
    cluster.mishap()
    row: Json = await cluster.ended("Waves")
    assert await cluster.outcome(row) == (1, 1, "Done")
