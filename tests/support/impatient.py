"""The bot as it ships, but it waits for an answer for seconds where it would wait for a minute or more."""

from __future__ import annotations

import sys
from functools import partialmethod

import aiohttp
import aiohttp.client

from bot.__main__ import main as run_bot
from bot.files.download import Downloader
from bot.messaging import sending
from bot.novita.client import NovitaClient

SECONDS = 5.0


def main() -> int:
    """Shorten every timeout, then run the bot."""
    # discord.py takes the default
    aiohttp.client.DEFAULT_TIMEOUT = aiohttp.ClientTimeout(total=SECONDS)  # type: ignore[misc]
    sending.ANSWER_SECONDS = SECONDS
    for patient in (NovitaClient, Downloader):
        patient.__init__ = partialmethod(patient.__init__, timeout=SECONDS)  # type: ignore[assignment, method-assign]
    return run_bot([])


if __name__ == "__main__":
    sys.exit(main())
