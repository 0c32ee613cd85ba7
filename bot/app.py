"""The composition root: builds the parts, joins them, and keeps them going until they are stopped."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import signal
from contextlib import AsyncExitStack, suppress
from enum import StrEnum
from pathlib import Path

from bot import hardening
from bot.client import Kinora, client_for
from bot.engines.local import LocalEngine
from bot.engines.postgres import PostgresEngine, make_queue
from bot.errors import AnswerLost, StartupError
from bot.files.download import Downloader
from bot.files.images import Images
from bot.files.videos import Videos
from bot.health import HEALTH_FILE, HEALTH_SECONDS, HealthFile
from bot.jobs.admission import Admission
from bot.jobs.encodings import Encodings
from bot.jobs.fencing import Fence
from bot.jobs.interactions import Interactions
from bot.jobs.model_watch import ModelWatch
from bot.jobs.notifier import Engine
from bot.jobs.offer import Offer
from bot.jobs.redelivery import Redelivery
from bot.jobs.runner import JobRunner, RunnerConfig
from bot.jobs.service import JobService
from bot.jobs.submission import REMEDIES, Submission
from bot.media.pool import MediaPool
from bot.messaging.alerts import OwnerAlerts
from bot.messaging.gate import BanGate
from bot.messaging.lost import LostCommands
from bot.messaging.publisher import Publisher
from bot.novita.client import NovitaClient
from bot.novita.codec import Kind, Problem
from bot.novita.models import UNITS_PER_DOLLAR, catalogue
from bot.settings import Settings
from bot.store.coordination import Coordination
from bot.store.database import Database
from bot.store.erasure import Erasure
from bot.store.interactions import InteractionStore
from bot.store.jobs import JobStore
from bot.store.queue import QueueStore
from bot.store.sqlite_import import import_sqlite

__all__ = ["Role", "import_sqlite", "migrate", "run"]

log = logging.getLogger(__name__)

NO_KEY = frozenset({"MISSING_API_KEY", "INVALID_API_KEY", "FAILED_TO_AUTH"})
"""Novita's names for a key that is none; a 403 otherwise speaks of the balance page, or is an edge's."""


class Role(StrEnum):
    """What one process does: on PostgreSQL, there may be many of each."""

    ALL = "all"  # hears commands, and runs jobs
    GATEWAY = "gateway"  # hears commands; jobs are run elsewhere
    WORKER = "worker"  # runs jobs, over REST alone


async def migrate(settings: Settings) -> None:
    """Bring the database's tables up to date, and no more; raises `DatabaseError`."""
    database = Database(settings.database_url)
    await database.open()
    if settings.database_is_shared:
        await make_queue(settings.database_url)
    await database.close()


async def run(settings: Settings, role: Role = Role.ALL) -> None:
    """Run the bot until SIGTERM or SIGINT; raises `StartupError` when it cannot start."""
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
        services: list[JobService] = []
        running = asyncio.create_task(_serve(settings, role, stack, services))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            log.info("stopping: open jobs are taken up again at the next start")
            if services:
                await services[0].quiesce()  # while still connected, so that newcomers are told
            running.cancel()
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _serve(settings: Settings, role: Role, stack: AsyncExitStack, services: list[JobService]) -> None:
    """Build everything, in the order in which a failure is cheapest, and stay connected.

    The job service is put into `services` once it has its parts.
    """
    models = Offer(catalogue(settings.prices), settings.models)
    database = Database(settings.database_url)
    stack.push_async_callback(database.close)
    await database.open()
    log.info("database: ready")
    store, coordination = JobStore(database), Coordination(database)
    folder = _work_folder(settings, stack)

    # A database of one's own needs no fence: nobody takes over what this process runs.
    fence = Fence(store.owns) if database.shared else None
    discord_trace = BanGate().trace(fence.trace() if fence else None)
    novita = NovitaClient(
        settings.novita_api_url,
        settings.novita_api_key,
        trace=fence.trace() if fence else None,
        secrets=settings.secrets,
    )
    stack.push_async_callback(novita.close)
    await _check_key(novita)

    bot = client_for(settings, coordination, hears_commands=role is not Role.WORKER, http_trace=discord_trace)
    stack.push_async_callback(bot.close)
    discord_files = Downloader(settings.discord_api_url, settings.discord_cdn_hosts)
    stack.push_async_callback(discord_files.close)
    novita_files = Downloader(settings.novita_api_url)
    stack.push_async_callback(novita_files.close)
    pool = MediaPool()
    stack.push_async_callback(pool.close)
    images = Images(folder, discord_files, pool)
    videos = Videos(folder, novita_files, pool)
    admission = Admission(QueueStore(database), settings.max_renders, settings.novita_rpm)
    stack.push_async_callback(admission.close)
    publisher = Publisher(bot, models, videos)
    stack.push_async_callback(publisher.close)
    alerts = OwnerAlerts(bot, coordination)
    stack.push_async_callback(alerts.close)
    watch = ModelWatch(
        models, novita, coordination, alerts, probe_round=settings.probe_round, shared=database.shared
    )
    await watch.look()
    config = RunnerConfig(models, settings.poll_seconds, settings.render_timeout)
    encodings = Encodings(coordination, settings.image_encodings)
    submission = Submission(store, novita, publisher, alerts, encodings)
    runner = JobRunner(store, novita, publisher, alerts, submission, images, videos, admission, config)
    engine = _engine(settings, role, database, store, runner)
    stack.push_async_callback(engine.stop)
    interactions = Interactions(InteractionStore(database))
    redelivery = Redelivery(publisher, novita, discord_files, videos)
    bot.jobs = JobService(store, engine, images, redelivery, models, interactions)
    services.append(bot.jobs)

    await bot.log_in()
    # Jobs need REST only: they go on before, and without, the gateway.
    log.info("jobs: %d %s", await engine.start(), "open" if role is Role.GATEWAY else "taken up again")
    background = [_keep_health_file(bot, database, HealthFile(settings.data_dir)), _watch(database)]
    background += [Erasure(database).run(), watch.watch()]
    if role is not Role.WORKER:  # whoever hears commands looks after those that were lost
        background.append(interactions.tell_lost(LostCommands(bot).tell, alone=not database.shared))
    for task in map(asyncio.create_task, background):
        stack.callback(task.cancel)
    if role is Role.WORKER:
        log.info("online: as a worker, without a gateway connection")
        await asyncio.Event().wait()
    await bot.stay_connected()


def _engine(settings: Settings, role: Role, database: Database, store: JobStore, runner: JobRunner) -> Engine:
    if database.shared:
        works = role is not Role.GATEWAY
        return PostgresEngine(database, store, runner, settings.database_url, works=works)
    return LocalEngine(store, runner)


async def _check_key(novita: NovitaClient) -> None:
    try:
        balance = await novita.balance()
    except AnswerLost as error:
        log.warning("key: not checked, Novita does not answer (%s); renders will wait for it", error)
        return
    match balance:
        case Problem(reason=reason) as problem if _refuses_key(problem):
            raise StartupError(f"NOVITA_API_KEY is refused by Novita ({reason}). {REMEDIES[Kind.KEY]}")
        case Problem(reason=reason, status=status):
            log.warning("key: not checked, Novita's balance page answered %s (HTTP %d)", reason, status)
        case units:
            log.info("key: fine, balance $%.2f", units / UNITS_PER_DOLLAR)


def _refuses_key(problem: Problem) -> bool:
    """Return whether Novita itself says that the key is none; what it may not see need not stop renders."""
    return problem.reason in NO_KEY or (problem.kind is Kind.KEY and problem.status == 401)


async def _keep_health_file(bot: Kinora, database: Database, file: HealthFile) -> None:
    """Touch a file while the bot is of use, for the container's health check."""
    if bot.hears_commands:
        await bot.wait_until_ready()
    while True:
        if (bot.connected or not bot.hears_commands) and database.in_place():
            file.touch()
        await asyncio.sleep(HEALTH_SECONDS)


async def _watch(database: Database) -> None:
    """Look after the database's file, also while nobody can order anything."""
    while True:
        database.in_place()
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
        hardening.narrow_data_folder(settings.data_dir, _own_names(settings))
    except OSError as error:
        raise StartupError(
            f"KINORA_DATA_DIR cannot be written ({error.strerror}): {settings.data_dir}"
        ) from None
    return folder


def _own_names(settings: Settings) -> tuple[str, ...]:
    """List how the names of Kinora's files in its data folder begin."""
    database = () if settings.database_is_shared else (Path(settings.database_url).name,)
    return (HEALTH_FILE, "passing", *database)
