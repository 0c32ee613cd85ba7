"""One sandbox for the whole run, put back to a fresh world between tests; bots as the tests need them."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import client
from sandbox.client import Person, Sandbox
from tests.support import REPOSITORY
from tests.support.kinora import Kinora, NewKinora
from tests.support.postgres import Postgres
from tests.support.warm import Warm

OPENAPI = Path(os.environ.get("KINORA_OPENAPI", REPOSITORY.parent / "shared/spec/discord-openapi.json"))
QUICK = {"queue_seconds": 0.1, "render_seconds": 0.3, "video_height": 120}


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """The sandbox process of this run."""
    flags = ["--openapi", str(OPENAPI)] if OPENAPI.is_file() else []
    async with client.start(*flags, "--data", str(tmp_path_factory.mktemp("sandbox"))) as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox(house: Sandbox) -> AsyncIterator[Sandbox]:
    """A fresh world with quick renders, for a test that starts its own bots.

    Afterwards all that crossed the Discord wire is held against Discord's own document.
    """
    await house.reset()
    await house.novita.settings(**QUICK)
    yield house
    problems = [
        f"{exchange['method']} {exchange['path']}: {problem}"
        for exchange in await house.wire()
        for problem in exchange["problems"]
    ]
    assert problems == []


@pytest.fixture
async def new_kinora(
    sandbox: Sandbox, tmp_path: Path, engine: Postgres | None, warm: Warm | None
) -> AsyncIterator[NewKinora]:
    """Makes bots, each on a folder and a database of its own, and ends them with the test."""
    made: list[Kinora] = []
    numbers = itertools.count(1)

    def make(*, empty: bool = False, **environ: str) -> Kinora:
        folder = tmp_path / f"bot-{next(numbers)}"
        folder.mkdir()
        made.append(Kinora(sandbox, folder, environ, engine=engine, warm=warm, empty=empty))
        return made[-1]

    yield make
    for kinora in made:
        await kinora.close()
        kinora.check()  # said of every bot in every test


@pytest.fixture
async def kinora(new_kinora: NewKinora) -> Kinora:
    """A bot that is online."""
    return await new_kinora().start()


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def mia(sandbox: Sandbox) -> Person:
    """A member without special rights."""
    return sandbox.person("mia")
