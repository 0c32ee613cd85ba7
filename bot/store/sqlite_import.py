"""Move a SQLite ledger to PostgreSQL: every row copied, read back and compared, in one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database, LedgerError
from bot.store.tables import jobs

BATCH = 500


async def move(source: str, target: str) -> str:
    """Copy the jobs of `source` (sqlite:///…) into `target` (postgresql://…); gives what was done, in words.

    Both are URLs. The file keeps its rows, and its lock is held meanwhile, so that no bot works on it. May be
    repeated: rows that are there already are compared only. Raises `LedgerError`, and then nothing was moved.
    """
    old, new = Database(source), Database(target)
    if old.shared or not new.shared:
        raise LedgerError("jobs are moved from sqlite:///FILE into the PostgreSQL that DATABASE_URL names")
    if not Path(source.removeprefix("sqlite:///")).is_file():
        raise LedgerError(f"there is no {source.removeprefix('sqlite:///')}")
    await old.open()
    try:
        await new.open()
        moved, known = await _copy(old, new)
    finally:
        await old.close()
        await new.close()
    there = f" ({known} of them had been moved before)" if known else ""
    return f"Moved {moved + known} jobs{there}, each read back and compared. Open ones go on at the start."


async def _copy(old: Database, new: Database) -> tuple[int, int]:
    moved = known = 0
    last = ""
    async with old.begin() as reading, new.begin() as writing:
        while rows := await _rows(reading, jobs.c.id > last):
            result = await writing.execute(
                new.insert(jobs).on_conflict_do_nothing().returning(jobs.c.id), rows
            )
            inserted = len(result.scalars().all())
            moved, known = moved + inserted, known + len(rows) - inserted
            last = rows[-1]["id"]
            copies = await _rows(writing, jobs.c.id.in_([row["id"] for row in rows]))
            for row, copy in zip(rows, copies, strict=True):
                if row != copy:
                    raise LedgerError(
                        f"job {row['id']} differs from the one in PostgreSQL; nothing was moved"
                    )
    return moved, known


async def _rows(connection: AsyncConnection, which: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    query = jobs.select().where(which).order_by(jobs.c.id).limit(BATCH)
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    return sorted(rows, key=lambda row: str(row["id"]))  # PostgreSQL's order depends on its collation
