"""REST: channels, messages, threads, typing and direct messages."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.discord import present
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.messages import check
from sandbox.discord.models import (
    Channel,
    ChannelType,
    Json,
    Message,
    MessageFlag,
    MessageType,
)
from sandbox.discord.permissions import P
from sandbox.discord.ratelimits import json_response
from sandbox.discord.rest import API, Context, number, whole
from sandbox.discord.threads import Threads, check_thread
from sandbox.discord.uploads import Body, read_object


class ChannelRoutes:
    """The routes below /channels, and /users/@me/channels."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        channel = API + "/channels/{channel}"
        message = channel + "/messages/{message}"
        return [
            web.get(channel, self.get_channel),
            web.patch(channel, self.edit_channel),
            web.delete(channel, self.delete_channel),
            web.get(f"{channel}/messages", self.list_messages),
            web.post(f"{channel}/messages", self.post_message),
            web.get(message, self.get_message),
            web.patch(message, self.edit_message),
            web.delete(message, self.delete_message),
            web.post(f"{channel}/typing", self.typing),
            web.post(f"{message}/threads", self.thread_from_message),
            web.post(f"{channel}/threads", self.start_thread),
            web.get(f"{channel}/threads/archived/public", self.archived_public),
            web.get(f"{channel}/threads/archived/private", self.archived_private),
            web.get(f"{channel}/users/@me/threads/archived/private", self.archived_private),
            web.get(f"{channel}/thread-members", self.thread_members),
            web.get(channel + "/thread-members/{user}", self.thread_member),
            web.put(channel + "/thread-members/{user}", self.join_thread),
            web.delete(channel + "/thread-members/{user}", self.leave_thread),
            web.post(f"{API}/users/@me/channels", self.open_dm),
        ]

    @property
    def _threads(self) -> Threads:
        return Threads(self.ctx.world, self.ctx.messages)

    # --- channels

    async def get_channel(self, request: web.Request) -> web.Response:
        """GET /channels/{channel}."""
        return json_response(present.channel(self.ctx.world, self.ctx.channel(request)))

    async def edit_channel(self, request: web.Request) -> web.Response:
        """PATCH /channels/{channel}: a thread's state, or a channel's name and topic."""
        channel = self.ctx.channel(request)
        payload = await read_object(request)
        if channel.recipient is not None:
            raise ApiError(50003)
        if channel.is_thread:
            self._threads.edit_as_bot(channel, payload)
        else:
            self._edit_guild_channel(channel, payload)
        return json_response(present.channel(self.ctx.world, channel))

    def _edit_guild_channel(self, channel: Channel, payload: Json) -> None:
        self.ctx.world.require(channel, P.MANAGE_CHANNELS)
        form = Form()
        form.string(("name",), payload.get("name"), low=1, high=100)
        form.string(
            ("topic",), payload.get("topic"), high=4096 if channel.type is ChannelType.FORUM else 1024
        )
        form.integer(("rate_limit_per_user",), payload.get("rate_limit_per_user"), low=0, high=21600)
        form.finish()
        channel.name = payload.get("name") or channel.name
        channel.topic = payload.get("topic", channel.topic)
        channel.nsfw = bool(payload.get("nsfw", channel.nsfw))
        channel.rate_limit_per_user = payload.get("rate_limit_per_user") or 0
        self._threads.tell_channel("CHANNEL_UPDATE", channel)

    async def delete_channel(self, request: web.Request) -> web.Response:
        """DELETE /channels/{channel}: delete it, or close a DM."""
        channel = self.ctx.channel(request)
        shown = present.channel(self.ctx.world, channel)
        if channel.recipient is None:
            needed = P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS
            self.ctx.world.require(channel, needed)
            self._threads.delete(channel)
        return json_response(shown)

    # --- messages

    def _show(self, message: Message, *, nonce: bool = False) -> Json:
        shown = present.message(self.ctx.world, message, nonce=nonce)
        return shown if self._may_read(message) else present.strip_content(shown)

    def _may_read(self, message: Message) -> bool:
        world = self.ctx.world
        return (
            "message_content" in world.settings.privileged_intents
            or message.author is world.bot
            or world.bot.id in message.mentions
            or world.channels[message.channel_id].recipient is not None
        )

    def _readable(self, request: web.Request) -> Channel:
        channel = self.ctx.channel(request)
        if not channel.holds_messages:
            raise ApiError(50008)
        return channel

    def _message(self, channel: Channel, request: web.Request) -> Message:
        return self.ctx.world.message(channel, number(request, "message"))

    async def list_messages(self, request: web.Request) -> web.Response:
        """GET /channels/{channel}/messages, newest first; nothing without READ_MESSAGE_HISTORY."""
        channel = self._readable(request)
        limit = whole(request, "limit", 50, 1, 100)
        if not self.ctx.world.permissions(channel) & P.READ_MESSAGE_HISTORY:
            return json_response([])
        shown = [m for m in sorted(channel.messages.values(), key=lambda m: m.id) if m.ephemeral_for is None]
        before, after = whole(request, "before", 0, 0, 2**63), whole(request, "after", -1, 0, 2**63)
        around = whole(request, "around", 0, 0, 2**63)
        if around:
            older = [m for m in shown if m.id <= around][-(limit // 2 + 1) :]
            newer = [m for m in shown if m.id > around]
            found = older + newer[: limit - len(older)]
        elif before:
            found = [m for m in shown if m.id < before][-limit:]
        elif after >= 0:
            found = [m for m in shown if m.id > after][:limit]
        else:
            found = shown[-limit:]
        return json_response([self._show(m) for m in reversed(found)])

    async def get_message(self, request: web.Request) -> web.Response:
        """GET /channels/{channel}/messages/{message}."""
        channel = self._readable(request)
        self.ctx.world.require(channel, P.READ_MESSAGE_HISTORY)
        return json_response(self._show(self._message(channel, request)))

    async def post_message(self, request: web.Request) -> web.Response:
        """POST /channels/{channel}/messages."""
        ctx = self.ctx
        channel = ctx.channel(request)
        body = await ctx.body(request, ctx.world.upload_limit(ctx.world.guild_of(channel)))
        draft = check(body)
        ctx.messages.check_place(channel, draft)
        nonce = draft.get("nonce")
        if not draft.get("enforce_nonce") or nonce is None:
            return json_response(
                self._show(await ctx.messages.post(channel, ctx.world.bot, draft), nonce=True)
            )
        async with ctx.nonce_lock(channel, nonce):
            message = ctx.world.find_nonce(ctx.world.bot, channel, nonce)
            message = message or await ctx.messages.post(channel, ctx.world.bot, draft)
        return json_response(self._show(message, nonce=True))

    async def edit_message(self, request: web.Request) -> web.Response:
        """PATCH /channels/{channel}/messages/{message}."""
        ctx = self.ctx
        channel = self._readable(request)
        message = self._message(channel, request)
        body = await ctx.body(request, ctx.world.upload_limit(ctx.world.guild_of(channel)))
        if message.author is not ctx.world.bot:
            self._suppress_embeds(channel, message, body)
            return json_response(self._show(message))
        if message.type == MessageType.THREAD_STARTER_MESSAGE:
            raise ApiError(50021)
        draft = check(body, v2=bool(message.flags & MessageFlag.IS_COMPONENTS_V2))
        age = ctx.world.now() - message.born
        if refused := ctx.old_edits.take(channel.id, age, ctx.world.settings.old_edits):
            return refused
        return json_response(self._show(await ctx.messages.edit(channel, message, draft)))

    def _suppress_embeds(self, channel: Channel, message: Message, body: Body) -> None:
        """Change what others may: the SUPPRESS_EMBEDS flag, with MANAGE_MESSAGES."""
        if not isinstance(body.payload, dict) or set(body.payload) - {"flags"}:
            raise ApiError(50005)
        self.ctx.world.require(channel, P.MANAGE_MESSAGES)
        wanted = int(body.payload.get("flags") or 0) & MessageFlag.SUPPRESS_EMBEDS
        message.flags = message.flags & ~MessageFlag.SUPPRESS_EMBEDS | wanted
        self.ctx.messages.tell("MESSAGE_UPDATE", channel, message)

    async def delete_message(self, request: web.Request) -> web.Response:
        """DELETE /channels/{channel}/messages/{message}."""
        channel = self._readable(request)
        message = self._message(channel, request)
        if message.author is not self.ctx.world.bot:
            self.ctx.world.require(channel, P.MANAGE_MESSAGES)
        if channel.thread is not None and channel.thread.archived:
            raise ApiError(50083)
        self.ctx.messages.delete(channel, message)
        return web.Response(status=204)

    async def typing(self, request: web.Request) -> web.Response:
        """POST /channels/{channel}/typing."""
        channel = self.ctx.channel(request)
        if channel.guild_id is not None:
            sending = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
            self.ctx.world.require(channel, sending)
        self.ctx.messages.typing(channel, self.ctx.world.bot)
        return web.Response(status=204)

    async def open_dm(self, request: web.Request) -> web.Response:
        """POST /users/@me/channels; 40003. 50007 and 50278 come with the first message, not here."""
        payload = await read_object(request)
        recipient = payload.get("recipient_id")
        form = Form()
        form.snowflake(("recipient_id",), recipient, required=True)
        form.finish()
        user = self.ctx.world.users.get(int(str(recipient)))
        if user is None:
            form.wrong(("recipient_id",), "INVALID_RECIPIENT", "Unknown User")
            form.finish()
        if user is None or user.bot:
            raise ApiError(50007)
        if user.dm_refusal == 40003:
            raise ApiError(40003)
        return json_response(present.channel(self.ctx.world, self.ctx.world.open_dm(user)))

    # --- threads

    async def thread_from_message(self, request: web.Request) -> web.Response:
        """POST /channels/{channel}/messages/{message}/threads: the thread gets the message's id."""
        channel = self.ctx.channel(request)
        payload = await read_object(request)
        if channel.type not in (ChannelType.TEXT, ChannelType.ANNOUNCEMENT):
            raise ApiError(50024)
        check_thread(payload)
        self.ctx.world.require(channel, P.CREATE_PUBLIC_THREADS)
        message = self._message(channel, request)
        thread = self._threads.from_message(channel, message, self.ctx.world.bot, payload)
        return json_response(present.thread(self.ctx.world, thread), 201)

    async def start_thread(self, request: web.Request) -> web.Response:
        """POST /channels/{channel}/threads: a thread without a message, or a forum post with one."""
        ctx = self.ctx
        channel = ctx.channel(request)
        body = await ctx.body(request, ctx.world.upload_limit(ctx.world.guild_of(channel)))
        payload: Any = body.payload
        if channel.type is ChannelType.FORUM:
            thread, message = await self._forum_post(channel, body)
            shown = present.thread(ctx.world, thread) | {"message": self._show(message)}
            return json_response(shown, 201)
        if channel.type not in (ChannelType.TEXT, ChannelType.ANNOUNCEMENT):
            raise ApiError(50024)
        kind = ChannelType(
            check_thread(payload, types=(10, 11, 12)).get("type") or ChannelType.PRIVATE_THREAD
        )
        private = kind is ChannelType.PRIVATE_THREAD
        ctx.world.require(channel, P.CREATE_PRIVATE_THREADS if private else P.CREATE_PUBLIC_THREADS)
        thread = self._threads.start(channel, kind, ctx.world.bot, payload)
        return json_response(present.thread(ctx.world, thread), 201)

    async def _forum_post(self, channel: Channel, body: Body) -> tuple[Channel, Message]:
        payload = check_thread(body.payload)
        form = Form()
        if not isinstance(payload.get("message"), dict):
            form.required(("message",))
        form.finish()
        draft = check(Body(payload["message"], body.files))
        self.ctx.world.require(channel, P.SEND_MESSAGES)
        return await self._threads.forum_post(channel, self.ctx.world.bot, payload, draft)

    def _archived(self, request: web.Request, kinds: tuple[ChannelType, ...]) -> web.Response:
        world = self.ctx.world
        channel = self.ctx.channel(request)
        world.require(channel, P.READ_MESSAGE_HISTORY)
        limit = whole(request, "limit", 50, 2, 100)
        found = [t for t in world.threads_of(channel) if t.thread and t.thread.archived and t.type in kinds]
        found.sort(key=lambda t: t.thread.archived_at if t.thread else 0.0, reverse=True)
        found = [t for t in found if world.permissions(t)]
        joined = [t for t in found[:limit] if t.thread and world.bot.id in t.thread.members]
        shown = {
            "threads": [present.thread(world, t) for t in found[:limit]],
            "members": [present.thread_member(t, world.bot.id) for t in joined],
            "has_more": len(found) > limit,
        }
        return json_response(shown)

    async def archived_public(self, request: web.Request) -> web.Response:
        """GET /channels/{channel}/threads/archived/public."""
        return self._archived(request, (ChannelType.PUBLIC_THREAD, ChannelType.ANNOUNCEMENT_THREAD))

    async def archived_private(self, request: web.Request) -> web.Response:
        """GET …/threads/archived/private."""
        return self._archived(request, (ChannelType.PRIVATE_THREAD,))

    def _thread(self, request: web.Request) -> Channel:
        channel = self.ctx.channel(request)
        if channel.thread is None:
            raise ApiError(50024)
        return channel

    async def thread_members(self, request: web.Request) -> web.Response:
        """GET /channels/{channel}/thread-members: needs the privileged intent."""
        channel = self._thread(request)
        if "members" not in self.ctx.world.settings.privileged_intents:
            raise ApiError(50001)
        ids = channel.thread.members if channel.thread else {}
        return json_response([present.thread_member(channel, u) for u in ids])

    async def thread_member(self, request: web.Request) -> web.Response:
        """GET /channels/{channel}/thread-members/{user}."""
        channel = self._thread(request)
        user = self.ctx.user(request.match_info["user"])
        if channel.thread is None or user.id not in channel.thread.members:
            raise ApiError(10007)
        return json_response(present.thread_member(channel, user.id))

    async def join_thread(self, request: web.Request) -> web.Response:
        """PUT /channels/{channel}/thread-members/{user}."""
        channel = self._thread(request)
        if channel.thread and channel.thread.archived:
            raise ApiError(50083)
        user = self.ctx.user(request.match_info["user"])
        if user is not self.ctx.world.bot:
            self.ctx.world.require(channel, P.SEND_MESSAGES_IN_THREADS)
        self.ctx.messages.join(channel, [user.id])
        return web.Response(status=204)

    async def leave_thread(self, request: web.Request) -> web.Response:
        """DELETE /channels/{channel}/thread-members/{user}."""
        channel = self._thread(request)
        user = self.ctx.user(request.match_info["user"])
        if user is not self.ctx.world.bot:
            self.ctx.world.require(channel, P.MANAGE_THREADS)
        if channel.thread is not None:
            channel.thread.members.pop(user.id, None)
        return web.Response(status=204)
