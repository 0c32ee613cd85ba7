"""A slow or broken line: time by the size, then something smaller, then the link."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import aiohttp
import discord
import pytest

from bot.domain.job import DeliveryMethod
from bot.errors import MalformedMessage, TemporaryError
from bot.jobs.notifier import PostedVideo
from bot.messaging.sending import seconds_for
from bot.messaging.uploads import CUTS, Upload, Uploads
from bot.ui.results import Message
from tests.support.discord_wire import refused
from tests.support.jobs import a_job

SIZE = 4_000_000


class Videos:
    """Makes files as small as they are asked for."""

    async def playable(self, path: Path) -> Path:
        """Return the file itself."""
        return path

    async def fitted(self, path: Path, max_bytes: int, *, yields: bool = False) -> Path:
        """Return a smaller one."""
        smaller = path.with_name(f"fitted-{max_bytes}.mp4")
        smaller.write_bytes(bytes(max_bytes))
        return smaller


class Place:
    """Takes what comes, or raises what is next."""

    def __init__(self) -> None:
        self.troubles: list[Exception] = []
        self.tried: list[int] = []
        self.plain: list[bool] = []

    async def post(self, message: Message, file: Path | None) -> PostedVideo:
        """Take a message."""
        self.tried.append(file.stat().st_size if file else 0)
        self.plain.append(not message.embed)
        if self.troubles:
            raise self.troubles.pop(0)
        return PostedVideo(1, 2, DeliveryMethod.LINKED)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(bytes(SIZE))
    return path


def an_upload(place: Place) -> Upload:
    def words(_method: DeliveryMethod, _size: int) -> Message:
        return Message("Here it is", discord.Embed(description="words"))

    return Upload(a_job(), 1, [10 * 2**20], words, place.post)


async def until_it_is_there(uploads: Uploads, upload: Upload, video: Path) -> PostedVideo:
    while True:
        try:
            return await uploads.bring(upload, video)
        except TemporaryError:
            continue  # as the runner does, after a pause


def test_an_upload_has_as_much_time_as_its_size_takes_on_a_slow_line() -> None:
    assert seconds_for(10 * 2**20) > 10 * 2**20 / 20_000
    assert seconds_for(0) <= 60


async def test_after_two_cuts_something_smaller_goes_and_at_last_the_link(video: Path) -> None:
    place, uploads = Place(), Uploads(cast(Any, Videos()))
    place.troubles = [aiohttp.ClientOSError(), TimeoutError()] * 4
    sent = await until_it_is_there(uploads, an_upload(place), video)
    sizes = [SIZE, SIZE // 2, SIZE // 4, SIZE // 8]
    assert place.tried == [size for size in sizes for _ in range(CUTS)] + [0]
    assert sent.method is DeliveryMethod.LINKED


async def test_what_was_never_sent_was_not_cut(video: Path) -> None:
    place, uploads = Place(), Uploads(cast(Any, Videos()))
    place.troubles = [aiohttp.ConnectionTimeoutError()] * 5
    sent = await until_it_is_there(uploads, an_upload(place), video)
    assert place.tried == [SIZE] * 6
    assert sent.method is DeliveryMethod.ATTACHED


@pytest.mark.parametrize(("faults", "tried"), [(1, [SIZE, SIZE]), (2, [SIZE, SIZE, 0])])
async def test_a_message_at_fault_goes_plain_with_its_file_and_then_as_a_link(
    video: Path, faults: int, tried: list[int]
) -> None:
    place, uploads = Place(), Uploads(cast(Any, Videos()))
    place.troubles = [refused(400, 50035)] * faults
    await uploads.bring(an_upload(place), video)
    assert place.tried == tried
    assert place.plain == [False, *[True] * faults]


async def test_one_that_is_at_fault_in_every_form_is_given_up(video: Path) -> None:
    place, uploads = Place(), Uploads(cast(Any, Videos()))
    place.troubles = [refused(400, 50035)] * 3
    with pytest.raises(MalformedMessage):
        await uploads.bring(an_upload(place), video)
    assert len(place.tried) == 3
