"""The bot as it ships, but its patience of an hour is over after a second, and then it sleeps long."""

from __future__ import annotations

import sys

from bot.__main__ import main as run_bot
from bot.domain import retry

SECONDS = 1.0
ASLEEP = 300.0
"""How long it sleeps then, at the least: longer than any test may take."""


def main() -> int:
    """Shorten the patience, then run the bot."""
    retry.RETRY_SECONDS = SECONDS
    retry.SLOW_SECONDS = (ASLEEP, 2 * ASLEEP)
    retry.LEAST_SECONDS = 0.2
    return run_bot(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
