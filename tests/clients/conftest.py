"""One sandbox for the run, as in tests/e2e, with a token that hikari can read too."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import client
from sandbox.client import Person, Sandbox
from tests.support import REPOSITORY

OPENAPI = Path(os.environ.get("KINORA_OPENAPI", REPOSITORY.parent / "shared/spec/discord-openapi.json"))
# hikari reads the bot's id from the token's first part, which is its base64.
TOKEN = "MTMyMzk4NDA2Njk2OTYwMDAwMA.sandbox.opens-nothing"


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """The sandbox process of this run."""
    flags = ["--openapi", str(OPENAPI)] if OPENAPI.is_file() else []
    data = str(tmp_path_factory.mktemp("sandbox"))
    async with client.start(*flags, "--token", TOKEN, "--data", data) as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox(house: Sandbox) -> Sandbox:
    """A fresh world with quick renders."""
    await house.reset()
    await house.novita.settings(queue_seconds=0.1, render_seconds=0.3, video_height=120)
    return house


@pytest.fixture
def mia(sandbox: Sandbox) -> Person:
    """A member without special rights."""
    return sandbox.person("mia")
