"""Interactions from the person's click to the last followup: the 3 seconds, the 15 minutes, the deferral.

https://docs.discord.com/developers/interactions/receiving-and-responding
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Callable
from typing import Any

from sandbox.discord import present
from sandbox.discord.commands import check_choices
from sandbox.discord.components import check_modal
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.messages import Draft, Messages, check
from sandbox.discord.models import (
    Channel,
    Interaction,
    InteractionType,
    Json,
    Message,
    MessageFlag,
    MessageType,
    Reference,
    User,
)
from sandbox.discord.uploads import Body
from sandbox.discord.world import Event, World

FIRST_ANSWER_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0

PONG, REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
ALLOWED: dict[InteractionType, tuple[int, ...]] = {
    InteractionType.COMMAND: (REPLY, DEFER, MODAL),
    InteractionType.COMPONENT: (REPLY, DEFER, DEFER_UPDATE, UPDATE, MODAL),
    InteractionType.AUTOCOMPLETE: (CHOICES,),
    InteractionType.MODAL_SUBMIT: (REPLY, DEFER, DEFER_UPDATE, UPDATE),
}


class Interactions:
    """Keeps a world's interactions."""

    def __init__(self, world: World, messages: Messages) -> None:
        self.world = world
        self.messages = messages
        self._timers: set[asyncio.TimerHandle] = set()

    # --- the person's side

    def start(
        self,
        kind: InteractionType,
        user: User,
        channel: Channel,
        data: Json,
        name: str,
        *,
        source: Message | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:
        """Make an interaction and hand it to the bot; whoever watches sees it fail after 3 seconds."""
        world = self.world
        number = world.snowflake()
        secret = base64.urlsafe_b64encode(f"interaction:{number}:{secrets.token_hex(32)}".encode())
        token = secret.decode().rstrip("=")
        interaction = Interaction(
            number,
            token,
            kind,
            user,
            channel,
            world.guild_of(channel),
            data,
            time.time(),
            world.now(),
            name,
            source=source,
            parent=parent,
        )
        world.interactions[number] = interaction
        world.tokens[token] = interaction
        event = Event(
            "INTERACTION_CREATE",
            present.interaction(world, interaction),
            0,
            interaction.guild,
            channel,
            only=user,
        )
        world.tell(event)
        loop = asyncio.get_running_loop()
        self._timers = {timer for timer in self._timers if timer.when() > loop.time()}
        self._timers.add(loop.call_later(FIRST_ANSWER_SECONDS + 0.01, self.look_at_clock))
        self._tell(interaction)
        return interaction

    def look_at_clock(self) -> None:
        """Fail what was not acknowledged within 3 seconds; also called when the clock was moved."""
        for interaction in self.world.interactions.values():
            waiting = interaction.acknowledged_at is None and not interaction.failed
            if waiting and self.world.now() - interaction.born > FIRST_ANSWER_SECONDS:
                interaction.failed = True
                self._tell(interaction)

    def close(self) -> None:
        """Stop the timers."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def state(self, i: Interaction) -> Json:
        """Show an interaction to the person's side."""
        waited = i.acknowledged_at - i.born if i.acknowledged_at is not None else None
        return {
            "interaction_id": str(i.id),
            "type": int(i.type),
            "name": i.name,
            "person": i.user.username,
            "channel_id": str(i.channel.id),
            "guild_id": str(i.guild.id) if i.guild else None,
            "created_at": i.at,
            "acknowledged": i.acknowledged_at is not None,
            "acknowledged_at": i.at + waited if waited is not None else None,
            "seconds_to_acknowledge": waited,
            "callback_type": i.callback_type,
            "failed": i.failed,
            "deferred": bool(i.response and i.response.loading),
            "ephemeral": i.ephemeral,
            "token_age": self.world.now() - i.born,
            "token_valid": self.world.now() - i.born <= TOKEN_SECONDS,
            "response_message_id": str(i.response.id) if i.response else None,
            "followup_ids": [str(f) for f in i.followups],
            "source_message_id": str(i.source.id) if i.source else None,
            "modal": i.modal,
            "choices": i.choices,
        }

    def _tell(self, i: Interaction) -> None:
        data = self.state(i)
        self.world.tell(Event("INTERACTION_STATE", data, 0, i.guild, i.channel, only=i.user, to_bot=False))

    # --- the bot's side: the callback

    def pending(self, interaction_id: int, token: str) -> Interaction:
        """Find an interaction that may still be answered; 10062, or 40060 when it was."""
        i = self.world.interactions.get(interaction_id)
        if i is None or i.token != token:
            raise ApiError(10062)
        if i.acknowledged_at is not None:
            raise ApiError(40060)
        if i.failed or self.world.now() - i.born > FIRST_ANSWER_SECONDS:
            raise ApiError(10062)
        return i

    async def answer(self, i: Interaction, body: Body) -> None:
        """Carry out a callback of any type."""
        payload = body.payload
        kind, data = self._check_callback(i, payload)
        handlers: dict[int, Callable[[Interaction, Json, Body], Any]] = {
            REPLY: self._reply,
            DEFER: self._defer,
            DEFER_UPDATE: self._defer_update,
            UPDATE: self._update,
            CHOICES: self._choices,
            MODAL: self._modal,
        }
        # Checked above and taken here without a pause: of two answers at once, one gets 40060.
        prepared = self._prepare(i, kind, data, body)
        if i.acknowledged_at is not None:
            raise ApiError(40060)
        i.acknowledged_at, i.callback_type = self.world.now(), kind
        i.ephemeral = bool(int(data.get("flags") or 0) & MessageFlag.EPHEMERAL)
        await handlers[kind](i, data, prepared)
        self._tell(i)

    def _check_callback(self, i: Interaction, payload: Any) -> tuple[int, Json]:
        form = Form()
        kind = payload.get("type") if isinstance(payload, dict) else None
        if kind is None:
            form.required(("type",))
        else:
            form.one_of(("type",), kind, ALLOWED[i.type])
        form.finish()
        if kind in (DEFER_UPDATE, UPDATE) and i.source is None:
            form.one_of(("type",), kind, (REPLY, DEFER))
            form.finish()
        data = payload.get("data") or {}
        form.model(("data",), data)
        if isinstance(data, dict):
            form.integer(("data", "flags"), data.get("flags"), low=0, high=2**31 - 1)
        form.finish()
        return int(payload["type"]), data

    def _prepare(self, i: Interaction, kind: int, data: Json, body: Body) -> Body:
        """Check the callback's data before anything is acknowledged."""
        inner = Body(data, body.files)
        form = Form()
        try:
            if kind in (REPLY, UPDATE):
                v2 = bool(kind == UPDATE and i.source and i.source.flags & MessageFlag.IS_COMPONENTS_V2)
                draft = check(inner, v2=v2)
                if kind == REPLY and not self._has_body(draft):
                    raise ApiError(50006)
            elif kind == CHOICES:
                focused = next((o["type"] for o in _leaves(i.data) if o.get("focused")), 3)
                check_choices(form, ("choices",), data.get("choices"), focused)
            elif kind == MODAL:
                check_modal(form, data)
        except ApiError as error:
            if error.errors and kind in (REPLY, UPDATE):
                raise ApiError(50035, {"data": error.errors}) from None
            raise
        form.finish()
        return inner

    def _has_body(self, draft: Draft) -> bool:
        return bool(draft.body.files) or any(draft.get(k) for k in ("content", "embeds", "components"))

    async def _reply(self, i: Interaction, data: Json, body: Body) -> None:
        kind = self._response_kind(i)
        i.responded = True
        await self._post(i, Draft(data, body), kind=kind, ephemeral=i.ephemeral, first=True)

    async def _defer(self, i: Interaction, data: Json, body: Body) -> None:
        world = self.world
        reference = self._source_reference(i)
        flags = MessageFlag.LOADING | (MessageFlag.EPHEMERAL if i.ephemeral else 0)
        message = Message(
            world.snowflake(),
            i.channel.id,
            world.bot,
            time.time(),
            type=MessageType.REPLY if reference else self._response_kind(i),
            flags=int(flags),
            reference=reference,
            interaction=i,
            ephemeral_for=i.user.id if i.ephemeral else None,
        )
        i.response, i.responded = message, True
        self.messages.add(i.channel, message)

    async def _defer_update(self, i: Interaction, data: Json, body: Body) -> None:
        i.response, i.responded = i.source, True

    async def _update(self, i: Interaction, data: Json, body: Body) -> None:
        i.response, i.responded = i.source, True
        if i.source is not None and i.source.id in i.channel.messages:
            await self.messages.edit(i.channel, i.source, Draft(data, body))

    async def _choices(self, i: Interaction, data: Json, body: Body) -> None:
        i.choices = data.get("choices") or []

    async def _modal(self, i: Interaction, data: Json, body: Body) -> None:
        i.modal = data

    def _response_kind(self, i: Interaction) -> int:
        if i.type is InteractionType.COMMAND:
            menu = i.data.get("type", 1) != 1
            return MessageType.CONTEXT_MENU_COMMAND if menu else MessageType.CHAT_INPUT_COMMAND
        return MessageType.DEFAULT

    def _source_reference(self, i: Interaction) -> Reference | None:
        if i.source is None:
            return None
        return Reference(i.channel.id, i.source.id, i.channel.guild_id)

    async def _post(
        self, i: Interaction, draft: Draft, *, kind: int, ephemeral: bool, first: bool
    ) -> Message:
        reference = self._source_reference(i)
        if not first and i.response is not None and i.response.id in i.channel.messages:
            reference = Reference(i.channel.id, i.response.id, i.channel.guild_id)
        message = await self.messages.post(
            i.channel,
            self.world.bot,
            draft,
            kind=kind,
            interaction=i,
            ephemeral=ephemeral,
            reference=reference,
        )
        if first:
            i.response = message
        else:
            i.followups.append(message.id)
        return message

    def callback_response(self, i: Interaction) -> Json:
        """Build the answer to a callback that asked for one."""
        told: Json = {"id": str(i.id), "type": int(i.type), "channel_id": str(i.channel.id)}
        if i.guild is not None:
            told["guild_id"] = str(i.guild.id)
        if i.callback_type in (REPLY, DEFER, DEFER_UPDATE, UPDATE) and i.response is not None:
            told["response_message_id"] = str(i.response.id)
            told["response_message_loading"] = i.response.loading
            told["response_message_ephemeral"] = self.world.is_ephemeral(i.response)
        shown: Json = {"interaction": told}
        # A deferred callback has no message to show yet.
        if i.callback_type in (REPLY, UPDATE) and i.response is not None:
            shown["resource"] = {
                "type": i.callback_type,
                "message": present.message(self.world, i.response),
            }
        return shown

    # --- the bot's side: the webhook of an acknowledged interaction

    def by_token(self, application_id: int, token: str) -> Interaction:
        """Find an interaction by its token; 10015 for another application, 50027 for a dead token."""
        if application_id != self.world.application_id:
            raise ApiError(10015)
        i = self.world.tokens.get(token)
        if i is None or self.world.now() - i.born > TOKEN_SECONDS:
            raise ApiError(50027)
        if i.acknowledged_at is None:
            raise ApiError(10015)
        return i

    def message(self, i: Interaction, name: str) -> Message:
        """Find `@original` or a followup by its id; 10008."""
        if name == "@original":
            if not i.responded or i.response is None:
                raise ApiError(10015 if not i.responded else 10008)
            number = i.response.id
        else:
            number = int(name) if name.isdigit() else 0
            own = {*i.followups, i.response.id if i.response else 0}
            if number not in own:
                raise ApiError(10008)
        if i.channel.id not in self.world.channels:
            raise ApiError(10003)
        found = i.channel.messages.get(number)
        if found is None:
            raise ApiError(10008)
        return found

    async def follow_up(self, i: Interaction, draft: Draft) -> Message:
        """Post a followup; the first one after a deferral becomes the deferred reply, visibility and all."""
        response = i.response
        if response is not None and response.loading and response.id in i.channel.messages:
            draft.payload.pop("nonce", None)
            message = await self.messages.edit(i.channel, response, draft)
            message.edited_timestamp = None
        else:
            ephemeral = bool(draft.flags & MessageFlag.EPHEMERAL)
            message = await self._post(i, draft, kind=MessageType.DEFAULT, ephemeral=ephemeral, first=False)
        self._tell(i)
        return message

    async def edit(self, i: Interaction, message: Message, draft: Draft) -> Message:
        """Change the response or a followup."""
        message = await self.messages.edit(i.channel, message, draft)
        self._tell(i)
        return message

    def delete(self, i: Interaction, message: Message) -> None:
        """Delete the response or a followup."""
        self.messages.delete(i.channel, message)
        self._tell(i)


def _leaves(data: Json) -> list[Json]:
    """List a command's options below its sub-commands."""
    found: list[Json] = []
    for option in data.get("options") or []:
        found += _leaves(option) if option.get("options") else [option]
    return found
