"""Old and new side by side: this code on a newer schema, and the first revision's statements on this one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from bot.app import migrate
from bot.domain.job import new_id
from bot.settings import Settings
from bot.store import database
from tests.scale.cluster import Cluster
from tests.support.postgres import Postgres
from tests.support.waiting import until

NEWER = '''"""What a later version might add."""

import sqlalchemy as sa
from alembic import op

revision = "from the future"
down_revision = {head!r}


def upgrade() -> None:
    op.add_column("jobs", sa.Column("mood", sa.Text))
    op.create_table("moods", sa.Column("name", sa.Text, primary_key=True))
'''


async def test_this_version_works_on_a_newer_ones_tables(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = database.MIGRATIONS
    newer = shutil.copytree(present, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (newer / "versions/later.py").write_text(NEWER.format(head=_scripts(present).get_current_head()))
    running, _ = await cluster.start("gateway", "worker")  # also while they are at it
    monkeypatch.setattr(database, "MIGRATIONS", newer)
    await migrate(Settings("", "", database_url=cluster.url))
    assert cluster.rows("SELECT version_num FROM alembic_version") == [{"version_num": "from the future"}]
    await cluster.animate("Beside the newer one")
    assert await cluster.outcome(await cluster.ended("Beside the newer one")) == (1, 1, "Done")
    assert await running.stop() == 0
    await running.start()
    assert "newer version" in running.text
    await cluster.animate("Started after it")
    assert await cluster.outcome(await cluster.ended("Started after it")) == (1, 1, "Done")
    assert cluster.rows("SELECT version_num FROM alembic_version") == [{"version_num": "from the future"}]
    await cluster.check()


async def test_the_first_revisions_statements_work_on_todays_tables(
    cluster: Cluster, postgres: Postgres
) -> None:
    cluster.url = await postgres.database(empty=True)
    engine = sa.create_engine(cluster.url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(database.MIGRATIONS))
        command.upgrade(config, "0001")
        old = sa.Table("jobs", sa.MetaData(), autoload_with=connection)
    await migrate(Settings("", "", database_url=cluster.url))
    assert set(old.c.keys()) < _columns(cluster)

    # Accepted by this version, written down by the old one: each time a whole row, through the old table.
    (gateway,) = await cluster.start("gateway")
    for prompt in ("accepted", "submitting"):
        await cluster.animate(prompt)
        await cluster.until(prompt, lambda _row: True)
    await gateway.stop()
    cluster.execute("DELETE FROM procrastinate_jobs")
    with engine.begin() as connection:
        rows = list(connection.execute(sa.select(old)).mappings())
        connection.execute(old.delete())
        for row in rows:
            run = {"id": new_id(), "run": "old-1", "created_at": time.time() - 60}
            connection.execute(old.insert().values(dict(row) | run))
        changed = connection.execute(
            old.update()
            .where(old.c.prompt == "submitting", old.c.state.in_(["accepted"]), old.c.run == "old-1")
            .values(state="submitting")
            .returning(*old.c)
        )
        assert changed.mappings().one()["state"] == "submitting"
    with engine.begin() as connection:
        found = connection.execute(sa.select(old.c.id).where(old.c.told.is_(False))).scalars().all()
        assert len(found) == 2
    engine.dispose()

    worker, _ = await cluster.start("worker", "gateway")
    assert await cluster.outcome(await cluster.ended("accepted")) == (1, 1, "Done"), worker.text
    # What died with the paid request on its way is in doubt, whoever wrote it.
    doubtful = await cluster.ended("submitting")
    assert (doubtful["state"], (await cluster.outcome(doubtful))[:2]) == ("unconfirmed", (0, 0))
    await until(lambda: cluster.rows("SELECT * FROM procrastinate_jobs") == [])


def _columns(cluster: Cluster) -> set[Any]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'jobs'"
    return {row["column_name"] for row in cluster.rows(query)}


def _scripts(folder: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return ScriptDirectory.from_config(config)
