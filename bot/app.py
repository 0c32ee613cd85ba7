"""Wiring: builds the parts, joins them, loads the cogs. The one place that knows everyone."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import discord
import yarl
from discord.ext import commands
from discord.utils import MISSING

from bot import cards
from bot.delivery import Delivery
from bot.fetch import Fetcher
from bot.films import Films
from bot.jobs.drive import Road
from bot.jobs.engine import LocalEngine
from bot.jobs.job import Job, Superseded, rendered_again
from bot.jobs.ledger import Ledger
from bot.jobs.pacing import Turns, backoff
from bot.jobs.payment import REMEDIES, Payments
from bot.media.workshop import Workshop
from bot.novita.client import AnswerLost, NovitaClient
from bot.novita.codec import Kind, Problem
from bot.novita.models import Model, catalogue
from bot.settings import Settings
from bot.shelf import Shelf
from bot.stills import Stills

log = logging.getLogger(__name__)

COGS = ("cogs.refusals", "cogs.animate", "cogs.decisions", "cogs.show")
HEALTH_FILE = "alive"
HEALTH_SECONDS = 20.0
STOP_SECONDS = 9.0


class StartupError(Exception):
    """The bot cannot start; the message is a sentence for the operator."""


class Kinora(commands.Bot):
    """The Discord client, with what the cogs need: the models, the stills, and a way to accept a job."""

    def __init__(self, settings: Settings, models: Mapping[str, Model]) -> None:
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
        )
        self.settings = settings
        self.models = models
        self.stills: Stills
        self.shelf: Shelf
        self.stopping = False
        self._under_way = 0
        self._all_accepted = asyncio.Event()
        self._ledger: Ledger
        self._engine: LocalEngine

    def connect_parts(self, stills: Stills, shelf: Shelf, ledger: Ledger, engine: LocalEngine) -> None:
        """Hand over the parts that need this client themselves to be built."""
        self.stills, self.shelf, self._ledger, self._engine = stills, shelf, ledger, engine

    async def accept(self, job: Job) -> None:
        """Write a job down and set it going; once this returns, no crash loses it."""
        await self._ledger.accept(job)
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

    async def setup_hook(self) -> None:
        """Load the cogs and tell Discord which commands there are."""
        for cog in COGS:
            await self.load_extension(cog)
        try:
            synced = await self.tree.sync()
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            # The commands of the last start still stand at Discord, so the bot is of use all the same.
            log.error(
                "commands: not synced (%s); they stay as they were. Restart to try again.", _short(error)
            )
        else:
            log.info("commands: synced: %s", ", ".join(f"/{command.name}" for command in synced))


async def run(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT; raises `StartupError` or `LedgerError` when it cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with AsyncExitStack() as stack:
        bots: list[Kinora] = []
        running = asyncio.create_task(_serve(settings, stack, bots))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            log.info("stopping: open jobs are taken up again at the next start")
            if bots:
                await bots[0].quiesce()  # while still connected, so that newcomers are told
            running.cancel()
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _serve(settings: Settings, stack: AsyncExitStack, bots: list[Kinora]) -> None:
    """Build everything, in the order in which a failure is cheapest, and stay connected.

    The bot is put into `bots` once it has its parts.
    """
    models = catalogue(settings.prices)
    ledger = Ledger(settings.database_url)
    await ledger.open()
    stack.push_async_callback(ledger.close)
    log.info("database: ready")
    folder = _work_folder(settings)  # not before the ledger's lock is ours: another bot may be using it

    novita = NovitaClient(settings.novita_api_url, settings.novita_api_key)
    stack.push_async_callback(novita.close)
    await _check_key(novita)

    bot = Kinora(settings, models)
    stack.push_async_callback(bot.close)
    pictures = Fetcher(settings.discord_api_url, settings.discord_cdn_hosts)
    stack.push_async_callback(pictures.close)
    videos = Fetcher(settings.novita_api_url)
    stack.push_async_callback(videos.close)
    workshop = Workshop()
    stack.push_async_callback(workshop.close)
    stills = Stills(folder, pictures, workshop)
    films = Films(folder, videos, workshop)
    turns = Turns(settings.max_renders)
    stack.push_async_callback(turns.close)
    delivery = Delivery(bot, models, films)
    stack.push_async_callback(delivery.close)
    road = Road(
        ledger,
        Payments(ledger, novita),
        novita,
        delivery,
        stills,
        films,
        turns,
        models,
        poll_seconds=settings.poll_seconds,
        render_timeout=settings.render_timeout,
    )
    engine = LocalEngine(ledger, road)
    stack.push_async_callback(engine.stop)
    bot.connect_parts(stills, Shelf(delivery, novita, pictures, films), ledger, engine)
    bots.append(bot)

    await _log_in(bot, settings)
    # Jobs need REST only: they go on before, and without, the gateway.
    log.info("jobs: %d taken up again", await engine.start())
    alive = asyncio.create_task(_keep_alive_file(bot, settings.data_dir / HEALTH_FILE))
    stack.callback(alive.cancel)
    try:
        await _stay_connected(bot)
    except discord.ConnectionClosed as error:
        raise StartupError(
            f"Discord closed the connection for good (code {error.code}): check DISCORD_TOKEN."
        ) from None


async def _check_key(novita: NovitaClient) -> None:
    try:
        balance = await novita.balance()
    except AnswerLost as error:
        log.warning("key: not checked, Novita does not answer (%s); renders will wait for it", error)
        return
    match balance:
        case Problem(kind=Kind.KEY, reason=reason):
            raise StartupError(f"NOVITA_API_KEY is refused by Novita ({reason}). {REMEDIES[Kind.KEY]}")
        case Problem(reason=reason):
            log.warning("key: not checked, Novita's balance page answered %s", reason)
        case units:
            log.info("key: fine, balance %s", cards.dollars(units))


async def _log_in(bot: Kinora, settings: Settings) -> None:
    """Log in over REST, however long Discord is away; raises `StartupError` when the token is refused."""
    attempt = 0
    while True:
        try:
            if settings.discord_is_stand_in:
                await _point_at(settings.discord_api_url)
            await bot.login(settings.discord_token)
        except discord.LoginFailure:
            raise StartupError(
                "DISCORD_TOKEN is refused by Discord: copy it again from the developer portal, page Bot, "
                "“Reset Token”."
            ) from None
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            attempt += 1
            delay = backoff(attempt)
            log.warning(
                "token: not checked, Discord does not answer (%s); again in %.0f s", _short(error), delay
            )
            await bot.http.close()
            bot.http.connector = MISSING  # a closed one would be used again
            await asyncio.sleep(delay)
        else:
            log.info("token: fine, this is %s", bot.user)
            return


async def _point_at(api_url: str) -> None:
    """Point discord.py at a stand-in or a REST proxy; the gateway's address comes from its `GET /gateway`."""
    discord.http.Route.BASE = api_url
    async with aiohttp.ClientSession() as session, session.get(f"{api_url}/gateway") as response:
        response.raise_for_status()
        gateway = yarl.URL((await response.json(content_type=None))["url"])
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway


async def _stay_connected(bot: Kinora) -> None:
    """Hold the gateway connection, and get it back, for as long as the bot runs."""
    attempt = 0
    while True:
        try:
            await bot.connect()
            return
        except AttributeError:
            # discord.py 2.7.1 reads its connection to reconnect even when the very first one was never made.
            if getattr(bot, "ws", None) is not None:
                raise
        attempt += 1
        delay = backoff(attempt)
        log.warning("gateway: Discord does not answer; again in %.0f s. Open jobs go on meanwhile.", delay)
        await asyncio.sleep(delay)


async def _keep_alive_file(bot: Kinora, file: Path) -> None:
    """Touch a file while the gateway is up, for the container's health check."""
    await bot.wait_until_ready()
    while True:
        if bot.ws is not None and bot.ws.open:
            file.write_text(f"{time.time():.0f}\n")
        await asyncio.sleep(HEALTH_SECONDS)


def _work_folder(settings: Settings) -> Path:
    """Make an empty folder for files on their way; what a crash left in it is of no use."""
    folder = settings.data_dir / "passing"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise StartupError(
            f"KINORA_DATA_DIR cannot be written ({error.strerror}): {settings.data_dir}"
        ) from None
    return folder


def _short(error: BaseException) -> str:
    """Name an error without the addresses that its text may hold."""
    if isinstance(error, discord.HTTPException):
        return f"HTTP {error.status}, code {error.code}"
    return type(error).__name__
