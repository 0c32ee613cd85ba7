"""What the composition root decides by itself: which answer stops a start, and when the bot is of use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot import app
from bot.__main__ import ROLES
from bot.errors import StartupError
from bot.health import HealthFile
from bot.novita.codec import read_balance


async def check(status: int, body: str) -> None:
    async def balance() -> Any:
        return read_balance(status, body)

    await app._check_key(cast(Any, SimpleNamespace(balance=balance)))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, '{"message": "no"}'),
        (401, '{"reason": "SOMETHING_NEW"}'),
        (403, '{"reason": "INVALID_API_KEY"}'),
        (403, '{"reason": "MISSING_API_KEY"}'),
        (400, '{"reason": "FAILED_TO_AUTH"}'),
    ],
)
async def test_a_key_that_is_none_stops_the_start(status: int, body: str) -> None:
    with pytest.raises(StartupError, match="NOVITA_API_KEY is refused"):
        await check(status, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, '{"reason": "ACCESS_DENY"}'),
        (403, '{"reason": "API_NOT_ALLOWED"}'),
        (403, '{"message": "no"}'),
        (403, "<html>Forbidden</html>"),
        (401, "<html>Unauthorized</html>"),
        (503, ""),
        (200, "<html>"),
    ],
)
async def test_whatever_else_the_balance_page_says_is_a_warning(
    status: int, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    await check(status, body)
    (said,) = caplog.records
    assert (said.levelname, "not checked" in said.message) == ("WARNING", True)


@pytest.mark.parametrize(
    ("connected", "in_place", "of_use"), [(True, True, True), (False, True, False), (True, False, False)]
)
async def test_the_bot_is_of_use_while_it_is_connected_and_knows_what_is_paid(
    tmp_path: Path, connected: bool, in_place: bool, of_use: bool
) -> None:
    async def ready() -> None:
        pass

    bot = SimpleNamespace(hears_commands=True, connected=connected, wait_until_ready=ready)
    database = SimpleNamespace(in_place=lambda: in_place)
    file = HealthFile(tmp_path)
    keeping = asyncio.create_task(app._keep_health_file(cast(Any, bot), cast(Any, database), file))
    await asyncio.sleep(0)  # up to its first rest
    assert file.is_fresh() is of_use
    keeping.cancel()


async def test_the_file_is_looked_after_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "HEALTH_SECONDS", 0.0)
    looks, thrice = 0, asyncio.Event()

    def in_place() -> bool:
        nonlocal looks
        looks += 1
        if looks == 3:
            thrice.set()
        return True

    watching = asyncio.create_task(app._watch(cast(Any, SimpleNamespace(in_place=in_place))))
    await thrice.wait()
    watching.cancel()


def test_the_command_line_knows_every_role() -> None:
    assert tuple(app.Role) == ROLES
