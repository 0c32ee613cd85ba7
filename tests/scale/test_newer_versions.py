"""Workers beside those of a newer version: what only the newer can do is left in the queue for it."""

from __future__ import annotations

from itertools import pairwise

from bot.store.jobs import OLDEST_PAYING
from tests.scale.cluster import Cluster
from tests.scale.process import LEAVE_SECONDS
from tests.support.waiting import until


async def test_the_queues_row_of_a_job_in_an_unknown_state_is_not_swallowed(cluster: Cluster) -> None:
    await cluster.start("gateway")
    await cluster.animate("Wait for it")
    accepted = await cluster.until("Wait for it", lambda _row: True)
    cluster.execute("UPDATE jobs SET state = 'proposed'")
    (queued,) = cluster.rows("SELECT id FROM procrastinate_jobs")
    await cluster.start("worker")

    def taken() -> list[float]:
        events = "SELECT extract(epoch FROM at)::float AS at FROM procrastinate_events WHERE type = 'started'"
        return [row["at"] for row in cluster.rows(f"{events} ORDER BY id")]

    await until(lambda: len(taken()) >= 4)
    # It is looked at now and then, and neither the job nor its place in the queue is touched.
    assert all(later - sooner >= LEAVE_SECONDS for sooner, later in pairwise(taken()))
    assert cluster.rows() == [accepted | {"state": "proposed"}]
    assert cluster.rows("SELECT id FROM procrastinate_jobs") == [queued]
    # Once it is in a state that this version knows, its own row is how a worker hears of it.
    cluster.execute("UPDATE jobs SET state = 'accepted'")
    assert await cluster.outcome(await cluster.ended("Wait for it")) == (1, 1, "Done")
    await until(lambda: cluster.rows("SELECT id FROM procrastinate_jobs") == [])
    assert cluster.rows("SELECT last_value AS id FROM procrastinate_jobs_id_seq") == [queued]
    await cluster.check()


async def test_a_job_that_goes_into_an_unknown_state_on_its_road_keeps_its_row(cluster: Cluster) -> None:
    await cluster.sandbox.novita.settings(render_seconds=600)
    await cluster.start("gateway", "worker")
    await cluster.animate("Held on the way")
    await cluster.until("Held on the way", lambda row: row["state"] == "rendering")
    (queued,) = cluster.rows("SELECT id FROM procrastinate_jobs")
    cluster.execute("UPDATE jobs SET state = 'held', run = 'a newer version'")
    await cluster.sandbox.novita.settings(render_seconds=0.1)
    left = "SELECT id FROM procrastinate_jobs WHERE scheduled_at IS NOT NULL"
    await until(lambda: cluster.rows(left) == [queued])
    (row,) = cluster.rows()
    assert (row["state"], row["run"]) == ("held", "a newer version")
    cluster.execute("UPDATE jobs SET state = 'rendering'")
    assert await cluster.outcome(await cluster.ended("Held on the way")) == (1, 1, "Done")
    await cluster.check()


async def test_an_outdated_worker_leaves_what_is_to_be_paid_to_a_newer_one(cluster: Cluster) -> None:
    _, old = await cluster.start("gateway", "worker")
    cluster.execute(f"INSERT INTO shared VALUES ('{OLDEST_PAYING}', 0, '2')")  # noqa: S608
    prompts = [f"Number {number}" for number in range(3)]
    for prompt in prompts:
        await cluster.animate(prompt, place=prompts.index(prompt))
    await old.wait_for_log("too old to pay")
    left = "SELECT id FROM procrastinate_jobs WHERE scheduled_at IS NOT NULL"
    await until(lambda: len(cluster.rows(left)) == 3)
    for prompt in prompts:
        row = await cluster.until(prompt, lambda row: row["card_id"])
        await cluster.sandbox.person("mia").wait_for_message(
            str(row["channel_id"]), lambda m: "newer version of Kinora has taken over" in m.text, 30
        )
    assert {row["state"] for row in cluster.rows()} == {"accepted"}
    await cluster.process("worker", KINORA_PAYING_VERSION="2").start()
    for prompt in prompts:
        assert await cluster.outcome(await cluster.ended(prompt)) == (1, 1, "Done")
    assert "paid for" not in old.text
    assert sum(" ERROR " in line for line in old.log) == 1
    await until(lambda: cluster.rows("SELECT id FROM procrastinate_jobs") == [])
    await cluster.check()


async def test_an_outdated_worker_goes_on_by_itself_once_it_may(cluster: Cluster) -> None:
    _, worker = await cluster.start("gateway", "worker")
    cluster.execute(f"INSERT INTO shared VALUES ('{OLDEST_PAYING}', 0, '2')")  # noqa: S608
    await cluster.animate("In a while")
    await worker.wait_for_log("too old to pay")
    cluster.execute("DELETE FROM shared")
    assert await cluster.outcome(await cluster.ended("In a while")) == (1, 1, "Done")
    await cluster.check()


async def test_an_outdated_bot_alone_goes_on_by_itself_once_it_may(cluster: Cluster) -> None:
    bot = cluster.process("all", DATABASE_URL="sqlite:///data/kinora.db")
    await bot.start()
    bot.execute("INSERT INTO shared VALUES (?, 0, '2')", OLDEST_PAYING)
    await cluster.animate("In a while")
    await bot.wait_for_log("too old to pay")
    assert [row["state"] for row in bot.rows()] == ["accepted"]
    bot.execute("DELETE FROM shared WHERE key = ?", OLDEST_PAYING)
    (row,) = await until(lambda: [row for row in bot.rows() if row["told"]])
    assert await cluster.outcome(row) == (1, 1, "Done")
