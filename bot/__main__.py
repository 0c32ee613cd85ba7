"""`python -m bot` runs the bot; `python -m bot health` says whether it is connected (for containers)."""

from __future__ import annotations

import asyncio
import sys
import time

from bot import logs, settings
from bot.app import HEALTH_FILE, HEALTH_SECONDS, StartupError, run
from bot.jobs.ledger import LedgerError


def main(arguments: list[str]) -> int:
    """Run a command; gives 0 after a clean stop, 1 when unhealthy, 2 when it cannot start."""
    if arguments not in ([], ["health"]):
        print("usage: python -m bot [health]", file=sys.stderr)
        return 2
    try:
        chosen = settings.load()
    except settings.SettingsError as error:
        print(
            "Kinora cannot start:", *(f"  {mistake}" for mistake in error.mistakes), sep="\n", file=sys.stderr
        )
        return 2
    if arguments == ["health"]:
        return _health(chosen)
    logs.set_up(chosen.log_level, chosen.secrets)
    try:
        asyncio.run(run(chosen))
    except (StartupError, LedgerError) as error:
        print(f"Kinora cannot start: {error}", file=sys.stderr)
        return 2
    return 0


def _health(chosen: settings.Settings) -> int:
    try:
        age = time.time() - (chosen.data_dir / HEALTH_FILE).stat().st_mtime
    except FileNotFoundError:
        age = float("inf")
    healthy = age < 3 * HEALTH_SECONDS
    print("connected" if healthy else "not connected to Discord")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
