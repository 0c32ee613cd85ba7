"""Moving from the SQLite file: every row, checked, as often as one likes; and the open ones go on."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bot.domain.job import Job, State
from bot.store.rows import values_of
from bot.store.tables import jobs as table
from tests.scale.cluster import Cluster, Process
from tests.support.jobs import a_job, opened
from tests.support.waiting import until

ODD = [
    "plain",
    "",
    "O'Neill; DROP TABLE jobs --",
    "日本語 🎬 \U0001f9d1\u200d\U0001f680",
    "a\tb\r\nc\\n%s%(x)s{}",
    "\u202eright to left",
    "e\u0301 \ufeff \ufffd",
    "x" * 2000,
]
STATES = [*State]


async def test_every_row_is_moved_and_compared(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "kinora.db"
    written = await _fill(file)
    assert await _move(cluster, file) == (0, f"Moved {len(written)} jobs, each read back and compared.")
    assert {row["id"]: row for row in cluster.rows()} == written
    # Again, with one more that came since.
    written |= await _fill(file, ["one more"])
    code, said = await _move(cluster, file)
    assert code == 0
    assert f"{len(STATES) * len(ODD)} of them had been moved before" in said
    assert {row["id"]: row for row in cluster.rows()} == written


async def test_a_row_that_differs_stops_the_move(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "kinora.db"
    first = await _fill(file, ["the same"])
    assert (await _move(cluster, file))[0] == 0
    second = await _fill(file, ["new since"])
    (id_of_one,) = [job_id for job_id in first if first[job_id]["state"] == "rendering"]
    cluster.execute(f"UPDATE jobs SET state = 'rendered' WHERE id = '{id_of_one}'")  # noqa: S608
    code, said = await _move(cluster, file)
    assert code == 2
    assert f"job {id_of_one} differs" in said
    assert not second.keys() & {row["id"] for row in cluster.rows()}  # nothing, not even what would fit


async def test_a_file_with_a_bot_on_it_is_not_moved(cluster: Cluster) -> None:
    bot = cluster.process("all", DATABASE_URL="sqlite:///data/kinora.db")
    await bot.start()
    code, said = await _move(cluster, bot.folder / "data/kinora.db")
    assert code == 2
    assert "another Kinora is running" in said
    assert cluster.rows() == []


async def test_only_a_file_is_moved_and_only_to_postgresql(cluster: Cluster, tmp_path: Path) -> None:
    code, said = await _move(cluster, tmp_path / "nothing.db")
    assert (code, "there is no" in said) == (2, True)
    await _fill(tmp_path / "kinora.db", ["a row"])
    mover = cluster.process("all", DATABASE_URL=f"sqlite:///{tmp_path}/other.db")
    assert (await _run(mover, "move", f"sqlite:///{tmp_path}/kinora.db"))[0] == 2


async def test_open_jobs_go_on_where_they_stood(cluster: Cluster) -> None:
    await cluster.sandbox.novita.settings(render_seconds=600)
    bot = cluster.process("all", DATABASE_URL="sqlite:///data/kinora.db", KINORA_MAX_RENDERS="2")
    await bot.start()
    file = bot.folder / "data/kinora.db"
    for number in range(4):
        await cluster.animate(f"Number {number}")
    await until(lambda: _count(file, "queued_at IS NOT NULL") == 4)
    await until(lambda: _count(file, "state = 'rendering'") == 2)
    assert await bot.stop() == 0
    assert (await _move(cluster, file))[0] == 0
    await cluster.sandbox.novita.settings(render_seconds=0.1)
    await cluster.start("gateway", "worker", "worker")
    rows = await cluster.all_ended(4)
    assert [row["state"] for row in rows] == 4 * ["delivered"]
    await cluster.check()


# --- parts --------------------------------------------------------------------------------------------------


async def _fill(file: Path, texts: list[str] = ODD) -> dict[str, dict[str, Any]]:
    """Write rows in every state with every text; give them as they are in the file, by their ids."""
    jobs = [_job(state, text) for state in STATES for text in texts]
    async with opened(f"sqlite:///{file}") as store:
        for job in jobs:
            await store.accept(job)
    return {job.id: _row(job) for job in jobs}


def _row(job: Job) -> dict[str, Any]:
    """Give a job's columns under their names."""
    values = values_of(job)
    return {column.name: values[column.key] for column in table.columns}


def _job(state: State, text: str) -> Job:
    now = time.time()
    return a_job(
        state=state,
        created_at=now - 1 / 3,
        requester_id=2**63 - 1,
        guild_id=None if text == "plain" else 1323985325260800000,
        channel_id=1,
        prompt=text,
        negative_prompt=text[::-1],
        cfg_scale=0.1 + 0.2,
        reply_token=text or None,
        reason=text,
        card_id=2**62,
        submitted_at=now if state is State.RENDERING else None,
        wants_thread=bool(text),
        notified=True,
        roles=[2**62, 1],
        options={"text": text},
    )


def _count(file: Path, where: str) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
        query = f"SELECT count(*) FROM jobs WHERE {where}"  # noqa: S608
        return int(connection.execute(query).fetchone()[0])


async def _move(cluster: Cluster, file: Path) -> tuple[int, str]:
    return await _run(cluster.process("all"), "move", f"sqlite:///{file}")


async def _run(process: Process, *arguments: str) -> tuple[int, str]:
    """Run a command to its end; give its exit code, and the last line that it said."""
    await process.start(*arguments, online=False)
    code = await process.wait()
    await asyncio.sleep(0)
    return code, process.log[-1].partition(" Open ones")[0]
