"""What Discord's answers mean: discord.py's exceptions become `TemporaryError` or `PermanentError`.

Only a JSON error code that stands here speaks of a place. Anything else comes from an edge, a proxy or a bad
day as well, HTML above all, and says nothing for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
import discord

from bot.errors import (
    AccessRefused,
    KinoraError,
    MalformedMessage,
    PermanentError,
    TemporaryError,
    TooManyOldEdits,
)

# Discord's JSON error codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
ENTITY_TOO_LARGE = 40005
NO_REPLY_WITHOUT_HISTORY = 160002
THREAD_EXISTS = 160004
NO_THREADS_HERE = 50024
OLD_EDITS = 30046
"""Too many edits of messages older than an hour, in one channel."""

REFUSALS: Mapping[int, str] = {
    10003: "gone",  # unknown channel
    10004: "gone",  # unknown guild
    10008: "gone",  # unknown message
    10013: "gone",  # unknown user
    20009: "forbidden",  # explicit content cannot be sent to this person
    ENTITY_TOO_LARGE: "too_large",
    40058: "forbidden",  # a forum takes posts, no messages
    50001: "forbidden",  # missing access
    50007: "forbidden",  # blocked, or DMs are closed
    50008: "forbidden",  # a channel without text
    50013: "forbidden",  # missing permissions
    50083: "locked",  # archived threads open by themselves when somebody posts, unless they are locked
    50278: "forbidden",  # no guild in common
    160005: "locked",
    160006: "full",  # as many open threads as a server may have
    160007: "full",  # the same of announcement threads
    200000: "forbidden",  # AutoMod
    200001: "forbidden",  # AutoMod, of a title
    240000: "forbidden",  # a link that Discord blocks
}
"""The codes by which a place refuses for good, and why."""
REPLY_REFUSALS: Mapping[int, str] = {**REFUSALS, 10015: "gone", 50027: "gone"}
"""The same for an interaction's reply, whose token dies."""
LATER = frozenset({40003, 40062, 40333, 130000})
"""Too fast, an edge in the way, or overloaded: neither the place's doing nor the message's."""


@contextmanager
def discord_errors(refusals: Mapping[int, str] = REFUSALS) -> Iterator[None]:
    """Sort Discord's refusals from its bad days.

    discord.py repeats 500, 502, 504 and 429 by itself, but neither a 503 nor an upload whose connection was
    reset.
    """
    try:
        yield
    except discord.RateLimited as error:
        raise TemporaryError("rate limited", error.retry_after) from None
    except discord.HTTPException as error:
        raise _meaning(error, refusals) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TemporaryError(f"no connection to Discord ({type(error).__name__})") from None


def _meaning(error: discord.HTTPException, refusals: Mapping[int, str]) -> KinoraError:
    said = f"Discord answered {error.status}, code {error.code}"
    if error.code == OLD_EDITS:
        return TooManyOldEdits(said, _retry_after(error))
    if error.status == 429 or error.status >= 500:
        return TemporaryError(said, _retry_after(error))
    if error.code in refusals:
        return PermanentError(said, refusals[error.code])
    if error.status == 401:
        return AccessRefused("Discord refuses the bot's token (401): check DISCORD_TOKEN")
    if error.status == 400 and error.code not in LATER and _is_json(error):
        return MalformedMessage(said)
    return TemporaryError(said)


def is_refusal(error: discord.HTTPException) -> bool:
    """Return whether a place refuses for good."""
    return isinstance(_meaning(error, REFUSALS), PermanentError)


def too_large(error: discord.HTTPException) -> bool:
    """Return whether Discord refused a file for its size."""
    return error.status == 413 or error.code == ENTITY_TOO_LARGE


def _headers(error: discord.HTTPException) -> Mapping[str, str]:
    return getattr(error.response, "headers", {})


def _is_json(error: discord.HTTPException) -> bool:
    # Only Discord's own JSON has a code; a code of 0 looks like none at all.
    return error.code != 0 or _headers(error).get("Content-Type", "").startswith("application/json")


def _retry_after(error: discord.HTTPException) -> float | None:
    try:
        return max(0.0, float(_headers(error)["Retry-After"]))
    except (KeyError, ValueError):
        return None
