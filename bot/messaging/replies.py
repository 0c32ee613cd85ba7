"""What goes through an interaction's token, for the 15 minutes that it lives."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import aiohttp
import discord

from bot.domain.job import Job
from bot.errors import PermanentError, TemporaryError
from bot.messaging.errors import REPLY_REFUSALS, discord_errors
from bot.messaging.sending import NO_FILES, files
from bot.messaging.uploads import UNSENT
from bot.ui.results import Message

log = logging.getLogger(__name__)

ORIGINAL = cast(int, "@original")
"""Discord takes this name for the id of an interaction's first reply."""


class Replies:
    """Fills in replies, and keeps the tokens of running jobs for when Discord refuses the bot's own.

    Only in this process: one that has to log in afresh could not do so with a token that is refused.
    """

    def __init__(self, client: discord.Client) -> None:
        self._client = client
        self._tokens: dict[str, str] = {}

    def keep(self, job: Job) -> None:
        """Remember that a job's card is its command's reply."""
        if job.requester.reply_token is not None:
            self._tokens[job.id] = job.requester.reply_token

    def forget(self, job: Job) -> None:
        """Drop a job's token."""
        self._tokens.pop(job.id, None)

    async def edit(
        self,
        token: str,
        message: Message,
        mentions: discord.AllowedMentions,
        file: Path | None = None,
        name: str = "",
        also: Mapping[str, Path] = NO_FILES,
    ) -> int:
        """Fill in an interaction's first reply; return its id. Raises discord.py's and aiohttp's errors."""
        sent = await self._webhook(token).edit_message(
            ORIGINAL,
            content=message.content or None,
            embed=message.embed or None,
            attachments=files(file, name, also),
            allowed_mentions=mentions,
        )
        return sent.id

    async def fill_in(
        self,
        token: str,
        message: Message,
        mentions: discord.AllowedMentions,
        file: Path,
        name: str,
        also: Mapping[str, Path] = NO_FILES,
    ) -> int:
        """Do the same; raises `TemporaryError`, or `PermanentError` when the reply or its token is gone."""
        with discord_errors(REPLY_REFUSALS):
            return await self.edit(token, message, mentions, file, name, also)

    async def paint(
        self, job_id: str, embed: discord.Embed, view: discord.ui.View | None, bare: bool
    ) -> bool:
        """Change a job's card by its command's token; False: that cannot be done any more.

        `bare`: the image goes.
        """
        if (token := self._tokens.get(job_id)) is None:
            return False
        try:
            with discord_errors(REPLY_REFUSALS):
                files: dict[str, Any] = {"attachments": []} if bare else {}
                await self._webhook(token).edit_message(ORIGINAL, embed=embed, view=view, **files)
        except (PermanentError, TemporaryError) as error:
            log.info("job %s: its card cannot be edited by its command's token either: %s", job_id, error)
            return False
        return True

    async def follow_up(
        self, job: Job, message: Message, mentions: discord.AllowedMentions, *, privately: bool = False
    ) -> bool:
        """Answer a job's command once more, maybe for its requester only; False: that cannot be done.

        Discord remembers no nonce here, so that a try which may have arrived is taken for one that did.
        """
        if (token := self._tokens.get(job.id)) is None:
            return False
        parts: dict[str, Any] = {"embed": message.embed or None, "view": message.view}
        webhook = self._webhook(token)
        webhook.type = discord.WebhookType.application  # else discord.py takes no message for one person only
        try:
            await webhook.send(
                message.content,
                allowed_mentions=mentions,
                ephemeral=privately,
                **{name: part for name, part in parts.items() if part is not None},
            )
        except (discord.HTTPException, *UNSENT) as error:
            log.info("job %s: its command cannot be answered any more: %s", job.id, type(error).__name__)
            return False
        except (aiohttp.ClientError, TimeoutError, OSError):
            log.warning("job %s: the line broke when its command was answered", job.id)
        return True

    def _webhook(self, token: str) -> discord.Webhook:
        return discord.Webhook.partial(self._client.application_id or 0, token, client=self._client)
