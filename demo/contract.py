"""All that the demo knows of the bot: how it is started, two facts of its log, and the jobs in its database.

Nothing is imported from the bot. What is here changes only when the bot's environment names, log format or
columns do, on which installations in the wild rely, too.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

COMMAND = ("-m", "bot")
DATABASE = Path("data") / "kinora.db"
"""Where the bot's SQLite file is, in the folder that it is started in."""


_SETTINGS = ("discord_token", "novita_api_key", "discord_api_url", "novita_api_url")
_LOG_LINE = re.compile(r"\S+ \S+ (?P<level>[A-Z]+) +[\w.]+: (?P<words>.*)")
_ONLINE = "online: "

_MOST_JOBS = 100
_NEWEST_JOBS = "SELECT * FROM jobs ORDER BY created_at DESC LIMIT ?"
FIRST_COLUMNS = (
    *("id", "state", "created_at", "prompt", "price", "task_id", "submitted_at", "ended_at"),
    *("how", "problem", "cost"),
)
SECRET_COLUMNS = ("token", "source_url")
_ENDED_STATES = ("delivered", "failed", "cancelled", "unconfirmed")


def environment(sandbox: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that point the bot at a sandbox, given `House.environment`."""
    return {name.upper(): sandbox[name] for name in _SETTINGS}


def level_and_words(line: str) -> tuple[str, str]:
    """Split a line of the bot's log into its level and what it says; both are empty for a traceback's."""
    found = _LOG_LINE.fullmatch(line)
    return (found["level"], found["words"]) if found else ("", "")


def says_online(line: str) -> bool:
    """Tell whether a line of the bot's log says that people can use it from now on."""
    return level_and_words(line)[1].startswith(_ONLINE)


def read_jobs(folder: Path) -> dict[str, Any]:
    """Return the newest jobs, as they stand in the database of a bot that was started in `folder`.

    The file is opened read-only. `columns` are names with what they hold: "state", "price" (1/10000 USD),
    "time" (unix seconds) or "text"; `rows` have values in that order, the newest job first; `ended` are the
    states that no job leaves on its own. Without a table there are neither columns nor rows.
    """
    columns, rows = _newest_jobs(folder / DATABASE)
    order = [name for name in FIRST_COLUMNS if name in columns]
    order += [name for name in columns if name not in FIRST_COLUMNS]
    return {
        "columns": [{"name": name, "kind": _kind(name)} for name in order],
        "rows": [[_shown(name, row[name]) for name in order] for row in rows],
        "ended": list(_ENDED_STATES),
    }


def _newest_jobs(path: Path) -> tuple[list[str], list[sqlite3.Row]]:
    if not path.exists():
        return [], []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)) as database:
        database.row_factory = sqlite3.Row
        try:
            found = database.execute(_NEWEST_JOBS, (_MOST_JOBS,))
        except sqlite3.OperationalError:  # just being made
            return [], []
        return [column[0] for column in found.description], found.fetchall()


def _kind(column: str) -> str:
    if column in ("state", "price"):
        return column
    return "time" if column.endswith("_at") else "text"


def _shown(column: str, value: object) -> object:
    return "<hidden>" if value and column in SECRET_COLUMNS else value
