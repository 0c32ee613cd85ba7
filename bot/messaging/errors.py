"""What Discord's answers mean: discord.py's exceptions become `TemporaryError` or `PermanentError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import discord

from bot.errors import AccessRefused, PermanentError, TemporaryError

# Discord's JSON error codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
ENTITY_TOO_LARGE = 40005
INVALID_TOKEN = 50027
THREAD_EXISTS = 160004
# Archived threads open again by themselves when somebody posts, unless they are locked.
FALLBACK_REASONS = {10003: "gone", 10008: "gone", 50083: "locked", 160005: "locked"}


@contextmanager
def discord_errors() -> Iterator[None]:
    """Sort Discord's refusals from its bad days.

    discord.py repeats 500, 502, 504 and 429 by itself, but neither a 503 nor an upload whose connection was
    reset.
    """
    try:
        yield
    except discord.RateLimited as error:
        raise TemporaryError("rate limited", error.retry_after) from None
    except discord.HTTPException as error:
        if error.code != INVALID_TOKEN and error.status == 401:
            raise AccessRefused("Discord refuses the bot's token (401): check DISCORD_TOKEN") from None
        if error.code != INVALID_TOKEN and (error.status >= 500 or error.status == 429):
            raise TemporaryError(f"Discord answered {error.status}") from None
        reason = FALLBACK_REASONS.get(error.code, "gone" if error.status == 404 else "forbidden")
        raise PermanentError(f"Discord answered {error.status}, code {error.code}", reason) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TemporaryError(f"no connection to Discord ({type(error).__name__})") from None


def too_large(error: discord.HTTPException) -> bool:
    """Return whether Discord refused a file for its size."""
    return error.status == 413 or error.code == ENTITY_TOO_LARGE
