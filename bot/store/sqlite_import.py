"""Import a SQLite file into PostgreSQL: every row copied, read back and compared, in one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DatabaseError
from bot.store.database import Database
from bot.store.tables import batches, drafts, interactions, job_parents, jobs, publications, tasks

CHUNK = 500
TABLES = (jobs, tasks, interactions, publications, batches, job_parents, drafts)

Row = dict[str, Any]


async def import_sqlite(source: str, target: str) -> str:
    """Copy the rows of `source` (sqlite:///…) into `target` (postgresql://…); return what was done, in words.

    Both are URLs. The file keeps its rows, and its lock is held meanwhile, so that no bot works on it. May be
    repeated: rows that are there already are compared only. Raises `DatabaseError`, and then nothing was
    imported.
    """
    old, new = Database(source), Database(target)
    if old.shared or not new.shared:
        raise DatabaseError("jobs are moved from sqlite:///FILE into the PostgreSQL that DATABASE_URL names")
    if not Path(source.removeprefix("sqlite:///")).is_file():
        raise DatabaseError(f"there is no {source.removeprefix('sqlite:///')}")
    await old.open()
    try:
        await new.open()
        async with old.begin() as reading, new.begin() as writing:
            counts = {table.name: await _copy(table, reading, writing, new) for table in TABLES}
    finally:
        await old.close()
        await new.close()
    imported, known = counts["jobs"]
    there = f" ({known} of them had been moved before)" if known else ""
    return f"Moved {imported + known} jobs{there}, each read back and compared. Open ones go on at the start."


async def _copy(
    table: sa.Table, reading: AsyncConnection, writing: AsyncConnection, new: Database
) -> tuple[int, int]:
    imported = known = 0
    key = sa.tuple_(*table.primary_key.columns)
    after: sa.ColumnElement[bool] = sa.true()
    while rows := await _rows(reading, table, after):
        statement = new.insert(table).on_conflict_do_nothing().returning(*table.primary_key.columns)
        inserted = len((await writing.execute(statement, rows)).all())
        imported, known = imported + inserted, known + len(rows) - inserted
        copies = await _rows(writing, table, key.in_([_key(table, row) for row in rows]))
        for row, copy in zip(rows, copies, strict=True):
            if row != copy:
                name = f"{table.name.removesuffix('s')} {_key(table, row)[0]}"
                raise DatabaseError(f"{name} differs from the one in PostgreSQL; nothing was moved")
        after = key > sa.tuple_(*map(sa.literal, _key(table, rows[-1])))
    return imported, known


def _key(table: sa.Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.key] for column in table.primary_key.columns)


async def _rows(connection: AsyncConnection, table: sa.Table, which: sa.ColumnElement[bool]) -> list[Row]:
    query = table.select().where(which).order_by(*table.primary_key.columns).limit(CHUNK)
    found = (await connection.execute(query)).mappings()
    rows = [{column.key: row[column.name] for column in table.columns} for row in found]
    return sorted(rows, key=lambda row: _key(table, row))  # PostgreSQL's order depends on its collation
