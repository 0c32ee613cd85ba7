"""A publisher, with a Discord behind it, and videos that only lie there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.jobs.offer import Offer
from bot.messaging.publisher import Publisher
from bot.novita.models import CATALOGUE
from tests.support.discord_rest import Rest, a_rest
from tests.support.files import FakeVideos


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    async with a_rest() as rest:
        yield rest


@pytest.fixture
def videos(tmp_path: Path) -> FakeVideos:
    return FakeVideos(tmp_path)


@pytest.fixture
async def publisher(rest: Rest, videos: FakeVideos) -> AsyncIterator[Publisher]:
    publisher = Publisher(rest.client, Offer(CATALOGUE), videos)
    yield publisher
    await publisher.close()
