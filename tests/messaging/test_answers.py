"""The table of Discord's answers: a bad day is waited for, a refusal of a place is final and names why."""

from __future__ import annotations

import aiohttp
import pytest

from bot.errors import PermanentError, TemporaryError
from bot.messaging.errors import discord_errors, too_large
from tests.support.discord_wire import refused


@pytest.mark.parametrize(
    "error",
    [
        refused(500, 0),
        refused(502, 0),
        refused(503, 0),
        refused(429, 0),
        refused(401, 0),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=repr,
)
def test_a_bad_day_is_temporary(error: Exception) -> None:
    with pytest.raises(TemporaryError), discord_errors():
        raise error


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (404, 10003, "gone"),
        (404, 10008, "gone"),
        (400, 50083, "locked"),
        (403, 50013, "forbidden"),
        (403, 50001, "forbidden"),
    ],
)
def test_a_place_that_refuses_is_refused_for_good_and_says_why(status: int, code: int, reason: str) -> None:
    with pytest.raises(PermanentError) as caught, discord_errors():
        raise refused(status, code)
    assert caught.value.fallback_reason == reason


@pytest.mark.parametrize(
    ("status", "code", "large"), [(413, 0, True), (413, 40005, True), (400, 40005, True), (400, 50035, False)]
)
def test_too_large_by_status_or_by_code(status: int, code: int, large: bool) -> None:
    assert too_large(refused(status, code)) is large
