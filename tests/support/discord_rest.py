"""Discord's REST as the messages see it: discord.py itself, and behind its HTTP client places with messages.

A `Rest` stands where discord.py's requests leave: the client, its models and what it makes of a message are
real. It keeps what would stand in each place, and what each request said.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import discord
from discord.webhook.async_ import AsyncWebhookAdapter, async_context

from tests.support.discord_wire import APPLICATION, a_client, refused

Payload = dict[str, Any]
BOT = APPLICATION
SOMEBODY = 4242

_ids = itertools.count(discord.utils.time_snowflake(discord.utils.utcnow()))


class Rest(AsyncWebhookAdapter):
    """One client's Discord.

    `messages` are all that stand, `posted` the payloads of all that were posted, `edited` of those that were
    edited, both with their files' names. `on_post` is raised by the next posts, and `closed` by whatever
    reads or writes in a place; DMs with those in `closed_dms` cannot be opened.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.client = a_client()
        self.client._connection.user = cast(Any, SimpleNamespace(id=BOT))
        vars(self.client.http)["_HTTPClient__session"] = object()  # what only a login would make
        self.client.http.request = self._request  # type: ignore[method-assign]
        self.messages: list[Payload] = []
        self.posted: list[Payload] = []
        self.edited: list[Payload] = []
        self.on_post: deque[Exception] = deque()
        self.closed: dict[int, Exception] = {}
        self.closed_dms: set[int] = set()
        self.threads: dict[int, int] = {}
        self._dms: dict[int, int] = defaultdict(lambda: next(_ids))

    def stand(self, channel_id: int, author_id: int = BOT, **parts: Any) -> Payload:
        """Have a message stand in a place."""
        message = {
            "id": str(next(_ids)),
            "channel_id": str(channel_id),
            "type": 0,
            "content": "",
            "author": {"id": str(author_id), "username": "x", "discriminator": "0", "avatar": None},
            "embeds": [],
            "attachments": [],
            "components": [],
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": False,
            "pinned": False,
            "tts": False,
            "flags": 0,
            "timestamp": "2026-11-01T00:00:00+00:00",
            "edited_timestamp": None,
            **parts,
        }
        self.messages.append(message)
        return message

    def dm(self, user_id: int) -> int:
        """Return the id of the direct messages with somebody."""
        return self._dms[user_id]

    # --- what discord.py asks

    async def request(self, route: Any, session: Any, *, payload: Payload | None = None, **more: Any) -> Any:
        """Edit an interaction's first reply."""
        said = self._said(payload, more.get("multipart"), more.get("files"))
        self.edited.append(said)
        return self.stand(0, **_shown(said))

    async def _request(
        self,
        route: Any,
        *,
        files: Any = None,
        form: Any = None,
        json: Payload | None = None,
        params: Payload | None = None,
        **_more: Any,
    ) -> Any:
        place = int(route.channel_id or 0)
        if place in self.closed:
            raise self.closed[place]
        said = self._said(json, form, files)
        match route.method, route.url.partition("?")[0].rsplit("/", 1)[-1]:
            case "POST", "messages":
                return self._post(place, said)
            case "GET", "messages":
                return self._history(place, params or {})
            case "POST", "threads":
                return self._start_thread(int(route.url.split("/")[-2]))
            case "POST", "channels":
                return self._open_dm(int(said["recipient_id"]))
            case "GET", number:
                return self._one(place, number)
            case "PATCH", number:
                self.edited.append(said)
                return self._one(place, number) | _shown(said)
        raise AssertionError(f"{route.method} {route.url} is not played")

    def _said(self, payload: Payload | None, form: Any, files: Any) -> Payload:
        for field in form or ():
            if field["name"] == "payload_json":
                payload = json.loads(field["value"])
        return {**(payload or {}), "files": [file.filename for file in files or ()]}

    def _post(self, place: int, said: Payload) -> Payload:
        self.posted.append({**said, "channel_id": place})
        if self.on_post:
            raise self.on_post.popleft()
        return self.stand(place, **_shown(said))

    def _history(self, place: int, params: Payload) -> list[Payload]:
        found = [message for message in self.messages if int(message["channel_id"]) == place]
        limit = int(params.get("limit", 50))
        if "after" in params:
            later = [message for message in found if int(message["id"]) > int(params["after"])]
            return later[:limit][::-1]
        before = int(params.get("before") or 2**63)
        return [message for message in found if int(message["id"]) < before][::-1][:limit]

    def _one(self, place: int, number: str) -> Payload:
        for message in self.messages:
            if (message["id"], int(message["channel_id"])) == (number, place):
                return message
        raise refused(404, 10008)

    def _start_thread(self, message_id: int) -> Payload:
        if message_id in self.threads:
            raise refused(400, 160004)
        self.threads[message_id] = message_id
        return {"id": str(message_id)}

    def _open_dm(self, user_id: int) -> Payload:
        if user_id in self.closed_dms:
            raise refused(403, 50007)
        return {"id": str(self.dm(user_id)), "type": 1}


def _shown(said: Payload) -> Payload:
    """Return what stands of what was said."""
    files = [
        {
            "id": str(next(_ids)),
            "filename": name,
            "size": 1,
            "url": f"https://cdn.invalid/{name}",
            "proxy_url": f"https://cdn.invalid/{name}",
        }
        for name in said["files"]
    ]
    parts = {name: said[name] for name in ("content", "embeds", "components") if said.get(name)}
    return {**parts, "attachments": files}


@asynccontextmanager
async def a_rest() -> AsyncIterator[Rest]:
    """Make a Discord, for a while."""
    rest = Rest()
    token = async_context.set(rest)
    try:
        yield rest
    finally:
        async_context.reset(token)
