"""A file that commit 57c1406 left opens, is migrated, and says the same as before; migrations only add."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from bot.domain.job import Job
from bot.store.database import MIGRATIONS
from bot.store.tables import metadata
from tests.support import REPOSITORY
from tests.support.jobs import opened
from tests.support.postgres import Postgres
from tests.support.warm import Warm
from tests.test_wild import COLUMNS, STATES
from tests.upgrades.make_old_database import OLD_DATABASE

Json = dict[str, Any]

# Written out, and not read off the store's own mapping: where today's code has what a column says.
FIELDS: dict[str, Callable[[Job], object]] = {
    "id": lambda job: job.id,
    "state": lambda job: job.state.value,
    "run": lambda job: job.fencing_token,
    "created_at": lambda job: job.created_at,
    "asker_id": lambda job: job.requester.user_id,
    "guild_id": lambda job: job.destination.guild_id,
    "channel_id": lambda job: job.destination.channel_id,
    "wants_thread": lambda job: job.destination.wants_thread,
    "model": lambda job: job.request.model,
    "prompt": lambda job: job.request.prompt,
    "negative_prompt": lambda job: job.request.negative_prompt,
    "cfg_scale": lambda job: job.request.cfg_scale,
    "duration": lambda job: job.request.duration,
    "price": lambda job: job.request.price,
    "still_done": lambda job: " ".join([job.source.format, *job.source.changes]),
    "token": lambda job: job.requester.reply_token,
    "source_url": lambda job: job.source.url,
    "card_id": lambda job: job.destination.card_id,
    "target_id": lambda job: job.destination.target_id,
    "submitted_at": lambda job: job.task.submitted_at,
    "task_id": lambda job: job.task.task_id,
    "video_url": lambda job: job.task.video_url,
    "video_expires_at": lambda job: job.task.video_expires_at,
    "video_message_id": lambda job: job.outcome.video_message_id,
    "how": lambda job: str(job.outcome.delivery_method),
    "parent_id": lambda job: job.destination.parent_channel_id,
    "upload_limit": lambda job: job.destination.upload_limit,
    "detour": lambda job: job.destination.fallback_reason,
    "origin_channel_id": lambda job: job.source.channel_id,
    "origin_card_id": lambda job: job.source.message_id,
    "again_as": lambda job: job.outcome.again_as,
    "check_at": lambda job: job.outcome.check_at,
    "ended_at": lambda job: job.outcome.ended_at,
    "problem": lambda job: job.outcome.problem,
    "reason": lambda job: job.outcome.reason,
    "cost": lambda job: job.outcome.charge.value,
    "told": lambda job: job.outcome.notified,
    "queued_at": lambda job: job.admission.queued_at,
    "turn_at": lambda job: job.admission.turn_at,
    "turn_round": lambda job: job.admission.turn_round,
    "turn_lap": lambda job: job.admission.turn_lap,
}
NEW = {
    "batch_id": None,
    "ordinal": 0,
    "wallet_id": "operator",
    "locale": "",
    "guild_locale": "",
    "roles": "[]",
    "accepted_at": None,
    "options": "{}",
}


def rows(file: Path, query: str = "SELECT * FROM jobs ORDER BY id") -> list[Json]:
    """Read a file with nothing of Kinora's."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the file."""
    return Path(shutil.copy(OLD_DATABASE, tmp_path / "kinora.db"))


def test_the_file_holds_what_is_out_there() -> None:
    found = rows(OLD_DATABASE)
    assert set(found[0]) == set(COLUMNS.split()) == set(FIELDS)
    assert {row["state"] for row in found} == set(STATES.split())
    # Every column says something somewhere, and nothing that may be missing is there everywhere.
    assert {column for column in FIELDS if not any(row[column] for row in found)} == set()
    assert {row["how"] for row in found} == {"", "attached", "fitted", "linked"}
    assert {(row["state"], row["told"]) for row in found} >= {
        (state, told) for state in ("delivered", "unconfirmed", "failed", "cancelled") for told in (0, 1)
    }
    assert OLD_DATABASE.stat().st_size < 100_000
    assert rows(OLD_DATABASE, "SELECT * FROM alembic_version") == [{"version_num": "0002"}]


async def test_every_row_comes_back_as_it_was(old: Path) -> None:
    before = rows(old)
    async with opened(f"sqlite:///{old}") as store:
        for row in before:
            job = await store.get(row["id"])
            assert job is not None
            for column, said in FIELDS.items():
                assert said(job) == row[column], (row["id"], column)
            assert (job.wallet_id, job.batch_id, job.ordinal, job.options) == ("operator", None, 0, {})
            assert (job.accepted_at, job.requester.locale, job.requester.roles) == (None, "", ())
        still_open = {row["id"] for row in before if not row["told"] or row["check_at"] is not None}
        assert set(await store.open_jobs()) == still_open
    # Reading changed nothing, and the new columns have their defaults.
    assert rows(old) == [row | NEW for row in before]


async def test_cards_and_videos_are_publications_then(old: Path) -> None:
    before = rows(old)
    async with opened(f"sqlite:///{old}"):
        pass
    expected = {
        *((row["channel_id"], row["card_id"], "card", row["id"], row["created_at"]) for row in before),
        *((row["target_id"], row["video_message_id"], "video", row["id"], row["ended_at"]) for row in before),
    }
    columns = "channel_id, message_id, kind, job_id, posted_at, batch_id"
    found = rows(old, f"SELECT {columns} FROM publications")  # noqa: S608
    assert {tuple(row.values())[:5] for row in found} == {one for one in expected if one[1] is not None}
    assert len(found) == sum(one[1] is not None for one in expected)
    assert {row["batch_id"] for row in found} == {None}


async def test_a_task_that_two_rows_have_is_the_first_ones(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE jobs SET task_id = 'twice' WHERE state = 'delivered'")
    before = [row for row in rows(old) if row["task_id"]]
    twins = sorted(row["id"] for row in before if row["task_id"] == "twice")
    assert len(twins) > 1
    async with opened(f"sqlite:///{old}"):
        pass
    found = {row["task_id"]: row["job_id"] for row in rows(old, "SELECT * FROM tasks")}
    assert found.pop("twice") == twins[0]
    assert found == {row["task_id"]: row["id"] for row in before if row["task_id"] != "twice"}


async def test_a_second_opening_changes_nothing(old: Path) -> None:
    dumps = []
    for _ in range(2):
        async with opened(f"sqlite:///{old}"):
            pass
        with closing(sqlite3.connect(old)) as connection:
            dumps.append(list(connection.iterdump()))
    assert dumps[0] == dumps[1]
    assert not (old.parent / "kinora.db-wal").exists()


# --- migrations ---------------------------------------------------------------------------------------------


async def test_migrations_only_add(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/empty.db"
    if not database_url.startswith("sqlite:"):
        server: Postgres = request.getfixturevalue("postgres")
        url = (await server.database(empty=True)).replace("postgresql:", "postgresql+psycopg:", 1)
    engine = sa.create_engine(url)
    described = []
    with engine.begin() as connection:
        for revision in ("0002", "head"):
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS))
            command.upgrade(config, revision)
            described.append(_described(connection))
    engine.dispose()
    before, after = described
    for table, parts in before.items():
        for name, part in parts.items():
            assert after[table][name] == part, f"{table}: {name}"
    # An older version writes rows without the columns it does not know.
    for column in (part for name, part in after["jobs"].items() if name not in before["jobs"]):
        if column["kind"] == "column":
            assert column["nullable"] or column["default"] is not None, column
    # And what the migrations make is what the statements expect.
    for expected in metadata.sorted_tables:
        columns = {name for name, part in after[expected.name].items() if part["kind"] == "column"}
        assert {column.name for column in expected.columns} == columns
        assert {str(index.name) for index in expected.indexes} <= set(after[expected.name])


def _described(connection: sa.Connection) -> dict[str, dict[str, Json]]:
    """Describe every table: its columns, indexes and key, by their names."""
    inspector = sa.inspect(connection)
    tables: dict[str, dict[str, Json]] = {}
    for table in set(inspector.get_table_names()) - {"alembic_version"}:
        parts: dict[str, Json] = {"primary key": {"kind": "key", **inspector.get_pk_constraint(table)}}
        for column in inspector.get_columns(table):
            parts[column["name"]] = {**column, "type": repr(column["type"]), "kind": "column"}
        for index in inspector.get_indexes(table):
            parts[str(index["name"])] = {**index, "kind": "index"}
        tables[table] = parts
    return tables


# --- into PostgreSQL ----------------------------------------------------------------------------------------


@pytest.mark.postgres
async def test_it_is_imported_into_postgresql_under_both_names(
    old: Path, postgres: Postgres, warm: Warm, tmp_path: Path
) -> None:
    before = rows(old)
    url = await postgres.database(empty=True)
    code, said = await _run(warm, tmp_path, "import-sqlite", f"sqlite:///{old}", url)
    assert code == 0, said
    assert f"Moved {len(before)} jobs, each read back and compared." in said
    assert _in_postgresql(url) == before
    code, said = await _run(warm, tmp_path, "move", f"sqlite:///{old}", url)
    assert code == 0, said
    assert f"Moved {len(before)} jobs ({len(before)} of them had been moved before)" in said
    assert _in_postgresql(url) == before
    columns = "channel_id, message_id, kind, job_id, posted_at"
    query = f"SELECT {columns} FROM publications ORDER BY message_id"  # noqa: S608
    assert _read(url, query) == rows(old, query)
    await postgres.drop(url)


def _in_postgresql(url: str) -> list[Json]:
    found = _read(url, "SELECT * FROM jobs")
    return sorted(
        ({column: row[column] for column in COLUMNS.split()} for row in found), key=lambda row: str(row["id"])
    )


def _read(url: str, query: str) -> list[Json]:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(sa.text(query)).mappings()]
    engine.dispose()
    return found


async def _run(warm: Warm, folder: Path, name: str, source: str, url: str) -> tuple[int, str]:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "DISCORD_TOKEN": "not-used.by-this.command",
        "NOVITA_API_KEY": "sk_not_used",
        "DATABASE_URL": url,
    }
    process = await warm.start("bot", name, source, cwd=str(folder), environ=environ)
    assert process.stdout is not None
    said = await process.stdout.read()
    return await process.wait(), said.decode()
