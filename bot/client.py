"""The Discord client: connection, shards and command sync; what commands do is the cogs' business."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import pkgutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import discord
import yarl
from discord.ext import commands
from discord.utils import MISSING

from bot.domain.gateway import SHARDS, SessionStarts, closed_for_good, read_session_starts
from bot.domain.retry import backoff
from bot.errors import StartupError
from bot.jobs.service import JobService
from bot.messaging.commands import same_commands
from bot.settings import Settings
from bot.tree import KinoraTree

log = logging.getLogger(__name__)

IDENTIFY_SECONDS = 5.5
"""How far apart the IDENTIFYs of one bucket are: Discord's five seconds, and the way there."""

LEAST_SECONDS, LOOK_AGAIN_SECONDS = 30.0, 900.0
"""How soon, and how late, Discord is asked again for session starts while there are too few."""


def cogs_in(folder: Path) -> tuple[str, ...]:
    """List the extensions of a package by their files, so that a new command is one new file."""
    found = (module.name for module in pkgutil.iter_modules([str(folder)]))
    return tuple(f"{folder.name}.{name}" for name in sorted(found) if not name.startswith("_"))


COGS = cogs_in(Path(__file__).parents[1] / "cogs")


class Coordination(Protocol):
    """What the client agrees on with other processes; `bot.store.coordination` is the real one."""

    async def reserve(self, key: str, every: float) -> float:
        """Take the next of the moments that lie `every` seconds apart; return how far away it is."""

    async def recall(self, key: str) -> str:
        """Return what was remembered under a key."""

    async def remember(self, key: str, text: str) -> None:
        """Remember something for every process."""

    async def alone(self, name: str, work: Callable[[], Awaitable[None]], *, wait: bool = True) -> None:
        """Do what only one process may do at a time."""


class Kinora(commands.Bot):
    """The connection to Discord; `jobs` is what cogs, buttons and forms act through."""

    jobs: JobService
    tree: KinoraTree

    def __init__(
        self, settings: Settings, coordination: Coordination, *, hears_commands: bool = True, **options: Any
    ) -> None:
        # Kinora has no voice, so discord.py need not warn that its voice libraries are missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,
            tree_cls=KinoraTree,
            help_command=None,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            guild_ready_timeout=0.2,  # nothing here waits for every server's details
            **options,
        )
        self.hears_commands = hears_commands
        self._settings = settings
        self._coordination = coordination

    # --- connecting -----------------------------------------------------------------------------------------

    async def log_in(self) -> None:
        """Log in over REST, however long Discord is away; raises `StartupError` when the token is refused."""
        attempt = 0
        while True:
            try:
                if self._settings.discord_is_stand_in:
                    await _point_at(self._settings.discord_api_url)
                await self.login(self._settings.discord_token)
            except discord.LoginFailure:
                raise StartupError(
                    "DISCORD_TOKEN is refused by Discord: copy it again from the developer portal, page Bot, "
                    "“Reset Token”."
                ) from None
            except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
                attempt += 1
                delay = backoff(attempt)
                log.warning(
                    "token: not checked, Discord does not answer (%s); again in %.0f s", short(error), delay
                )
                await self.http.close()
                self.http.connector = MISSING  # a closed one would be used again
                await asyncio.sleep(delay)
            else:
                log.info("token: fine, this is %s", self.user)
                return

    async def stay_connected(self) -> None:
        """Hold the gateway connection, and get it back, for as long as the bot runs.

        Raises `StartupError` when Discord closes it for good.
        """
        attempt = 0
        while True:
            await self._wait_for_session_starts()
            try:
                await self.connect()
                return
            except (discord.ConnectionClosed, discord.PrivilegedIntentsRequired) as error:
                code = error.code if isinstance(error, discord.ConnectionClosed) else 4014
                raise StartupError(await self._closed_for_good(code)) from None
            except AttributeError:
                # discord.py 2.7.1 reads its connection to reconnect even when the very first one was never
                # made.
                if isinstance(self, ShardedKinora) or getattr(self, "ws", None) is not None:
                    raise
            attempt += 1
            delay = backoff(attempt)
            log.warning(
                "gateway: Discord does not answer; again in %.0f s. Open jobs go on meanwhile.", delay
            )
            await asyncio.sleep(delay)

    async def _wait_for_session_starts(self) -> None:
        """Wait while the day's last session starts are left: Discord resets the token of who spends them.

        A process that is restarted over and over connects each time; here is where that ends.
        """
        loud, shards = True, self._settings.shards
        while (starts := await self._session_starts()) is not None:
            if starts.total:
                log.info(
                    "gateway: %d of %d session starts left, all of them again in %.1f hours",
                    starts.remaining,
                    starts.total,
                    starts.reset_after / 3600,
                )
            if starts.allow(len(shards.ids)):
                return
            log.log(
                logging.ERROR if loud else logging.INFO,
                "gateway: not connected: the last session starts are kept for shards that must come back; "
                "new ones come in %.1f hours. Find out what restarts Kinora over and over. Open jobs go "
                "on meanwhile, commands cannot come in.",
                starts.reset_after / 3600,
            )
            loud = False
            await asyncio.sleep(min(max(starts.reset_after, LEAST_SECONDS), LOOK_AGAIN_SECONDS))

    async def _session_starts(self) -> SessionStarts | None:
        """Ask Discord how many sessions may be begun; None: it does not say just now."""
        try:
            return read_session_starts(await self.http.request(discord.http.Route("GET", "/gateway/bot")))
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            log.warning("gateway: session starts not checked (%s)", short(error))
            return None

    async def _closed_for_good(self, code: int) -> str:
        """Return the operator's sentence, with Discord's number of shards as it is now."""
        shards = self._settings.shards
        recommended = 0
        if code in SHARDS:
            await self.http.close()  # discord.py has, unless the intents were refused
            self.http.connector = MISSING
            try:
                await self.http.static_login(self._settings.discord_token)
                starts = await self._session_starts()
                recommended = starts.shards if starts else 0
            except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("gateway: Discord's number of shards is not known (%s)", short(error))
            finally:
                await self.http.close()
        return closed_for_good(code, str(shards), recommended)

    @property
    def connected(self) -> bool:
        """Return whether the gateway is up."""
        ws: discord.gateway.DiscordWebSocket | None = self.ws
        return ws is not None and ws.open

    async def on_ready(self) -> None:
        """Log that people can use it now (again after each new gateway session)."""
        count = len(self.guilds)
        log.info("online: in %d server%s", count, "" if count == 1 else "s")

    async def on_resumed(self) -> None:
        """Log that a lost gateway connection is back, with nothing missed."""
        log.info("online: back")

    # --- commands -------------------------------------------------------------------------------------------

    async def setup_hook(self) -> None:
        """Load the cogs and tell Discord which commands there are."""
        if not self.hears_commands:
            return
        for cog in COGS:
            await self.load_extension(cog)
        try:
            await self._coordination.alone("commands", self._sync_commands)
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            # The commands of the last start still stand at Discord, so the bot is of use all the same.
            log.error(
                "commands: not synced (%s); they stay as they were. Restart to try again.", short(error)
            )

    async def _sync_commands(self) -> None:
        """Tell Discord, unless it has these very commands: from an earlier start, or another process."""
        ours = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        names = ", ".join(f"/{command['name']}" for command in ours)
        key = f"commands of {self.application_id}"
        digest = hashlib.sha256(json.dumps(ours, sort_keys=True).encode()).hexdigest()
        told_before = await self._coordination.recall(key) == digest
        if told_before and same_commands(await self._known_commands(), ours):
            log.info("commands: unchanged: %s", names)
            return
        await self.tree.sync()
        await self._coordination.remember(key, digest)
        log.info("commands: synced: %s", names)

    async def _known_commands(self) -> object:
        """Return what Discord has, as it says it: discord.py's own way leaves the translations out."""
        path = "/applications/{application_id}/commands"
        route = discord.http.Route("GET", path, application_id=self.application_id)
        return await self.http.request(route, params={"with_localizations": "true"})


class ShardedKinora(Kinora, commands.AutoShardedBot):
    """The same over several gateway connections, some of all the bot's shards."""

    _concurrency = 0

    @property
    def connected(self) -> bool:
        """Return whether every shard of this process is up."""
        return bool(self.shards) and not any(shard.is_closed() for shard in self.shards.values())

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for this shard's moment to IDENTIFY, which all processes of the bot share.

        Discord lets one shard of each bucket (`shard_id % max_concurrency`) in every five seconds.
        """
        if not self._concurrency:
            with suppress(discord.HTTPException, discord.GatewayNotFound, aiohttp.ClientError, OSError):
                self._concurrency = (await self.fetch_session_start_limits()).max_concurrency
        bucket = (shard_id or 0) % max(1, self._concurrency)
        await asyncio.sleep(await self._coordination.reserve(f"identify {bucket}", IDENTIFY_SECONDS))


def client_for(settings: Settings, coordination: Coordination, **options: Any) -> Kinora:
    """Return the client for the shards that this process was given."""
    shards = settings.shards
    if shards.count == 1:
        return Kinora(settings, coordination, **options)
    return ShardedKinora(settings, coordination, shard_ids=shards.ids, shard_count=shards.count, **options)


async def _point_at(api_url: str) -> None:
    """Point discord.py at a stand-in or a REST proxy; the gateway's address comes from its `GET /gateway`."""
    discord.http.Route.BASE = api_url
    async with aiohttp.ClientSession() as session, session.get(f"{api_url}/gateway") as response:
        response.raise_for_status()
        gateway = yarl.URL((await response.json(content_type=None))["url"])
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway


def short(error: BaseException) -> str:
    """Return an error's name without the addresses that its text may hold."""
    if isinstance(error, discord.HTTPException):
        return f"HTTP {error.status}, code {error.code}"
    return type(error).__name__
