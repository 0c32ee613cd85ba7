"""A ledger on each of the databases there may be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.store.jobs import Ledger


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    """An open ledger."""
    opened = Ledger(database_url)
    await opened.open()
    yield opened
    await opened.close()
