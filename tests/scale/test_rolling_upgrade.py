"""A rolling upgrade from 57c1406, and back: its processes beside today's, on one database that it made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scale.cluster import Cluster
from tests.support.kinora import Kinora
from tests.support.postgres import Postgres
from tests.upgrades.old_checkout import COMMIT, check_out

DONE = (1, 1, "Done")


@pytest.fixture(scope="module")
def code_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of that commit, where the clone goes back so far."""
    folder = check_out(tmp_path_factory.mktemp("before"))
    if folder is None:
        pytest.skip(f"this clone does not go back to {COMMIT}")
    return folder


@pytest.mark.timeout(180)
async def test_versions_take_turns(cluster: Cluster, postgres: Postgres, code_before: Path) -> None:
    cluster.url = await postgres.database(empty=True)
    before: list[Kinora] = []

    async def old(role: str) -> Kinora:
        folder = code_before / f"{role}-{len(before)}"
        folder.mkdir()
        environ = {"DATABASE_URL": cluster.url, "PYTHONPATH": str(code_before), "KINORA_POLL_SECONDS": "0.1"}
        before.append(Kinora(cluster.sandbox, folder, environ, module="bot"))
        return await before[-1].start(role)

    async def new(role: str) -> Kinora:
        # With the real heartbeats, or the old ones, which beat slowly, would be taken for dead.
        return await cluster.process(role, KINORA_SLOW_HEART="1").start()

    try:
        await cluster.sandbox.novita.settings(escaped_links=False)  # the old version rewrites such links
        gateway, worker = await old("gateway"), await old("worker")
        await cluster.animate("By the old alone")
        assert await cluster.outcome(await cluster.ended("By the old alone")) == DONE

        # Upwards: what the old began, and what it accepts, the new one ends.
        await cluster.sandbox.novita.settings(render_seconds=3)
        await cluster.animate("Begun by the old")
        await cluster.until("Begun by the old", lambda row: row["state"] == "rendering")
        newer = await new("worker")  # it migrates, while the others are at it
        assert await worker.stop() == 0
        await cluster.animate("Accepted by the old")
        for prompt in ("Begun by the old", "Accepted by the old"):
            assert await cluster.outcome(await cluster.ended(prompt)) == DONE, cluster.log
        assert await gateway.stop() == 0

        # And back: what the new began, and what it accepts, the old one ends.
        gateway = await new("gateway")
        await cluster.animate("Begun by the new")
        await cluster.until("Begun by the new", lambda row: row["state"] == "rendering")
        worker = await old("worker")
        assert await newer.stop() == 0
        await cluster.animate("Accepted by the new")
        for prompt in ("Begun by the new", "Accepted by the new"):
            assert await cluster.outcome(await cluster.ended(prompt)) == DONE, worker.text
        assert await gateway.stop() == 0
        assert await worker.stop() == 0
    finally:
        for process in before:
            await process.close()
    assert cluster.rows("SELECT * FROM procrastinate_jobs") == []
    assert len(await cluster.sandbox.novita.payments()) == 5
    await cluster.check()
