"""A job store on each of the databases there may be, and a world to run jobs in."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.jobs import Store, opened
from tests.support.world import World, a_world


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with opened(database_url) as store:
        yield store


@pytest.fixture(scope="session")
async def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database; a copy of it opens several times faster than its tables are made."""
    path = tmp_path_factory.mktemp("empty") / "kinora.db"
    async with opened(f"sqlite:///{path}"):
        return path


@pytest.fixture
async def world(empty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The real runner and store, on SQLite and a virtual clock, with doubles around them."""
    path = shutil.copy(empty_file, tmp_path / "kinora.db")
    async with a_world(f"sqlite:///{path}", tmp_path / "passing", monkeypatch) as world:
        yield world
