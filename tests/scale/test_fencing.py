"""A worker that slept while others did its work wakes up: it neither pays, posts, edits nor writes."""

from __future__ import annotations

import pytest

from sandbox.client import Sandbox
from tests.scale.cluster import Cluster

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
