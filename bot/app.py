"""Wiring: builds the parts, joins them, and keeps them going until they are stopped."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from enum import StrEnum
from pathlib import Path

import aiohttp
import discord
import yarl
from discord.utils import MISSING

from bot.client import Kinora, ShardedKinora, short
from bot.domain.polling import backoff
from bot.engines.postgres import Engine, LocalEngine, PostgresEngine, make_queue
from bot.files.download import Fetcher
from bot.files.images import Stills
from bot.files.videos import Films
from bot.jobs.admission import Turns
from bot.jobs.fencing import Fence
from bot.jobs.redelivery import Shelf
from bot.jobs.runner import Road
from bot.jobs.submission import REMEDIES, Payments
from bot.media.pool import Workshop
from bot.messaging.publisher import Delivery
from bot.novita.client import AnswerLost, NovitaClient
from bot.novita.codec import Kind, Problem
from bot.novita.models import Model, catalogue
from bot.settings import Settings
from bot.store.jobs import Ledger
from bot.ui import status as cards

log = logging.getLogger(__name__)

HEALTH_FILE = "alive"
HEALTH_SECONDS = 20.0


class Role(StrEnum):
    """What one process does: on PostgreSQL, there may be many of each."""

    ALL = "all"  # hears commands, and drives jobs
    GATEWAY = "gateway"  # hears commands; jobs are driven elsewhere
    WORKER = "worker"  # drives jobs, over REST alone


class StartupError(Exception):
    """The bot cannot start; the message is a sentence for the operator."""


async def migrate(settings: Settings) -> None:
    """Bring the database's tables up to date, and no more; raises `LedgerError`."""
    ledger = Ledger(settings.database_url)
    await ledger.open()
    if settings.database_is_shared:
        await make_queue(settings.database_url)
    await ledger.close()


async def run(settings: Settings, role: Role = Role.ALL) -> None:
    """Run the bot until SIGTERM or SIGINT; raises `StartupError` or `LedgerError` when it cannot start."""
    if role is not Role.ALL and not settings.database_is_shared:
        raise StartupError(
            f"`python -m bot {role}` shares its work with other processes. That needs PostgreSQL: set "
            "DATABASE_URL."
        )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with AsyncExitStack() as stack:
        bots: list[Kinora] = []
        running = asyncio.create_task(_serve(settings, role, stack, bots))
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


async def _serve(settings: Settings, role: Role, stack: AsyncExitStack, bots: list[Kinora]) -> None:
    """Build everything, in the order in which a failure is cheapest, and stay connected.

    The bot is put into `bots` once it has its parts.
    """
    models = catalogue(settings.prices)
    ledger = Ledger(settings.database_url)
    await ledger.open()
    stack.push_async_callback(ledger.close)
    log.info("database: ready")
    folder = _work_folder(settings, stack)

    # A database of one's own needs no fence: nobody takes over what this process drives.
    trace = Fence(ledger.owns).trace() if ledger.shared else None
    novita = NovitaClient(settings.novita_api_url, settings.novita_api_key, trace=trace)
    stack.push_async_callback(novita.close)
    await _check_key(novita)

    bot = _client(settings, models, trace)
    bot.hears_commands = role is not Role.WORKER
    stack.push_async_callback(bot.close)
    pictures = Fetcher(settings.discord_api_url, settings.discord_cdn_hosts)
    stack.push_async_callback(pictures.close)
    videos = Fetcher(settings.novita_api_url)
    stack.push_async_callback(videos.close)
    workshop = Workshop()
    stack.push_async_callback(workshop.close)
    stills = Stills(folder, pictures, workshop)
    films = Films(folder, videos, workshop)
    turns = Turns(ledger, settings.max_renders, settings.novita_rpm)
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
    engine = _engine(settings, role, ledger, road)
    stack.push_async_callback(engine.stop)
    bot.connect_parts(stills, Shelf(delivery, novita, pictures, films), ledger, engine)
    bots.append(bot)

    await _log_in(bot, settings)
    # Jobs need REST only: they go on before, and without, the gateway.
    log.info("jobs: %d %s", await engine.start(), "open" if role is Role.GATEWAY else "taken up again")
    alive = asyncio.create_task(_keep_alive_file(bot, settings.data_dir / HEALTH_FILE))
    stack.callback(alive.cancel)
    if role is Role.WORKER:
        log.info("online: as a worker, without a gateway connection")
        await asyncio.Event().wait()
    try:
        await _stay_connected(bot)
    except discord.ConnectionClosed as error:
        raise StartupError(
            f"Discord closed the connection for good (code {error.code}): check DISCORD_TOKEN."
        ) from None


def _client(settings: Settings, models: Mapping[str, Model], trace: aiohttp.TraceConfig | None) -> Kinora:
    shards = settings.shards
    if shards.count == 1:
        return Kinora(settings, models, http_trace=trace)
    return ShardedKinora(settings, models, http_trace=trace, shard_ids=shards.ids, shard_count=shards.count)


def _engine(settings: Settings, role: Role, ledger: Ledger, road: Road) -> Engine:
    if settings.database_is_shared:
        return PostgresEngine(ledger, road, settings.database_url, works=role is not Role.GATEWAY)
    return LocalEngine(ledger, road)


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
                "token: not checked, Discord does not answer (%s); again in %.0f s", short(error), delay
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
            if isinstance(bot, ShardedKinora) or getattr(bot, "ws", None) is not None:
                raise
        attempt += 1
        delay = backoff(attempt)
        log.warning("gateway: Discord does not answer; again in %.0f s. Open jobs go on meanwhile.", delay)
        await asyncio.sleep(delay)


async def _keep_alive_file(bot: Kinora, file: Path) -> None:
    """Touch a file while the bot is of use, for the container's health check."""
    if bot.hears_commands:
        await bot.wait_until_ready()
    while True:
        if bot.connected or not bot.hears_commands:
            file.write_text(f"{time.time():.0f}\n")
        await asyncio.sleep(HEALTH_SECONDS)


def _work_folder(settings: Settings, stack: AsyncExitStack) -> Path:
    """Make an empty folder for this process's files on their way.

    What a crash left is of no use, so the folders of processes that are gone are removed; a lock tells.
    """
    passing = settings.data_dir / "passing"
    folder = passing / f"{os.getpid()}-{secrets.token_hex(4)}"
    try:
        passing.mkdir(parents=True, exist_ok=True)
        for left in passing.iterdir():
            with suppress(OSError), left.with_suffix(".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
                left.unlink(missing_ok=True)
        lock = stack.enter_context(folder.with_suffix(".lock").open("ab"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir()
    except OSError as error:
        raise StartupError(
            f"KINORA_DATA_DIR cannot be written ({error.strerror}): {settings.data_dir}"
        ) from None
    return folder
