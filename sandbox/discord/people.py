"""The people: what somebody in front of a Discord client can do and see, over the control site.

A `person` is a user's name (olivia, adam, mia, rosa) or id. A `channel` is a channel's or thread's id, a
guild channel's name (stills, #stills) or "dm" for the person's direct messages with the bot. All is JSON;
where files come along it is multipart with a `payload_json` part. A mistake is {"error": sentence} with
400 (refused), or 404 (there is no such thing for this person).

GET    /discord/people                         {"people": [person]}
PATCH  /discord/people/{person}                {accepts_dms, premium_type (0 none, 1 and 3 basic, 2 Nitro),
                                               locale, nick, roles: [names], timeout_seconds,
                                               dm_refusal: null, 50007 (closed; accepts_dms is short for
                                               it), 50278 (no mutual guild) or 40003 (opening too fast)}
GET    /discord/people/{person}/places         {"places": [channel]}: what they see, threads and DM too
GET    /discord/people/{person}/commands       {"commands": [command]}: what they are offered in ?channel=
GET    /discord/people/{person}/pings          {"pings": [message]}: the messages that notified them
POST   /discord/people/{person}/dm             open the DM → {"channel_id"}
GET    /discord/people/{person}/channels/{channel}/messages    {"messages": [message]}, oldest first; ?limit=
POST   /discord/people/{person}/channels/{channel}/messages    {content, reply_to?} + file parts → message
DELETE /discord/people/{person}/channels/{channel}/messages/{message}
GET    /discord/people/{person}/channels/{channel}/threads     {"threads": [channel]}, archived ones too
POST   /discord/people/{person}/channels/{channel}/typing      they type

These five answer {"interaction_id"}:
POST   /discord/run            {person, channel, command, options: {name: value}} + one file part for each
                               attachment option, named after it; a sub-command is "group sub"
POST   /discord/autocomplete   {person, channel, command, options, focused: an option's name}
POST   /discord/menu           {person, channel, command, target: a message's id or a person}
POST   /discord/click          {person, channel, message, custom_id, values?: [values] of a select menu}
POST   /discord/submit         {person, interaction, fields: {custom_id: value}} + file parts: a modal

GET    /discord/interactions         {"interactions": [state]}
GET    /discord/interactions/{id}    state

`message` is Discord's own message object, and beside it: `ephemeral`, `deferred` (the bot is "thinking…"),
`pinged` (this person was notified), `pings` (names of all who were).
`state` is {interaction_id, type, name, person, channel_id, guild_id, created_at, acknowledged,
acknowledged_at, seconds_to_acknowledge, callback_type, failed (no answer within 3 s), deferred, ephemeral,
token_age, token_valid, response_message_id, followup_ids, source_message_id, modal, choices}.

Live, on /events: {"type": "discord", "event": name, "people": [who notices], "data": the gateway's data,
"pings"?: [who was notified]}. `event` is Discord's (MESSAGE_CREATE, THREAD_CREATE, TYPING_START, …), or
INTERACTION_STATE with a state as data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.discord import cdn, commands, present
from sandbox.discord.composer import Composer, find_user, may_use_here, offered
from sandbox.discord.errors import ApiError
from sandbox.discord.gateway import GUILD_MEMBERS
from sandbox.discord.messages import CONTENT_LIMIT, NITRO_CONTENT_LIMIT, check
from sandbox.discord.models import (
    Channel,
    ChannelType,
    Guild,
    Interaction,
    InteractionType,
    Json,
    Message,
    User,
)
from sandbox.discord.permissions import P, can_see, names
from sandbox.discord.rest import Context
from sandbox.discord.uploads import Body, read_body
from sandbox.discord.world import Event

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
DM_REFUSALS = (None, 50007, 50278, 40003)


def sentence(handler: Handler) -> Handler:
    """Turn Discord's own refusals into a ValueError, which the control site answers with a sentence."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            raise ValueError(f"Discord refuses: {error} {error.errors or ''}".strip()) from None

    return told


class PeopleRoutes:
    """The control site's routes for people."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        one = "/discord/people/{person}"
        channel = one + "/channels/{channel}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/discord/people", self.people),
            ("PATCH", one, self.change_person),
            ("GET", f"{one}/places", self.places),
            ("GET", f"{one}/commands", self.offered_commands),
            ("GET", f"{one}/pings", self.pings),
            ("POST", f"{one}/dm", self.open_dm),
            ("GET", f"{channel}/messages", self.messages),
            ("POST", f"{channel}/messages", self.post),
            ("DELETE", channel + "/messages/{message}", self.delete_message),
            ("GET", f"{channel}/threads", self.threads),
            ("POST", f"{channel}/typing", self.typing),
            ("POST", "/discord/run", self.run),
            ("POST", "/discord/autocomplete", self.autocomplete),
            ("POST", "/discord/menu", self.menu),
            ("POST", "/discord/click", self.click),
            ("POST", "/discord/submit", self.submit),
            ("GET", "/discord/interactions", self.interactions),
            ("GET", "/discord/interactions/{interaction}", self.interaction),
        ]
        return [web.route(method, path, sentence(handler)) for method, path, handler in table]

    # --- finding

    def _person(self, text: str) -> User:
        user = find_user(self.ctx.world, text)
        if user.bot:
            raise LookupError(f"{text} is no person.")
        return user

    def _asker(self, request: web.Request) -> User:
        return self._person(request.match_info["person"])

    def _channel(self, text: str, person: User) -> Channel:
        world = self.ctx.world
        channel = world.open_dm(person) if text == "dm" else find_channel(self.ctx, text)
        if not can_see(world, channel, person):
            raise LookupError(f"{person.username} sees no channel {text!r}.")
        return channel

    def _place(self, request: web.Request) -> tuple[User, Channel]:
        person = self._asker(request)
        return person, self._channel(request.match_info["channel"], person)

    def _message(self, channel: Channel, text: str, person: User) -> Message:
        message = channel.messages.get(int(text)) if text.isdigit() else None
        if message is None or not self.ctx.world.visible(message, person):
            raise LookupError(f"{person.username} sees no message {text!r} there.")
        return message

    def show_message(self, message: Message, person: User) -> Json:
        """Show a message to someone."""
        world = self.ctx.world
        return present.message(world, message) | {
            "ephemeral": message.ephemeral_for is not None,
            "deferred": message.loading,
            "pinged": person.id in message.notified,
            "pings": [world.users[u].username for u in message.notified],
        }

    # --- who and where

    def show_person(self, user: User) -> Json:
        """Show a person."""
        world = self.ctx.world
        dm = world.dm_with(user)
        return present.user(user) | {
            "name": user.username,
            "display_name": user.global_name,
            "avatar_url": cdn.avatar_url(world, user),
            "locale": user.locale,
            "premium_type": user.premium_type,
            "accepts_dms": user.dm_refusal is None,
            "dm_refusal": user.dm_refusal,
            "dm_channel_id": str(dm.id) if dm else None,
            "guilds": [self._membership(g, user) for g in world.guilds.values() if user.id in g.members],
        }

    def _membership(self, guild: Guild, user: User) -> Json:
        member = guild.members[user.id]
        return {
            "id": str(guild.id),
            "name": guild.name,
            "owner": guild.owner_id == user.id,
            "nick": member.nick,
            "roles": [guild.roles[r].name for r in member.roles],
        }

    async def people(self, request: web.Request) -> web.Response:
        """GET /discord/people."""
        people = [u for u in self.ctx.world.users.values() if not u.bot]
        return web.json_response({"people": [self.show_person(u) for u in people]})

    async def change_person(self, request: web.Request) -> web.Response:
        """PATCH /discord/people/{person}."""
        user, changes = self._asker(request), await request.json()
        if "accepts_dms" in changes:
            changes["dm_refusal"] = None if changes.pop("accepts_dms") else 50007
        if changes.get("dm_refusal") not in DM_REFUSALS:
            raise ValueError("dm_refusal is null, 50007, 50278 or 40003.")
        for key in ("dm_refusal", "premium_type", "locale"):
            if key in changes:
                setattr(user, key, changes.pop(key))
        for guild in self.ctx.world.guilds.values():
            if user.id in guild.members:
                self._change_member(guild, user, changes)
        return web.json_response(self.show_person(user))

    def _change_member(self, guild: Guild, user: User, changes: Json) -> None:
        member = guild.members[user.id]
        by_name = {role.name: role.id for role in guild.roles.values()}
        if "roles" in changes:
            if unknown := [r for r in changes["roles"] if r not in by_name]:
                raise ValueError(f"There is no role {unknown[0]!r}.")
            member.roles = [by_name[r] for r in changes["roles"]]
        if "nick" in changes:
            member.nick = changes["nick"]
        if "timeout_seconds" in changes:
            member.timed_out_until = self.ctx.world.now() + changes["timeout_seconds"]
        data = present.member(member) | {"guild_id": str(guild.id)}
        self.ctx.world.tell(Event("GUILD_MEMBER_UPDATE", data, GUILD_MEMBERS, guild))

    async def places(self, request: web.Request) -> web.Response:
        """GET …/places."""
        world, person = self.ctx.world, self._asker(request)
        seen = [c for c in world.channels.values() if can_see(world, c, person)]
        return web.json_response({"places": [self.show_channel(c, person) for c in seen]})

    def show_channel(self, channel: Channel, person: User | None = None) -> Json:
        """Show a channel, with what someone may do in it."""
        world = self.ctx.world
        shown = present.channel(world, channel)
        shown["name"] = channel.name
        shown["bot_permissions"] = names(world.permissions(channel))
        if person is not None:
            shown["permissions"] = names(world.permissions(channel, person))
        return shown

    async def offered_commands(self, request: web.Request) -> web.Response:
        """GET …/commands?channel=."""
        world, person = self.ctx.world, self._asker(request)
        channel = self._channel(request.query.get("channel", "dm"), person)
        try:
            may_use_here(world, channel, person)
        except (ValueError, LookupError):
            return web.json_response({"commands": []})
        found = offered(world, channel, person)
        shown = [commands.show(c, world.application_id, localizations=True) for c in found]
        return web.json_response({"commands": shown})

    async def pings(self, request: web.Request) -> web.Response:
        """GET …/pings."""
        person = self._asker(request)
        found = [m for c in self.ctx.world.channels.values() for m in c.messages.values()]
        told = sorted((m for m in found if person.id in m.notified), key=lambda m: m.id)
        return web.json_response({"pings": [self.show_message(m, person) for m in told]})

    async def open_dm(self, request: web.Request) -> web.Response:
        """POST …/dm."""
        dm = self.ctx.world.open_dm(self._asker(request))
        return web.json_response({"channel_id": str(dm.id)})

    # --- reading and writing

    async def messages(self, request: web.Request) -> web.Response:
        """GET …/messages."""
        person, channel = self._place(request)
        limit = int(request.query.get("limit", 100))
        bits = self.ctx.world.permissions(channel, person)
        seen = [
            m
            for m in sorted(channel.messages.values(), key=lambda m: m.id)
            if self.ctx.world.visible(m, person) and bits & P.READ_MESSAGE_HISTORY
        ]
        return web.json_response({"messages": [self.show_message(m, person) for m in seen[-limit:]]})

    async def post(self, request: web.Request) -> web.Response:
        """POST …/messages."""
        ctx = self.ctx
        person, channel = self._place(request)
        bits = ctx.world.permissions(channel, person)
        if not bits & (P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES):
            raise ValueError(f"{person.username} may not write here.")
        ctx.messages.check_thread_open(channel, bits)
        body = await self._body(request, channel, person)
        if not channel.holds_messages:
            raise ValueError("Nothing can be written in this channel itself.")
        if body.files and not bits & P.ATTACH_FILES:
            raise ValueError(f"{person.username} may not attach files here.")
        if reply_to := body.payload.pop("reply_to", None):
            body.payload["message_reference"] = {"message_id": str(reply_to)}
        body.files = {str(n): upload for n, upload in enumerate(body.files.values())}
        limit = NITRO_CONTENT_LIMIT if person.premium_type == 2 else CONTENT_LIMIT
        message = await ctx.messages.post(channel, person, check(body, content_limit=limit))
        return web.json_response(self.show_message(message, person))

    async def _body(self, request: web.Request, channel: Channel | None, person: User) -> Body:
        """Read a body whose files are named freely; the limit is the person's own."""
        world = self.ctx.world
        guild = world.guild_of(channel) if channel else next(iter(world.guilds.values()))
        limit = world.upload_limit(guild, person)
        try:
            return await read_body(request, world, limit, key=lambda name: name)
        except ApiError as error:
            if error.code == 40005:
                raise ValueError(f"Your files are too powerful: the limit is {limit} bytes.") from None
            raise

    async def delete_message(self, request: web.Request) -> web.Response:
        """DELETE …/messages/{message}."""
        person, channel = self._place(request)
        message = self._message(channel, request.match_info["message"], person)
        moderator = self.ctx.world.permissions(channel, person) & P.MANAGE_MESSAGES
        if message.author is not person and message.ephemeral_for != person.id and not moderator:
            raise ValueError(f"{person.username} may not delete this message.")
        self.ctx.messages.delete(channel, message)
        return web.json_response({})

    async def threads(self, request: web.Request) -> web.Response:
        """GET …/threads."""
        person, channel = self._place(request)
        world = self.ctx.world
        seen = [t for t in world.threads_of(channel) if can_see(world, t, person)]
        return web.json_response({"threads": [self.show_channel(t, person) for t in seen]})

    async def typing(self, request: web.Request) -> web.Response:
        """POST …/typing."""
        person, channel = self._place(request)
        self.ctx.messages.typing(channel, person)
        return web.json_response({})

    # --- using the bot

    async def _using(self, request: web.Request) -> tuple[Json, User, Channel, Body, Composer]:
        """Read a request that uses the bot somewhere."""
        world = self.ctx.world
        # The limit depends on the place, which is in the body: the largest there is comes first.
        most = max(world.settings.nitro_upload_limit, world.settings.default_upload_limit)
        body = await read_body(request, world, most, key=lambda name: name)
        asked = body.payload
        if not isinstance(asked, dict) or "person" not in asked or "channel" not in asked:
            raise ValueError("Say which person, and in which channel.")
        person = self._person(str(asked["person"]))
        channel = self._channel(str(asked["channel"]), person)
        limit = world.upload_limit(world.guild_of(channel), person)
        if any(upload.size > limit for upload in body.files.values()):
            body.discard()
            raise ValueError(f"Your files are too powerful: the limit is {limit} bytes.")
        return asked, person, channel, body, Composer(world, self.ctx.cdn, channel, person, body)

    def _started(self, interaction: Interaction) -> web.Response:
        return web.json_response({"interaction_id": str(interaction.id)})

    async def run(self, request: web.Request) -> web.Response:
        """POST /discord/run."""
        asked, person, channel, body, composer = await self._using(request)
        try:
            composer.unchecked = bool(asked.get("unchecked"))
            name, data = await composer.command(str(asked.get("command", "")), asked.get("options") or {})
        finally:
            body.discard()
        start = self.ctx.interactions.start
        return self._started(start(InteractionType.COMMAND, person, channel, data, name))

    async def autocomplete(self, request: web.Request) -> web.Response:
        """POST /discord/autocomplete."""
        asked, person, channel, _, composer = await self._using(request)
        options, focused = asked.get("options") or {}, str(asked.get("focused", ""))
        options.setdefault(focused, "")
        name, data = await composer.command(str(asked.get("command", "")), options, focused=focused)
        start = self.ctx.interactions.start
        return self._started(start(InteractionType.AUTOCOMPLETE, person, channel, data, name))

    async def menu(self, request: web.Request) -> web.Response:
        """POST /discord/menu."""
        asked, person, channel, _, composer = await self._using(request)
        text = str(asked.get("target", ""))
        target: User | Message
        if text.isdigit() and int(text) in channel.messages:
            target = self._message(channel, text, person)
        else:
            target = find_user(self.ctx.world, text)
        name, data = composer.menu(str(asked.get("command", "")), target)
        start = self.ctx.interactions.start
        return self._started(start(InteractionType.COMMAND, person, channel, data, name))

    async def click(self, request: web.Request) -> web.Response:
        """POST /discord/click."""
        asked, person, channel, _, composer = await self._using(request)
        message = self._message(channel, str(asked.get("message", "")), person)
        custom_id = str(asked.get("custom_id", ""))
        data = composer.click(message, custom_id, asked.get("values"))
        i = self.ctx.interactions.start(
            InteractionType.COMPONENT, person, channel, data, custom_id, source=message
        )
        return self._started(i)

    async def submit(self, request: web.Request) -> web.Response:
        """POST /discord/submit: the channel is the opened modal's; more files of "still" are "still/1" …"""
        world = self.ctx.world
        body = await read_body(request, world, world.settings.nitro_upload_limit, key=lambda name: name)
        opened = self._interaction(str(body.payload.get("interaction", "")))
        person = self._person(str(body.payload.get("person") or opened.user.username))
        if person is not opened.user:
            raise LookupError(f"{person.username} has no such modal open.")
        composer = Composer(world, self.ctx.cdn, opened.channel, person, body)
        try:
            data = await composer.modal(opened, body.payload.get("fields") or {})
        finally:
            body.discard()
        i = self.ctx.interactions.start(
            InteractionType.MODAL_SUBMIT,
            person,
            opened.channel,
            data,
            data["custom_id"],
            source=opened.source,
            parent=opened,
        )
        return self._started(i)

    # --- what became of it

    def _interaction(self, text: str) -> Interaction:
        found = self.ctx.world.interactions.get(int(text)) if text.isdigit() else None
        if found is None:
            raise LookupError(f"There is no interaction {text!r}.")
        return found

    async def interaction(self, request: web.Request) -> web.Response:
        """GET /discord/interactions/{id}."""
        found = self._interaction(request.match_info["interaction"])
        return web.json_response(self.ctx.interactions.state(found))

    async def interactions(self, request: web.Request) -> web.Response:
        """GET /discord/interactions."""
        found = self.ctx.world.interactions.values()
        return web.json_response({"interactions": [self.ctx.interactions.state(i) for i in found]})


def find_channel(ctx: Context, text: str) -> Channel:
    """Find a channel by id or name; of threads with the same name, the newest."""
    wanted = text.removeprefix("#")
    found = [
        c
        for c in ctx.world.channels.values()
        if wanted == str(c.id) or (wanted == c.name and c.type not in (ChannelType.DM, ChannelType.CATEGORY))
    ]
    if not found:
        raise LookupError(f"There is no channel {text!r}.")
    return max(found, key=lambda c: (not c.is_thread, c.id))
