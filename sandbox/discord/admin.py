"""Administration over the control site: what the owner of a server, or Discord itself, does to a bot.

`channel` is an id or a name, as in `sandbox.discord.people`; permissions are Discord's names (SEND_MESSAGES).

GET    /discord/state            bot, guilds (channels, threads, roles, members), settings, clock, gateway
PATCH  /discord/settings         any of: default_upload_limit, nitro_upload_limit, basic_upload_limit (bytes),
                                 privileged_intents (list of members, presences, message_content),
                                 heartbeat_interval, identify_interval (seconds), rate_limits (bool), shards,
                                 interaction_copies (how often each INTERACTION_CREATE comes on one socket),
                                 replay_interactions (bool: a RESUME brings those seen before as well),
                                 old_edits (edits of messages older than an hour that a channel takes in 6
                                 seconds before 429 with code 30046; 0: no limit),
                                 invalid_request_limit (answers 401, 403 and 429 in 10 minutes before the
                                 ban), ban_seconds, favourable_app_permissions (bool: an interaction in a
                                 private thread says what the bot could do there if it were invited),
                                 escaped_links (bool: attachments' addresses hold an escape that rewriting
                                 loses), sessions_remaining (of the day's IDENTIFYs; one more voids the
                                 token: REST 401, gateway 4004, until this is set again)
PATCH  /discord/guild            {premium_tier, name, preferred_locale}
POST   /discord/guild/bot        put the bot back into the guild
DELETE /discord/guild/bot        remove the bot from the guild; with ?commands=1 the app's commands stay
PATCH  /discord/guild/roles/{role}      {permissions: [names]} or {allow: [names], deny: [names]}

POST   /discord/channels                {name, type, parent?} → channel
                                        type: text, announcement, voice, stage, forum or category
PATCH  /discord/channels/{channel}      {name, topic, parent}; for a thread {archived, locked, name}
DELETE /discord/channels/{channel}
PUT    /discord/channels/{channel}/overwrites/{target}    {allow: [names], deny: [names]} → channel
DELETE /discord/channels/{channel}/overwrites/{target}    target: a role, a person, the bot or everyone
POST   /discord/channels/{channel}/threads      {person, name, private?, message?} → channel
POST   /discord/channels/{channel}/posts        {person, name, content} → channel, a forum post
DELETE /discord/channels/{channel}/messages/{message}

GET    /discord/clock                   {"now", "shift"}
POST   /discord/clock                   {"forward": seconds}: the clock of the limits (3 seconds, 15 minutes,
                                        signed addresses, nonces); ids and timestamps stay on the real one
POST   /discord/ban                     {"seconds"}: Cloudflare's page for all requests to the API, for a
                                        while on the clock of the limits; 0 ends it
POST   /discord/gateway/reconnect       op 7 to every session
POST   /discord/gateway/invalidate      {"resumable": bool}: op 9
POST   /discord/gateway/close           {"code", "resumable"?}: close with a raw code; 0 cuts the connection
POST   /discord/gateway/refuse          {"seconds"}: accept no connection for a while; 0 ends it
"""

from __future__ import annotations

import time

from aiohttp import web

from sandbox.discord import present
from sandbox.discord.composer import find_user
from sandbox.discord.gateway import INVALID_SESSION, PRIVILEGED, RECONNECT, Gateway, Session
from sandbox.discord.messages import Draft
from sandbox.discord.models import Channel, ChannelType, Guild, Json, Member, Overwrite, User
from sandbox.discord.people import Handler, PeopleRoutes, find_channel, sentence
from sandbox.discord.permissions import names, parse
from sandbox.discord.rest import Context
from sandbox.discord.threads import Threads
from sandbox.discord.uploads import Body
from sandbox.discord.world import Event

CHANNEL_TYPES = {
    "text": ChannelType.TEXT,
    "announcement": ChannelType.ANNOUNCEMENT,
    "voice": ChannelType.VOICE,
    "stage": ChannelType.STAGE,
    "forum": ChannelType.FORUM,
    "category": ChannelType.CATEGORY,
}
SETTABLE: dict[str, type | tuple[type, ...]] = {
    "default_upload_limit": int,
    "nitro_upload_limit": int,
    "basic_upload_limit": int,
    "privileged_intents": list,
    "heartbeat_interval": (int, float),
    "identify_interval": (int, float),
    "rate_limits": bool,
    "shards": int,
    "interaction_copies": int,
    "replay_interactions": bool,
    "old_edits": int,
    "invalid_request_limit": int,
    "ban_seconds": (int, float),
    "favourable_app_permissions": bool,
    "escaped_links": bool,
    "sessions_remaining": int,
}
SMALLEST = {"invalid_request_limit": 1, "interaction_copies": 1}


class AdminRoutes:
    """The control site's routes for whoever runs the place."""

    def __init__(self, ctx: Context, gateway: Gateway) -> None:
        self.ctx = ctx
        self.gateway = gateway
        self.people = PeopleRoutes(ctx)

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        channel = "/discord/channels/{channel}"
        overwrite = channel + "/overwrites/{target}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/discord/state", self.state),
            ("PATCH", "/discord/settings", self.change_settings),
            ("PATCH", "/discord/guild", self.change_guild),
            ("POST", "/discord/guild/bot", self.add_bot),
            ("DELETE", "/discord/guild/bot", self.remove_bot),
            ("PATCH", "/discord/guild/roles/{role}", self.change_role),
            ("POST", "/discord/channels", self.create_channel),
            ("PATCH", channel, self.change_channel),
            ("DELETE", channel, self.delete_channel),
            ("PUT", overwrite, self.set_overwrite),
            ("DELETE", overwrite, self.clear_overwrite),
            ("POST", f"{channel}/threads", self.start_thread),
            ("POST", f"{channel}/posts", self.forum_post),
            ("DELETE", channel + "/messages/{message}", self.delete_message),
            ("GET", "/discord/clock", self.clock),
            ("POST", "/discord/clock", self.move_clock),
            ("POST", "/discord/ban", self.ban),
            ("POST", "/discord/gateway/reconnect", self.gateway_reconnect),
            ("POST", "/discord/gateway/invalidate", self.gateway_invalidate),
            ("POST", "/discord/gateway/close", self.gateway_close),
            ("POST", "/discord/gateway/refuse", self.gateway_refuse),
        ]
        return [web.route(method, path, sentence(handler)) for method, path, handler in table]

    @property
    def _threads(self) -> Threads:
        return Threads(self.ctx.world, self.ctx.messages)

    @property
    def _guild(self) -> Guild:
        return next(iter(self.ctx.world.guilds.values()))

    def _channel(self, request: web.Request) -> Channel:
        return find_channel(self.ctx, request.match_info["channel"])

    def _show(self, channel: Channel) -> web.Response:
        return web.json_response(self.people.show_channel(channel))

    # --- the whole picture

    async def state(self, request: web.Request) -> web.Response:
        """GET /discord/state."""
        world = self.ctx.world
        shown = {
            "bot": present.user(world.bot),
            "application_id": str(world.application_id),
            "guilds": [self._show_guild(g) for g in world.guilds.values()],
            "settings": {name: getattr(world.settings, name) for name in SETTABLE},
            "clock": self._clock(),
            "gateway": {
                "connections": len(self.gateway.connections),
                "sessions": [self._show_session(s) for s in self.gateway.sessions.values()],
                "refused_until": world.settings.refuse_gateway_until,
            },
            "invalid_requests_in_10_minutes": self.ctx.edge.count(world),
            "banned_for": max(0.0, self.ctx.edge.banned_until - world.now()),
            "token_reset": world.token_reset,
            "commands": [c.body | {"id": str(c.id)} for c in world.commands.values()],
        }
        return web.json_response(shown)

    def _show_guild(self, guild: Guild) -> Json:
        world = self.ctx.world
        return present.guild(world, guild) | {
            "upload_limit": world.upload_limit(guild),
            "bot_is_member": world.bot.id in guild.members,
            "commands_only": guild.commands_only,
            "channels": [present.channel(world, c) for c in world.channels_of(guild)],
            "threads": [present.channel(world, c) for c in world.channels_of(guild, threads=True)],
            "members": [present.member(m) for m in guild.members.values()],
        }

    def _show_session(self, session: Session) -> Json:
        return {
            "session_id": session.id,
            "shard": list(session.shard),
            "intents": session.intents,
            "sequence": session.sequence,
            "connected": session.connection is not None,
        }

    async def change_settings(self, request: web.Request) -> web.Response:
        """PATCH /discord/settings."""
        changes = await request.json()
        for name, value in changes.items():
            kind = SETTABLE.get(name)
            if kind is None:
                raise ValueError(f"There is no setting {name!r}; there are {', '.join(SETTABLE)}.")
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise ValueError(f"{value!r} is no value for {name!r}.")
            if isinstance(value, int | float) and value < SMALLEST.get(name, 0):
                raise ValueError(f"{name} must be at least {SMALLEST.get(name, 0)}.")
        if unknown := set(changes.get("privileged_intents", [])) - set(PRIVILEGED):
            raise ValueError(f"{unknown.pop()!r} is no privileged intent: {', '.join(PRIVILEGED)}.")
        if "sessions_remaining" in changes:
            self.ctx.world.token_reset = False
        settings = self.ctx.world.settings
        for name, value in changes.items():
            setattr(settings, name, value)
        return web.json_response({name: getattr(settings, name) for name in SETTABLE})

    # --- the guild

    async def change_guild(self, request: web.Request) -> web.Response:
        """PATCH /discord/guild."""
        changes, guild = await request.json(), self._guild
        if changes.get("premium_tier", 0) not in (0, 1, 2, 3):
            raise ValueError("premium_tier is 0, 1, 2 or 3.")
        for name in ("premium_tier", "name", "preferred_locale"):
            if name in changes:
                setattr(guild, name, changes[name])
        data = present.guild(self.ctx.world, guild)
        self.ctx.world.tell(Event("GUILD_UPDATE", data, 1, guild))
        return web.json_response(self._show_guild(guild))

    async def remove_bot(self, request: web.Request) -> web.Response:
        """DELETE /discord/guild/bot."""
        world, guild = self.ctx.world, self._guild
        guild.commands_only = request.query.get("commands") == "1"
        if guild.members.pop(world.bot.id, None) is not None:
            world.tell(Event("GUILD_DELETE", {"id": str(guild.id)}, 1, guild))
        return web.json_response(self._show_guild(guild))

    async def add_bot(self, request: web.Request) -> web.Response:
        """POST /discord/guild/bot."""
        world, guild = self.ctx.world, self._guild
        if world.bot.id not in guild.members:
            own = [r.id for r in guild.roles.values() if r.bot_id == world.bot.id]
            guild.members[world.bot.id] = Member(world.bot, own, time.time())
            guild.commands_only = False
            data = present.guild_create(world, guild, all_members=False)
            world.tell(Event("GUILD_CREATE", data, 1, guild))
        return web.json_response(self._show_guild(guild))

    async def change_role(self, request: web.Request) -> web.Response:
        """PATCH /discord/guild/roles/{role}."""
        changes, guild = await request.json(), self._guild
        role = guild.roles[self._role_id(request.match_info["role"])]
        if "permissions" in changes:
            role.permissions = parse(changes["permissions"])
        role.permissions |= parse(changes.get("allow", []))
        role.permissions &= ~parse(changes.get("deny", []))
        data = {"guild_id": str(guild.id), "role": present.role(role)}
        self.ctx.world.tell(Event("GUILD_ROLE_UPDATE", data, 1, guild))
        return web.json_response(present.role(role) | {"permission_names": names(role.permissions)})

    def _role_id(self, text: str) -> int:
        for role in self._guild.roles.values():
            if text in (role.name, role.name.removeprefix("@"), str(role.id)):
                return role.id
        raise LookupError(f"There is no role {text!r}.")

    # --- channels

    async def create_channel(self, request: web.Request) -> web.Response:
        """POST /discord/channels: in a category it starts in sync with it."""
        asked, world = await request.json(), self.ctx.world
        if asked.get("type", "text") not in CHANNEL_TYPES:
            raise ValueError(f"type is one of {', '.join(CHANNEL_TYPES)}.")
        if not asked.get("name"):
            raise ValueError("A channel needs a name.")
        parent = self._category(asked.get("parent"))
        kind = CHANNEL_TYPES[asked.get("type", "text")]
        channel = Channel(world.snowflake(), kind, self._guild.id, asked["name"])
        channel.position = len(world.channels_of(self._guild))
        if parent is not None:
            channel.parent_id = parent.id
            channel.overwrites = {
                o.id: Overwrite(o.id, o.type, o.allow, o.deny) for o in parent.overwrites.values()
            }
        world.channels[channel.id] = channel
        self._threads.tell_channel("CHANNEL_CREATE", channel)
        return self._show(channel)

    def _category(self, text: str | None) -> Channel | None:
        if text is None:
            return None
        for channel in self.ctx.world.channels.values():
            if channel.type is ChannelType.CATEGORY and text in (channel.name, str(channel.id)):
                return channel
        raise LookupError(f"There is no category {text!r}.")

    async def change_channel(self, request: web.Request) -> web.Response:
        """PATCH /discord/channels/{channel}."""
        channel, changes = self._channel(request), await request.json()
        if channel.is_thread:
            self._threads.edit(channel, changes)
            return self._show(channel)
        for name in ("name", "topic", "nsfw"):
            if name in changes:
                setattr(channel, name, changes[name])
        if "parent" in changes:
            parent = self._category(changes["parent"])
            channel.parent_id = parent.id if parent else None
        self._threads.tell_channel("CHANNEL_UPDATE", channel)
        return self._show(channel)

    async def delete_channel(self, request: web.Request) -> web.Response:
        """DELETE /discord/channels/{channel}."""
        self._threads.delete(self._channel(request))
        return web.json_response({})

    def _target(self, text: str) -> tuple[int, int]:
        try:
            return self._role_id(text), 0
        except LookupError:
            return find_user(self.ctx.world, text).id, 1

    async def set_overwrite(self, request: web.Request) -> web.Response:
        """PUT …/overwrites/{target}."""
        asked, channel = await request.json(), self._channel(request)
        if channel.is_thread:
            raise ValueError("A thread has no overwrites of its own: change its channel.")
        target, kind = self._target(request.match_info["target"])
        allow, deny = parse(asked.get("allow", [])), parse(asked.get("deny", []))
        channel.overwrites[target] = Overwrite(target, kind, allow, deny)
        self._threads.tell_channel("CHANNEL_UPDATE", channel)
        return self._show(channel)

    async def clear_overwrite(self, request: web.Request) -> web.Response:
        """DELETE …/overwrites/{target}."""
        channel = self._channel(request)
        target, _ = self._target(request.match_info["target"])
        channel.overwrites.pop(target, None)
        self._threads.tell_channel("CHANNEL_UPDATE", channel)
        return self._show(channel)

    def _person(self, asked: Json) -> User:
        return find_user(self.ctx.world, str(asked.get("person", "")))

    async def start_thread(self, request: web.Request) -> web.Response:
        """POST …/threads."""
        asked, channel = await request.json(), self._channel(request)
        person = self._person(asked)
        payload = {"name": asked.get("name") or "A thread"}
        if asked.get("message"):
            message = self.ctx.world.message(channel, int(asked["message"]))
            return self._show(self._threads.from_message(channel, message, person, payload))
        kind = ChannelType.PRIVATE_THREAD if asked.get("private") else ChannelType.PUBLIC_THREAD
        return self._show(self._threads.start(channel, kind, person, payload))

    async def forum_post(self, request: web.Request) -> web.Response:
        """POST …/posts."""
        asked, channel = await request.json(), self._channel(request)
        if channel.type is not ChannelType.FORUM:
            raise ValueError("Only a forum has posts.")
        draft = Draft({"content": asked.get("content") or "Look!"}, Body())
        payload = {"name": asked.get("name") or "A post"}
        made, _ = await self._threads.forum_post(channel, self._person(asked), payload, draft)
        return self._show(made)

    async def delete_message(self, request: web.Request) -> web.Response:
        """DELETE …/messages/{message}."""
        channel = self._channel(request)
        found = channel.messages.get(int(request.match_info["message"]))
        if found is None:
            raise LookupError("There is no such message.")
        self.ctx.messages.delete(channel, found)
        return web.json_response({})

    # --- the clock

    def _clock(self) -> Json:
        return {"now": self.ctx.world.now(), "shift": self.ctx.world.clock_shift}

    async def clock(self, request: web.Request) -> web.Response:
        """GET /discord/clock."""
        return web.json_response(self._clock())

    async def move_clock(self, request: web.Request) -> web.Response:
        """POST /discord/clock."""
        seconds = (await request.json()).get("forward")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ValueError("forward must be a number of seconds, 0 or more.")
        self.ctx.world.clock_shift += seconds
        self.ctx.interactions.look_at_clock()
        return web.json_response(self._clock())

    # --- the edge

    async def ban(self, request: web.Request) -> web.Response:
        """POST /discord/ban."""
        seconds = (await request.json()).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ValueError("seconds must be a number, 0 or more.")
        self.ctx.edge.ban(self.ctx.world, seconds)
        return web.json_response({"banned_for": seconds})

    # --- the gateway

    async def gateway_reconnect(self, request: web.Request) -> web.Response:
        """POST /discord/gateway/reconnect."""
        return web.json_response({"sessions": self.gateway.send_all({"op": RECONNECT})})

    async def gateway_invalidate(self, request: web.Request) -> web.Response:
        """POST /discord/gateway/invalidate."""
        asked = await request.json() if request.can_read_body else {}
        resumable = bool(asked.get("resumable", False))
        count = self.gateway.send_all({"op": INVALID_SESSION, "d": resumable})
        if not resumable:
            self.gateway.forget_sessions()
        return web.json_response({"sessions": count})

    async def gateway_close(self, request: web.Request) -> web.Response:
        """POST /discord/gateway/close."""
        asked = await request.json() if request.can_read_body else {}
        code, resumable = int(asked.get("code", 4000)), bool(asked.get("resumable", True))
        if code == 0:
            return web.json_response({"sessions": self.gateway.drop_all()})
        if not 1000 <= code <= 4999:
            raise ValueError("code is a WebSocket close code, or 0 to drop the connection.")
        count = self.gateway.close_all(code, "Closed on request.", resumable=resumable)
        return web.json_response({"sessions": count})

    async def gateway_refuse(self, request: web.Request) -> web.Response:
        """POST /discord/gateway/refuse."""
        seconds = float((await request.json()).get("seconds", 60))
        self.ctx.world.settings.refuse_gateway_until = time.time() + seconds
        return web.json_response({"refused_until": self.ctx.world.settings.refuse_gateway_until})
