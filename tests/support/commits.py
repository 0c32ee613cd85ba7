"""Commits whose answer is lost: the transaction is done, and whoever asked for it hears an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database


def lose_answers(database: Database, monkeypatch: pytest.MonkeyPatch, commits: int = 1) -> list[str]:
    """Lose the answers to the next commits of a database; return the list that grows with each lost one."""
    begin, lost = database.begin, list[str]()

    @asynccontextmanager
    async def losing() -> AsyncIterator[AsyncConnection]:
        async with begin() as connection:
            yield connection
        if len(lost) < commits:
            lost.append("answer")
            raise sa.exc.OperationalError("COMMIT", None, Exception("the connection was lost"))

    monkeypatch.setattr(database, "begin", losing)
    monkeypatch.setattr("bot.store.database.backoff", lambda _tries: 0.0)
    return lost
