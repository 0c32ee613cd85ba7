"""Interactions through discord.py itself, with a Discord behind it that keeps what people would see.

A `Wire` stands where discord.py's HTTP adapter for interactions stands: the client, its dispatch, its
responses and the payloads are all real. What it is asked to break breaks once each: before Discord acts, or
after.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import discord
from discord.webhook.async_ import AsyncWebhookAdapter, async_context

from bot.client import Kinora
from bot.domain.job import Job
from bot.domain.request import InteractionRecord
from bot.jobs.interactions import Ask
from bot.jobs.offer import Offer
from bot.jobs.service import JobService
from bot.novita.models import CATALOGUE

Payload = dict[str, Any]
MIA, CHANNEL, GUILD, APPLICATION = 42, 7, 8, 9
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
REPLY, DEFER, DEFER_UPDATE, CHOICES = 4, 5, 6, 8
EPHEMERAL = 64

_numbers = itertools.count(1000)


def refused(status: int, code: int) -> discord.HTTPException:
    """Make what discord.py raises when Discord refuses."""
    response = cast(Any, SimpleNamespace(status=status, reason="refused"))
    kind = {404: discord.NotFound, 403: discord.Forbidden}.get(status, discord.HTTPException)
    return kind(response, {"code": code, "message": "refused"})


class FakeInteractions:
    """Has every command."""

    @asynccontextmanager
    async def acting(
        self, record: InteractionRecord, job_id: str, prompt: str, acknowledge: Ask, untouched: Ask
    ) -> AsyncIterator[None]:
        """Acknowledge a command that nobody else has."""
        await acknowledge()
        yield


class FakeJobs:
    """As much of a job service as the tests need; `trouble` is raised by whatever looks for a job."""

    def __init__(self) -> None:
        self.models = Offer(CATALOGUE)
        self.interactions = FakeInteractions()
        self.jobs: dict[str, Job] = {}
        self.trouble: Exception | None = None
        self.at_the_door: Exception | None = None
        self.decided: list[tuple[str, bool]] = []
        self.answering_now = 0

    @property
    def stopping(self) -> bool:
        """Tell that nothing is being stopped, or raise: it is asked before every interaction."""
        if self.at_the_door is not None:
            raise self.at_the_door
        return False

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Count what is under way."""
        self.answering_now += 1
        try:
            yield
        finally:
            self.answering_now -= 1

    async def find(self, job_id: str) -> Job | None:
        """Find a job."""
        if self.trouble is not None:
            raise self.trouble
        return self.jobs.get(job_id)

    async def jobs_of(self, user_id: int) -> list[Job]:
        """List somebody's jobs."""
        if self.trouble is not None:
            raise self.trouble
        return [job for job in self.jobs.values() if job.requester.user_id == user_id]

    async def decide(self, job: Job, interaction: InteractionRecord, *, again: bool) -> Job | None:
        """Write a decision down."""
        self.decided.append((job.id, again))
        return None

    def as_service(self) -> JobService:
        """Pass for the real one."""
        return cast(JobService, self)


def a_client(jobs: FakeJobs | None = None) -> Kinora:
    """Make a client that is connected to nothing."""
    client = Kinora(cast(Any, None), cast(Any, None))
    client.jobs = (jobs or FakeJobs()).as_service()
    client._connection.application_id = APPLICATION
    return client


class Wire(AsyncWebhookAdapter):
    """Discord's side of the interactions of one client: what became of each message, and who sees it."""

    def __init__(self, client: Kinora) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.client = client
        self.locale, self.guild_locale = "en-US", "en-US"
        """The language of whoever acts, and of what everybody there reads."""
        self.acknowledged: int | None = None
        self.original: Payload | None = None
        """The first answer, or the message whose button was pressed; `thinking` while it is a deferral."""
        self.followups: list[Payload] = []
        self.choices: list[Payload] | None = None
        self.breaks: dict[str, list[tuple[str, Exception]]] = {}
        """By "callback", "edit", "delete" and "followup": what goes wrong, "before" or "after" acting."""

    def break_(self, request: str, *errors: Exception, when: str = "before") -> None:
        """Have the next requests of a kind go wrong."""
        self.breaks.setdefault(request, []).extend((when, error) for error in errors)

    @property
    def answers(self) -> list[Payload]:
        """Everything that a person was told, and sees."""
        original = self.original
        told = [original] if original is not None and not original.get("pressed") else []
        return [*told, *self.followups]

    @property
    def text(self) -> str:
        """All the words of that."""
        embeds = [embed for answer in self.answers for embed in answer.get("embeds", [])]
        return "\n".join(f"{e.get('title', '')}\n{e.get('description', '')}" for e in embeds)

    def assert_private(self) -> None:
        """Nothing is left of a “thinking…”, and no answer is seen by others."""
        assert not any(answer.get("thinking") for answer in self.answers)
        assert all(answer["private"] for answer in self.answers), self.answers

    # --- Discord

    async def request(
        self, route: Any, session: Any, *, payload: Payload | None = None, **_others: Any
    ) -> Any:
        """Break, or act, or both."""
        name = {"POST": "callback" if "callback" in route.path else "followup", "PATCH": "edit"}.get(
            route.method, "delete"
        )
        script = self.breaks.get(name, [])
        when, error = script.pop(0) if script else ("", None)
        if error is not None and when == "before":
            raise error
        answer = getattr(self, f"_{name}")(payload or {})
        if error is not None:
            raise error
        return answer

    def _callback(self, payload: Payload) -> Payload:
        if self.acknowledged is not None:
            raise refused(400, 40060)
        kind, data = payload["type"], payload.get("data") or {}
        self.acknowledged = kind
        private = bool(int(data.get("flags") or 0) & EPHEMERAL)
        if kind == CHOICES:
            self.choices = data["choices"]
        elif kind == DEFER:
            self.original = {"thinking": True, "private": private}
        elif kind == REPLY:
            self.original = {**data, "private": private}
        return {"interaction": {"id": "1", "type": kind}}

    def _edit(self, payload: Payload) -> Payload:
        if self.original is None:
            raise refused(404, 10008)
        self.original = {**self.original, **payload, "thinking": False}
        return message(payload.get("embeds") or [])

    def _delete(self, payload: Payload) -> None:
        if self.original is None:
            raise refused(404, 10008)
        self.original = None

    def _followup(self, payload: Payload) -> Payload:
        if self.acknowledged is None:
            raise refused(404, 10015)
        private = bool(int(payload.get("flags") or 0) & EPHEMERAL)
        if self.original is not None and self.original.get("thinking"):
            self.original = {**payload, "private": self.original["private"]}
        else:
            self.followups.append({**payload, "private": private})
        return message(payload.get("embeds") or [])

    # --- what people do

    async def run(self, name: str, **options: Any) -> None:
        """Run a slash command to its end."""
        await self._hear(COMMAND, {"id": "1", "name": name, "type": 1, "options": _options(options)})

    async def complete(self, name: str, option: str) -> None:
        """Type into an option."""
        focused = {"name": option, "type": 3, "value": "", "focused": True}
        await self._hear(AUTOCOMPLETE, {"id": "1", "name": name, "type": 1, "options": [focused]})

    async def press(self, custom_id: str, user_id: int = MIA) -> None:
        """Press a button."""
        button = {"type": 2, "id": 2, "style": 2, "label": "…", "custom_id": custom_id}
        pressed = message([{"title": "A card"}], [{"type": 1, "id": 1, "components": [button]}])
        self.original = {"pressed": True, "private": False, **pressed}
        await self._hear(
            COMPONENT, {"custom_id": custom_id, "component_type": 2}, message=pressed, user_id=user_id
        )

    async def submit(self, form: discord.ui.Modal) -> None:
        """Submit a form that was opened."""
        self.client._connection.store_view(form)
        await self.submit_unknown(form.custom_id)

    async def submit_unknown(self, custom_id: str) -> None:
        """Submit a form that another process opened."""
        await self._hear(MODAL, {"custom_id": custom_id, "components": []})

    async def _hear(self, kind: int, data: Payload, user_id: int = MIA, **more: Any) -> None:
        """Take an interaction off the gateway, and wait for all that comes of it."""
        await self.client._async_setup_hook()
        user = _user(user_id)
        payload = {
            "id": str(next(_numbers)),
            "type": kind,
            "data": data,
            "token": "t" * 30,
            "version": 1,
            "application_id": str(APPLICATION),
            "attachment_size_limit": 10 * 2**20,
            "locale": self.locale,
            "guild_locale": self.guild_locale,
            "channel": {"id": str(CHANNEL), "type": 1, "recipients": [user]},
            "channel_id": str(CHANNEL),
            "user": user,
            **more,
        }
        before = asyncio.all_tasks()
        token = async_context.set(self)
        try:
            self.client._connection.parse_interaction_create(cast(Any, payload))
            while tasks := asyncio.all_tasks() - before:
                await asyncio.gather(*tasks)
        finally:
            async_context.reset(token)


def message(embeds: list[Payload], components: list[Payload] | None = None) -> Payload:
    """Make a message of the bot's as Discord describes it."""
    return {
        "id": str(next(_numbers)),
        "channel_id": str(CHANNEL),
        "type": 0,
        "content": "",
        "author": _user(APPLICATION),
        "embeds": embeds,
        "attachments": [],
        "components": components or [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "pinned": False,
        "tts": False,
        "flags": 0,
        "timestamp": "2026-11-01T00:00:00+00:00",
        "edited_timestamp": None,
    }


def _user(user_id: int) -> Payload:
    return {"id": str(user_id), "username": "somebody", "discriminator": "0", "avatar": None}


def _options(options: dict[str, Any]) -> list[Payload]:
    kinds = {str: 3, int: 4, float: 10}
    return [{"name": name, "type": kinds[type(value)], "value": value} for name, value in options.items()]
