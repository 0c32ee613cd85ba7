from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from bot import client as client_module
from bot.client import Kinora, client_for
from bot.domain.gateway import RESERVE, SessionStarts, closed_for_good, read_session_starts
from bot.settings import Settings, Shards

ANSWER = {
    "url": "wss://gateway.discord.gg",
    "shards": 9,
    "session_start_limit": {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1},
}


def test_what_discord_says_of_session_starts() -> None:
    assert read_session_starts(ANSWER) == SessionStarts(9, 999, 1000, 14_400.0)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "<html>",
        {},
        {"session_start_limit": 7},
        {"session_start_limit": {"total": 1000, "remaining": "many", "reset_after": None}},
        {"session_start_limit": {"total": True, "remaining": -1}},
    ],
)
def test_an_answer_that_says_nothing_keeps_nobody_away(answer: object) -> None:
    starts = read_session_starts(answer)
    assert starts.allow(1000)
    assert starts.reset_after > 0


@pytest.mark.parametrize(("remaining", "shards", "allowed"), [(21, 1, True), (20, 1, False), (23, 4, False)])
def test_a_reserve_is_left_for_shards_that_must_come_back(remaining: int, shards: int, allowed: bool) -> None:
    assert RESERVE == 20
    assert SessionStarts(1, remaining, 1000, 60).allow(shards) is allowed


@pytest.mark.parametrize(
    ("code", "recommended", "says"),
    [
        (4010, 0, "KINORA_SHARDS=0-3/8 is refused"),
        (4011, 16, "KINORA_SHARDS=0-15/16."),
        (4011, 1, "KINORA_SHARDS=0/1."),
        (4013, 0, "invalid intents"),
        (4000, 0, "unknown error"),
        (4999, 0, "close code 4999, which Discord does not document"),
    ],
)
def test_close_codes_are_named_for_what_they_are(code: int, recommended: int, says: str) -> None:
    assert says in closed_for_good(code, "0-3/8", recommended)


@pytest.mark.parametrize("shards", [Shards(0, 0, 1), Shards(0, 3, 8)])
async def test_session_starts_are_waited_for_and_said_loudly_once(
    shards: Shards, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(client_module, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(client_module, "LOOK_AGAIN_SECONDS", 0.0)
    remaining, connected = [5, 5, RESERVE + 4], asyncio.Event()
    bot: Kinora = client_for(Settings("token", "key", shards=shards), None)  # type: ignore[arg-type]

    async def request(route: Any) -> dict[str, Any]:
        assert not connected.is_set()
        assert route.path == "/gateway/bot"
        limit = ANSWER["session_start_limit"]
        return ANSWER | {"session_start_limit": {**limit, "remaining": remaining.pop(0)}}  # type: ignore[dict-item]

    async def connect(**_: object) -> None:
        connected.set()

    monkeypatch.setattr(bot.http, "request", request)
    monkeypatch.setattr(bot, "connect", connect)
    await bot.stay_connected()
    assert connected.is_set()
    assert remaining == []
    assert [r.levelname for r in caplog.records if "not connected" in r.message] == ["ERROR", "INFO"]
