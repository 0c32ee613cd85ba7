"""Worlds for the experiments: many to a run, since most of an experiment's time is waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.reliability.worlds import World, Worlds, lent, new_world
from tests.support.postgres import Postgres
from tests.support.warm import Warm

PATIENT, IMPATIENT = 6, 1
"""How many experiments run at once in each process of the test run."""


@pytest.fixture(scope="session")
async def crash_world(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The sandbox in which bots die; each in a channel of its own."""
    async with new_world(warm, tmp_path_factory.mktemp("crashes")) as world:
        yield world


@pytest.fixture
async def world(crash_world: World, engine: Postgres | None) -> AsyncIterator[World]:
    """That sandbox without any bots or faults."""
    async with lent(crash_world, engine) as world:
        yield world


@pytest.fixture(scope="session")
async def fault_worlds(
    warm: Warm, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Worlds]:
    """Sandboxes for faults, several experiments at a time; `postgres` must outlive the bots in them."""
    async with AsyncExitStack() as stack:
        made = [new_world(warm, tmp_path_factory.mktemp("faults")) for _ in range(PATIENT)]
        made += [new_world(warm, tmp_path_factory.mktemp("faults"), impatient=True) for _ in range(IMPATIENT)]
        yield Worlds(list(await asyncio.gather(*map(stack.enter_async_context, made))))


@pytest.fixture
async def worlds(fault_worlds: Worlds, engine: Postgres | None) -> Worlds:
    """Those sandboxes, with bots that keep their jobs on this engine."""
    await fault_worlds.use(engine)
    return fault_worlds
