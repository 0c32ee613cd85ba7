"""What an operator sees: at a start, at a mistake, and while the other side is away."""

from __future__ import annotations

import asyncio
import re

import pytest

from sandbox.client import Person, Sandbox
from tests.support.kinora import ON_POSTGRES, ON_SQLITE, ONLINE, Kinora, NewKinora
from tests.support.postgres import Postgres
from tests.support.steps import animate, assert_same_video, video_in


@pytest.fixture(scope="session")
def warm() -> None:
    """Nothing is forked here: what operators see is looked at as they start it."""


async def test_each_check_is_one_line(kinora: Kinora) -> None:
    said = [re.sub(r"^.*?: |(?<=synced: )/.*|\d+(?= of 1000)", "", line) for line in kinora.log]
    assert said == [
        "database: ready",
        "key: fine, balance $100.00",
        "commands: synced: ",
        "token: fine, this is kinora",
        "jobs: 0 taken up again",
        "gateway:  of 1000 session starts left, all of them again in 24.0 hours",
        "online: in 1 server",
    ]


async def test_a_clean_stop_exits_with_zero(kinora: Kinora) -> None:
    assert await kinora.stop() == 0
    assert kinora.log[-1].endswith("taken up again at the next start")


@ON_SQLITE
async def test_a_bad_configuration_exits_with_two_and_names_every_variable(new_kinora: NewKinora) -> None:
    wrong = {
        "DISCORD_TOKEN": "",
        "NOVITA_API_KEY": " ",
        "NOVITA_API_URL": "novita",
        "KINORA_MAX_RENDERS": "many",
        "KINORA_MODELS": "kling-9",
    }
    kinora = await new_kinora(**wrong).start(online=False)
    assert await kinora.wait() == 2
    for name in wrong:
        assert any(line.strip().startswith(name) for line in kinora.log)


@ON_SQLITE
@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("DISCORD_TOKEN", "MTIz.wrong.token", "DISCORD_TOKEN is refused by Discord"),
        ("NOVITA_API_KEY", "sk_wrong", "NOVITA_API_KEY is refused by Novita"),
    ],
)
async def test_a_refused_secret_exits_with_a_sentence(
    new_kinora: NewKinora, variable: str, value: str, says: str
) -> None:
    kinora = new_kinora(**{variable: value})
    await kinora.start(online=False)
    assert await kinora.wait() == 2
    assert says in kinora.log[-1]
    assert value not in kinora.text


@ON_SQLITE
async def test_a_folder_that_cannot_be_written_is_named(new_kinora: NewKinora) -> None:
    kinora = new_kinora(KINORA_DATA_DIR="/proc/kinora")
    await kinora.start(online=False)
    assert await kinora.wait() == 2
    assert "KINORA_DATA_DIR cannot be written" in kinora.log[-1]


async def test_discord_away_at_the_start_is_waited_for(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    await sandbox.faults.add("discord", "html", path="/gateway$", times=1)
    await sandbox.faults.add("discord", "error", path="/users/@me$", status=503, times=1)
    kinora = await new_kinora().start()
    assert sum("Discord does not answer" in line for line in kinora.log) == 2
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_novita_away_at_the_start_is_only_a_warning(sandbox: Sandbox, new_kinora: NewKinora) -> None:
    await sandbox.faults.add("novita", "html", path="/balance/", status=502, times=0)
    kinora = await new_kinora().start()
    assert "key: not checked" in kinora.text


async def test_commands_that_cannot_be_synced_leave_the_bot_running(
    sandbox: Sandbox, new_kinora: NewKinora
) -> None:
    await sandbox.faults.add("discord", "error", method="PUT", path="/commands$", status=503, times=0)
    kinora = await new_kinora().start()
    assert any("commands: not synced" in line and "ERROR" in line for line in kinora.log)


async def test_the_gateway_away_at_the_start_is_waited_for(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    await sandbox.discord.refuse_gateway(3600)
    kinora = await new_kinora().start(online=False)
    await kinora.wait_for_log("gateway: Discord does not answer")
    await sandbox.discord.refuse_gateway(0)
    await kinora.wait_for_log(ONLINE)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_the_gateway_may_come_and_go(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.discord.close_gateway(0)
    await kinora.wait_for_log("online: back")
    since = len(kinora.log)
    await sandbox.discord.invalidate(resumable=False)
    await kinora.wait_for_log("online: in", since)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


@ON_SQLITE
async def test_health_is_told_to_a_container(kinora: Kinora) -> None:
    async def health() -> int:
        return await (await kinora.aside().start("health", online=False)).wait()

    async with asyncio.timeout(20):
        while await health() != 0:
            pass
    await kinora.kill()
    (kinora.folder / "data/alive").unlink()
    assert await health() == 1


# --- databases and roles ------------------------------------------------------------------------------------


async def test_the_tables_can_be_made_apart(new_kinora: NewKinora) -> None:
    kinora = new_kinora(empty=True)
    for _ in range(2):
        assert await (await kinora.start("migrate", online=False)).wait() == 0
    assert kinora.log == ["The database is up to date."] * 2
    await kinora.start()
    assert kinora.rows() == []


@ON_SQLITE
@pytest.mark.parametrize("role", ["gateway", "worker"])
async def test_a_part_of_the_bot_needs_a_database_to_share(new_kinora: NewKinora, role: str) -> None:
    kinora = new_kinora()
    assert await (await kinora.start(role, online=False)).wait() == 2
    assert kinora.log == [
        f"Kinora cannot start: `python -m bot {role}` shares its work with other processes. "
        "That needs PostgreSQL: set DATABASE_URL."
    ]


async def assert_refused(kinora: Kinora, says: str) -> None:
    """Start a bot whose database cannot be used: one sentence that says why, and no password."""
    assert await (await kinora.start(online=False)).wait() == 2
    (line,) = kinora.log
    assert line.startswith("Kinora cannot start: the database cannot be used: ")
    assert says in line
    assert "hunter2" not in line


@ON_SQLITE
async def test_a_stop_ends_the_wait_for_a_database_server(
    new_kinora: NewKinora, unused_tcp_port: int
) -> None:
    url = f"postgresql://kinora:hunter2@127.0.0.1:{unused_tcp_port}/kinora"
    kinora = await new_kinora(DATABASE_URL=url).start(online=False)
    await kinora.wait_for_log("waiting for it")
    assert await kinora.stop() == 0
    (waits,) = [line for line in kinora.log if "waiting for it" in line]
    assert "Connection refused" in waits
    assert "hunter2" not in kinora.text


@ON_POSTGRES
async def test_a_database_that_does_not_exist(new_kinora: NewKinora, engine: Postgres) -> None:
    await assert_refused(new_kinora(DATABASE_URL=engine.url("nobody")), "does not exist")


@ON_POSTGRES
async def test_a_wrong_password(new_kinora: NewKinora, engine: Postgres) -> None:
    url = await engine.database_of("stranger", password="another")
    await assert_refused(new_kinora(DATABASE_URL=url.replace("another", "hunter2")), "authentication failed")
    assert await (await new_kinora(DATABASE_URL=url).start("migrate", online=False)).wait() == 0
