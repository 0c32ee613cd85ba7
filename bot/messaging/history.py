"""What stands in a place already: a job's earlier messages, and how they are recognised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import discord

from bot.domain import places
from bot.domain.job import ID_LENGTH, Job
from bot.messaging.errors import is_refusal
from bot.ui import results, status
from bot.ui.components import is_button_of

NEWEST = 100
"""How far back, in messages, to look for a job of which no id of Discord's is known."""

_JOB = len("job ") + ID_LENGTH

Wanted = Callable[[discord.Message], bool]


class History:
    """Looks for what earlier runs posted: a nonce is remembered for a few minutes only."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def find(self, job: Job, place_id: int, wanted: Wanted) -> discord.Message | None:
        """Find a message of the job's, however much was posted since; raises discord.py's errors."""
        place = self._client.get_partial_messageable(place_id)
        me = self._client.user.id if self._client.user else 0
        first = places.newest_known_id(job)
        # Forward from what Discord had given before the first try, to the very end.
        messages = (
            place.history(limit=None, after=discord.Object(first), oldest_first=True)
            if first
            else place.history(limit=NEWEST)
        )
        try:
            async for message in messages:
                if message.author.id == me and wanted(message):
                    return message
        except discord.HTTPException as error:
            if not is_refusal(error):
                raise  # else posting there will say why
        return None

    async def can_read(self, job: Job, place_id: int) -> bool:
        """Return whether a place's history can be read; without the permission a list of it is just empty.

        One message, unlike the list, is refused then, whether it exists or not:
        https://discord.com/developers/docs/resources/message#get-channel-message
        """
        place = self._client.get_partial_messageable(place_id)
        try:
            await place.fetch_message(places.newest_known_id(job) or place_id)
        except discord.NotFound as error:
            if not is_refusal(error):
                raise
        except discord.Forbidden as error:
            if not is_refusal(error):
                raise
            return False
        return True


def is_card(message: discord.Message, job: Job) -> bool:
    """Return whether a message is a job's card, by its image."""
    return any(status.is_image_of(attachment.filename, job.id) for attachment in message.attachments)


def is_about_same(message: discord.Message, card: discord.Message) -> bool:
    """Return whether another message is about the same job as a card."""
    jobs = [{line[:_JOB] for line in _last_lines(one) if line.startswith("job ")} for one in (message, card)]
    return message.id != card.id and bool(jobs[0] & jobs[1])


def brings(message: discord.Message, job: Job) -> bool:
    """Return whether a message brings a job's video, of this version or of a later one, with buttons."""
    if any(results.is_video_of(attachment.filename, job.id) for attachment in message.attachments):
        return True
    if any(results.is_video_message(footer, job.id) for footer in _last_lines(message)):
        return True
    buttons = any(is_button_of(custom_id, job.id) for custom_id in _custom_ids(message))
    return buttons and any(attachment.filename.endswith(".mp4") for attachment in message.attachments)


def says_the_end(message: discord.Message, job: Job) -> bool:
    """Return whether a message tells how a job ended."""
    if results.verdict_footer(job) in _last_lines(message):
        return True
    # A later version's verdict carries its job's buttons, and no card or video is one.
    buttons = any(is_button_of(custom_id, job.id) for custom_id in _custom_ids(message))
    return buttons and not message.attachments and not message.embeds


def _last_lines(message: discord.Message) -> list[str]:
    """List the footers of a message, and the line that stands for one in a plain message."""
    footers = [embed.footer.text or "" for embed in message.embeds]
    return [*footers, results.plain_footer(message.content)]


def _custom_ids(message: discord.Message) -> list[str]:
    """List the custom ids of a message's components, at any depth: later versions may nest them."""
    found: list[str] = []
    left: list[Any] = list(message.components)
    while left:
        part = left.pop()
        found.append(getattr(part, "custom_id", None) or "")
        left += [*getattr(part, "children", ()), *filter(None, [getattr(part, "accessory", None)])]
    return found
