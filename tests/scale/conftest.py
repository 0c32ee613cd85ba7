"""A cluster for each test, on a database of its own; and how long a test may take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scale.cluster import Cluster, new_cluster
from tests.support.postgres import Postgres
from tests.support.warm import Warm, warmed


@pytest.fixture(scope="session")
async def scale_warm() -> AsyncIterator[Warm]:
    """The process that forks sandboxes and bots."""
    async with warmed("tests.scale.warm") as warm:
        yield warm


@pytest.fixture
async def cluster(scale_warm: Warm, postgres: Postgres, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A sandbox with four servers and an empty database, and no process of the bot yet."""
    async with new_cluster(scale_warm, tmp_path, await postgres.database()) as cluster:
        yield cluster
