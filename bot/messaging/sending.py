"""One message into one place, with as much time as its file needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import discord
from discord.http import Route, handle_message_parameters

from bot.messaging.errors import NO_REPLY_WITHOUT_HISTORY
from bot.ui.results import Message

ANSWER_SECONDS = 60.0
NO_FILES: Mapping[str, Path] = MappingProxyType({})
SLOWEST = 16_000
"""The slowest line, in bytes a second, over which a file is let through."""


def seconds_for(size: int) -> float:
    """Return how long, in seconds, a request may take whose file has `size` bytes."""
    return ANSWER_SECONDS + size / SLOWEST


def files(file: Path | None, name: str, also: Mapping[str, Path]) -> list[discord.File]:
    """Open what a message carries: a file, and others by their names."""
    if file is None:
        return []
    return [discord.File(path, filename=called) for called, path in ({name: file} | dict(also)).items()]


async def send(
    client: discord.Client,
    place_id: int,
    nonce: str,
    message: Message,
    mentions: discord.AllowedMentions,
    file: Path | None = None,
    name: str = "",
    *,
    reply_to: int | None = None,
    also: Mapping[str, Path] = NO_FILES,
) -> int:
    """Post a message and return its id; raises discord.py's and aiohttp's errors.

    discord.py's own `send` gives every request the same five minutes, whatever it carries.
    """
    parts: dict[str, Any] = {"embed": message.embed or None, "view": message.view}
    if file is not None:
        parts["files"] = files(file, name, also)
    if reply_to is not None:
        parts["message_reference"] = {"message_id": reply_to, "fail_if_not_exists": False}
    try:
        with handle_message_parameters(
            message.content or None,
            nonce=nonce,
            allowed_mentions=mentions,
            **{part: value for part, value in parts.items() if value is not None},
        ) as parameters:
            return await _request(client, place_id, parameters, _size(file, also))
    except discord.HTTPException as error:
        if error.code != NO_REPLY_WITHOUT_HISTORY or reply_to is None:
            raise
    return await send(client, place_id, nonce, message, mentions, file, name, also=also)


def _size(file: Path | None, also: Mapping[str, Path]) -> int:
    return sum(path.stat().st_size for path in (file, *also.values()) if path is not None)


async def _request(client: discord.Client, place_id: int, parameters: Any, size: int) -> int:
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=place_id)
    body = (
        {"files": parameters.files, "form": parameters.multipart}
        if parameters.files
        else {"json": parameters.payload}
    )
    timeout = aiohttp.ClientTimeout(total=seconds_for(size), sock_connect=30)
    return int((await client.http.request(route, timeout=timeout, **body))["id"])
