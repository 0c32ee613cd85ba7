"""`/show` brings one's own videos: of somebody else's job it does not even say that there is one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.discord_wire import MIA, FakeJobs, Wire, a_client
from tests.support.jobs import a_job


@pytest.mark.parametrize("ends", [{"state": "delivered"}, {"state": "failed", "problem": "input"}])
async def test_somebody_elses_job_is_not_found(ends: dict[str, Any]) -> None:
    jobs = FakeJobs()
    job = a_job(requester_id=MIA + 1, prompt="a secret", **ends)
    jobs.jobs[job.id] = job
    wire = Wire(a_client(jobs))
    await wire.client.load_extension("cogs.show")
    await wire.run("show", job=job.id)
    assert "You have no such job." in wire.text
    assert "a secret" not in wire.text
    wire.assert_private()


async def test_ones_own_is_found() -> None:
    jobs = FakeJobs()
    job = a_job(requester_id=MIA, state="failed", problem="input")
    jobs.jobs[job.id] = job
    wire = Wire(a_client(jobs))
    await wire.client.load_extension("cogs.show")
    await wire.run("show", job=f" {job.id.upper()} ")
    assert "You have no such job." not in wire.text
    wire.assert_private()
