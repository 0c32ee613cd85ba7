"""A sandbox for bots that find what other versions left, each bot on an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.reliability.worlds import World, lent, new_world
from tests.support.postgres import Postgres
from tests.support.warm import Warm
from tests.upgrades.wire import Wire


@pytest.fixture(scope="session")
async def upgrade_world(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The sandbox of these tests."""
    async with new_world(warm, tmp_path_factory.mktemp("upgrades")) as world:
        yield world


@pytest.fixture
async def world(upgrade_world: World, engine: Postgres | None) -> AsyncIterator[World]:
    """That sandbox without any bots or faults."""
    async with lent(upgrade_world, engine) as world:
        yield world


@pytest.fixture
async def wire(upgrade_world: World) -> AsyncIterator[Wire]:
    """What a bot of another version has sent."""
    async with Wire(upgrade_world.sandbox) as wire:
        yield wire
