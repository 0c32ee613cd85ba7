"""A job store on each of the databases there may be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.jobs import Store, opened


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with opened(database_url) as store:
        yield store
