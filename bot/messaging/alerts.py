"""Telling the application's owner what only an operator can mend."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

import discord

from bot.errors import KinoraError
from bot.messaging.errors import discord_errors
from bot.ui.i18n import texts
from bot.ui.sentences import ALERTS

log = logging.getLogger(__name__)

AGAIN_SECONDS = 600.0
"""How long, in seconds, this process lets an alert be before it looks whether the owner has it."""
SECONDS = 60.0
"""How long, in seconds, an alert may take."""


class Memory(Protocol):
    """What all processes remember; `bot.store.coordination` is the real one."""

    async def claim(self, key: str, text: str) -> bool:
        """Remember something; return whether it is new."""

    async def remember(self, key: str, text: str) -> None:
        """Remember something for every process."""


class OwnerAlerts:
    """The jobs' `Operator`: one direct message to the owner for each kind, model and day (UTC)."""

    def __init__(self, client: discord.Client, memory: Memory) -> None:
        self._client = client
        self._memory = memory
        self._begun: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def alert(self, kind: str, model: str = "") -> None:
        """Have the owner told, soon; never raises."""
        what = f"{kind} {model}".strip()
        if time.monotonic() - self._begun.get(what, float("-inf")) < AGAIN_SECONDS:
            return
        self._begun[what] = time.monotonic()
        task = asyncio.create_task(self._alert(kind, model, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop telling."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _alert(self, kind: str, model: str, what: str) -> None:
        key, today = f"alert {what}", datetime.now(UTC).date().isoformat()
        claimed = False
        try:
            async with asyncio.timeout(SECONDS):
                claimed = await self._memory.claim(key, today)
                if claimed:
                    said = texts("").text(ALERTS[kind], model=model)
                    # Discord takes 25 characters, and two alerts with one nonce for one message.
                    nonce = hashlib.sha256(f"{what} {today}".encode()).hexdigest()[:25]
                    await self._send(said, nonce)
                    log.info("the application's owner was told: %s", what)
        except (KinoraError, TimeoutError) as error:
            log.warning("the application's owner could not be told: %s (%s)", what, error or "no answer")
        except Exception:
            log.exception("the application's owner could not be told: %s", what)
        else:
            return
        if claimed:  # so that somebody tries again
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    await self._memory.remember(key, "")

    async def _send(self, said: str, nonce: str) -> None:
        with discord_errors():
            application = await self._client.application_info()
            owner_id = application.team.owner_id if application.team else application.owner.id
            channel = await self._client.http.start_private_message(owner_id or 0)
            target = self._client.get_partial_messageable(int(channel["id"]))
            await target.send(said, nonce=nonce, allowed_mentions=discord.AllowedMentions.none())
