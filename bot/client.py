"""The Discord client, with what the cogs need: a way to accept a job, to find one, and to settle it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import discord
from discord.ext import commands

from bot.domain.job import Job, Superseded, rendered_again
from bot.domain.retry import DatabaseAway
from bot.engines.postgres import Engine
from bot.files.images import Stills
from bot.jobs.redelivery import Shelf
from bot.novita.models import Model
from bot.settings import Settings
from bot.store.jobs import Ledger

log = logging.getLogger(__name__)

COGS = ("bot.tree", "cogs.animate", "bot.ui.components", "cogs.show")
STOP_SECONDS = 9.0
IDENTIFY_SECONDS = 5.5
"""How far apart the IDENTIFYs of one bucket are: Discord's five seconds, and the way there."""


class Kinora(commands.Bot):
    """The Discord client, with what the cogs need: the models, the stills, and a way to accept a job."""

    def __init__(self, settings: Settings, models: Mapping[str, Model], **options: Any) -> None:
        # Kinora has no voice, so discord.py need not warn that its voice libraries are missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            guild_ready_timeout=0.2,  # nothing here waits for every server's details
            **options,
        )
        self.settings = settings
        self.models = models
        self.stills: Stills
        self.shelf: Shelf
        self.stopping = False
        self._under_way = 0
        self._all_accepted = asyncio.Event()
        self._ledger: Ledger
        self._engine: Engine
        self.hears_commands = True

    def connect_parts(self, stills: Stills, shelf: Shelf, ledger: Ledger, engine: Engine) -> None:
        """Hand over the parts that need this client themselves to be built."""
        self.stills, self.shelf, self._ledger, self._engine = stills, shelf, ledger, engine

    async def accept(self, job: Job) -> None:
        """Write a job down and set it going; once this returns, no crash loses it. Raises `DatabaseAway`."""
        try:
            await self._ledger.accept(job)
        except DatabaseAway:
            self.stills.drop(job.id)
            raise
        self._engine.put(job.id)

    @asynccontextmanager
    async def accepting(self) -> AsyncIterator[None]:
        """Let a stop wait for what happens within: a command acknowledged, and not yet written down."""
        self._under_way += 1
        self._all_accepted.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._all_accepted.set()

    async def quiesce(self) -> None:
        """Take nothing new, and let go of the open jobs where they stand, within nine seconds."""
        self.stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                if self._under_way:
                    await self._all_accepted.wait()
                await self._engine.stop()

    async def find_job(self, job_id: str) -> Job | None:
        """Read a job."""
        return await self._ledger.get(job_id)

    async def jobs_of(self, person_id: int) -> list[Job]:
        """List somebody's latest jobs, newest first."""
        return await self._ledger.jobs_of(person_id)

    async def decide(self, job: Job, *, again: bool) -> Job | None:
        """Settle an unconfirmed job as its asker said; gives the new job, if any. Raises `Superseded`."""
        new = rendered_again(job) if again else None
        await self._ledger.decide(job.id, new)
        self._engine.put(job.id)
        if new is not None:
            self._engine.put(new.id)
        return new

    async def look_again(self, job: Job, target_id: int) -> None:
        """Ask Novita once more for a job that ended without its video, and bring it here if it is there."""
        with suppress(Superseded):  # it was found a moment ago, and is on its way
            await self._ledger.look_again(job.id, target_id)
            self._engine.wake(job.id)

    async def on_ready(self) -> None:
        """Say that people can use it now (again after each new gateway session)."""
        count = len(self.guilds)
        log.info("online: in %d server%s", count, "" if count == 1 else "s")

    async def on_resumed(self) -> None:
        """Say that a lost gateway connection is back, with nothing missed."""
        log.info("online: back")

    @property
    def connected(self) -> bool:
        """Tell whether the gateway is up."""
        ws: discord.gateway.DiscordWebSocket | None = self.ws
        return ws is not None and ws.open

    async def setup_hook(self) -> None:
        """Load the cogs and tell Discord which commands there are."""
        if not self.hears_commands:
            return
        for cog in COGS:
            await self.load_extension(cog)
        try:
            await self._ledger.alone("commands", self._sync_commands)
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            # The commands of the last start still stand at Discord, so the bot is of use all the same.
            log.error(
                "commands: not synced (%s); they stay as they were. Restart to try again.", short(error)
            )

    async def _sync_commands(self) -> None:
        """Tell Discord, unless it has these very commands: from an earlier start, or another process."""
        commands = self.tree.get_commands()
        names = ", ".join(f"/{command.name}" for command in commands)
        key = f"commands of {self.application_id}"
        digest = hashlib.sha256(
            json.dumps([command.to_dict(self.tree) for command in commands], sort_keys=True).encode()
        ).hexdigest()
        if await self._ledger.recall(key) == digest:
            known = await self.tree.fetch_commands()
            if {command.name for command in known} == {command.name for command in commands}:
                log.info("commands: unchanged: %s", names)
                return
        await self.tree.sync()
        await self._ledger.remember(key, digest)
        log.info("commands: synced: %s", names)


class ShardedKinora(Kinora, commands.AutoShardedBot):
    """The same over several gateway connections, some of all the bot's shards."""

    _concurrency = 0

    @property
    def connected(self) -> bool:
        """Tell whether every shard of this process is up."""
        return bool(self.shards) and not any(shard.is_closed() for shard in self.shards.values())

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for this shard's moment to IDENTIFY, which all processes of the bot share.

        Discord lets one shard of each bucket (`shard_id % max_concurrency`) in every five seconds.
        """
        if not self._concurrency:
            with suppress(discord.HTTPException, discord.GatewayNotFound, aiohttp.ClientError, OSError):
                self._concurrency = (await self.fetch_session_start_limits()).max_concurrency
        bucket = (shard_id or 0) % max(1, self._concurrency)
        await asyncio.sleep(await self._ledger.reserve(f"identify {bucket}", IDENTIFY_SECONDS))


def short(error: BaseException) -> str:
    """Name an error without the addresses that its text may hold."""
    if isinstance(error, discord.HTTPException):
        return f"HTTP {error.status}, code {error.code}"
    return type(error).__name__
