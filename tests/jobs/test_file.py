"""SQLite's file deleted or replaced under a running process, and servers that are away or refuse."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.job import State
from bot.errors import DatabaseUnavailable
from bot.store import database as database_module
from bot.store import jobs as jobs_module
from bot.store.outage import is_away
from tests.support.jobs import Store, a_job
from tests.support.kinora import ON_SQLITE


@pytest.fixture(autouse=True)
def nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "PEOPLE_WAIT", 0.0)
    monkeypatch.setattr(database_module, "backoff", lambda _: 0.01)


@ON_SQLITE
@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
async def test_what_leads_to_a_payment_waits_for_the_file(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, replaced: bool
) -> None:
    file, elsewhere = tmp_path / "kinora.db", tmp_path / "elsewhere.db"
    waiting = await store.claim((await store.accept(a_job())).id)
    undecided = await store.accept(a_job(state=State.UNCONFIRMED))
    file.rename(elsewhere)
    if replaced:
        shutil.copy(elsewhere, file)
    with pytest.raises(DatabaseUnavailable) as refused:
        await store.accept(a_job())
    assert not refused.value.begun
    with pytest.raises(DatabaseUnavailable):
        await store.decide(undecided.id, a_job())
    submitting = asyncio.create_task(store.move(waiting, State.SUBMITTING))
    # Whatever else there is goes on, before and after the payment's turn.
    await store.update(waiting, queued_at=1.0)
    found = await store.get(waiting.id)
    assert found is not None
    assert found.state is State.ACCEPTED
    elsewhere.replace(file)
    assert (await submitting).state is State.SUBMITTING
    assert [(r.levelname, "deleted or replaced" in r.message) for r in caplog.records] == [
        ("ERROR", True),
        ("WARNING", False),
    ]


@ON_SQLITE
async def test_what_is_paid_goes_on_without_the_file(store: Store, tmp_path: Path) -> None:
    job = await store.accept(a_job(state=State.RENDERING, task_id="task"))
    (tmp_path / "kinora.db").unlink()
    job = await store.move(await store.claim(job.id), State.RENDERED)
    assert (await store.move(job, State.DELIVERED)).ended


class Said(Exception):
    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("text", "sqlstate", "away"),
    [
        ("connection failed: Connection refused", None, True),
        ("[Errno -2] Name or service not known", None, True),
        ("FATAL:  the database system is starting up", None, True),
        ("FATAL:  sorry, too many clients already", None, True),
        ("terminating connection due to administrator command", "57P01", True),
        ('FATAL:  password authentication failed for user "kinora"', None, False),
        ('FATAL:  database "kinora" does not exist', None, False),
        ('FATAL:  role "kinora" is not permitted to log in', None, False),
        ("permission denied for schema public", "42501", False),
    ],
)
def test_only_a_server_that_is_away_is_waited_for(text: str, sqlstate: str | None, away: bool) -> None:
    assert is_away(sa.exc.OperationalError("SELECT 1", None, Said(text, sqlstate))) is away
