"""`python -m bot` runs the bot.

`python -m bot gateway` only hears commands and `python -m bot worker` only runs jobs: for many processes on
one PostgreSQL. `migrate` brings the database's tables up to date, `import-sqlite sqlite:///…` copies a SQLite
file into `DATABASE_URL` (its old name `move` goes on working), and `health` says whether a running bot is
connected (for containers).
"""

from __future__ import annotations

import sys

# Whatever needs more is imported when a command does: `health` is run every half minute.
from bot import hardening, health, settings
from bot.errors import SettingsError, StartupError

ROLES = ("all", "gateway", "worker")
"""What `bot.app.Role` knows."""
USAGE = "usage: python -m bot [gateway | worker | migrate | import-sqlite sqlite:///FILE | health]"


def main(arguments: list[str]) -> int:
    """Run a command; return 0 after a clean stop, 1 when unhealthy, 2 when it cannot start."""
    hardening.keep_to_itself()
    command, *rest = arguments or ["all"]
    command = "import-sqlite" if command == "move" else command
    if command not in (*ROLES, "migrate", "import-sqlite", "health") or len(rest) != (
        command == "import-sqlite"
    ):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        chosen = settings.load() if command == "health" else _load()
    except SettingsError as error:
        print(
            "Kinora cannot start:", *(f"  {mistake}" for mistake in error.mistakes), sep="\n", file=sys.stderr
        )
        return 2
    return _health(chosen) if command == "health" else _start(command, rest, chosen)


def _load() -> settings.Settings:
    from bot.novita.models import CATALOGUE

    return settings.load(models=CATALOGUE)


def _health(chosen: settings.Settings) -> int:
    healthy = health.HealthFile(chosen.data_dir).is_fresh()
    print("connected" if healthy else "not connected to Discord")
    return 0 if healthy else 1


def _start(command: str, rest: list[str], chosen: settings.Settings) -> int:
    import asyncio

    from bot import logs
    from bot.app import Role, import_sqlite, migrate, run

    logs.set_up(chosen.log_level, chosen.secrets)
    try:
        if command == "migrate":
            asyncio.run(migrate(chosen))
            print("The database is up to date.")
        elif command == "import-sqlite":
            print(asyncio.run(import_sqlite(rest[0], chosen.database_url)))
        else:
            asyncio.run(run(chosen, Role(command)))
    except StartupError as error:
        print(f"Kinora cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
