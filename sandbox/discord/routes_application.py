"""REST: the gateway's address, the bot's own account, its application and its commands, guilds."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from sandbox.discord import commands, present
from sandbox.discord.commands import Command, check_all, check_command, show
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.models import Guild, Json
from sandbox.discord.permissions import can_see, guild_permissions
from sandbox.discord.ratelimits import json_response
from sandbox.discord.rest import API, Context, flag, number, whole
from sandbox.discord.uploads import read_json, read_object


class ApplicationRoutes:
    """The routes that are about the application itself and the guilds it is in."""

    def __init__(self, ctx: Context, starts: Callable[[], Json]) -> None:
        self.ctx = ctx
        self._starts = starts

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        app = API + "/applications/{application}"
        everywhere, here = f"{app}/commands", app + "/guilds/{guild}/commands"
        guild = API + "/guilds/{guild}"
        routes = [
            web.get(f"{API}/gateway", self.gateway),
            web.get(f"{API}/gateway/bot", self.gateway_bot),
            web.get(f"{API}/users/@me", self.me),
            web.get(f"{API}/users/@me/guilds", self.my_guilds),
            web.get(API + "/users/{user}", self.user),
            web.get(f"{API}/oauth2/applications/@me", self.application),
            web.get(f"{API}/applications/@me", self.application),
            web.get(guild, self.guild),
            web.get(f"{guild}/channels", self.channels),
            web.get(f"{guild}/roles", self.roles),
            web.get(f"{guild}/members", self.members),
            web.get(guild + "/members/{user}", self.member),
            web.get(f"{guild}/threads/active", self.active_threads),
            web.get(f"{guild}/emojis", self.empty),
            web.get(f"{guild}/stickers", self.empty),
            web.get(f"{app}/emojis", self.emojis),
        ]
        for base in (everywhere, here):
            one = base + "/{command}"
            routes += [
                web.get(base, self.list_commands),
                web.put(base, self.overwrite_commands),
                web.post(base, self.create_command),
                web.get(one, self.get_command),
                web.patch(one, self.edit_command),
                web.delete(one, self.delete_command),
            ]
        return routes

    # --- the gateway's address

    def _gateway_url(self) -> str:
        return self.ctx.world.base_url.replace("http", "ws", 1) + "/gateway"

    async def gateway(self, request: web.Request) -> web.Response:
        """GET /gateway."""
        return json_response({"url": self._gateway_url()})

    async def gateway_bot(self, request: web.Request) -> web.Response:
        """GET /gateway/bot."""
        shards = self.ctx.world.settings.shards
        told = {"url": self._gateway_url(), "shards": shards, "session_start_limit": self._starts()}
        return json_response(told)

    # --- who we are

    async def me(self, request: web.Request) -> web.Response:
        """GET /users/@me."""
        return json_response(present.own_user(self.ctx.world.bot))

    async def user(self, request: web.Request) -> web.Response:
        """GET /users/{user}."""
        return json_response(present.user(self.ctx.user(request.match_info["user"])))

    async def my_guilds(self, request: web.Request) -> web.Response:
        """GET /users/@me/guilds: ?before, ?after, ?limit and ?with_counts."""
        world = self.ctx.world
        before, after = whole(request, "before", 0, 0, 2**63), whole(request, "after", 0, 0, 2**63)
        limit = whole(request, "limit", 200, 1, 200)
        mine = sorted(g.id for g in world.guilds.values() if world.bot.id in g.members)
        page = [g for g in mine if after < g < (before or 2**64)]
        page = page[-limit:] if before else page[:limit]
        return json_response([self._my_guild(request, world.guilds[g]) for g in page])

    def _my_guild(self, request: web.Request, guild: Guild) -> Json:
        return {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": str(self._guild_permissions(guild)),
            "features": guild.features,
            **_counts(request, guild),
        }

    def _guild_permissions(self, guild: Guild) -> int:
        return guild_permissions(guild, guild.members[self.ctx.world.bot.id])

    async def application(self, request: web.Request) -> web.Response:
        """GET /oauth2/applications/@me and /applications/@me."""
        return json_response(present.application(self.ctx.world))

    # --- guilds

    def _guild(self, request: web.Request) -> Guild:
        return self.ctx.world.guild(number(request, "guild"))

    async def guild(self, request: web.Request) -> web.Response:
        """GET /guilds/{guild}."""
        found = self._guild(request)
        return json_response(present.guild(self.ctx.world, found) | _counts(request, found))

    async def channels(self, request: web.Request) -> web.Response:
        """GET /guilds/{guild}/channels: without threads."""
        world = self.ctx.world
        return json_response([present.channel(world, c) for c in world.channels_of(self._guild(request))])

    async def roles(self, request: web.Request) -> web.Response:
        """GET /guilds/{guild}/roles."""
        return json_response([present.role(r) for r in self._guild(request).roles.values()])

    async def members(self, request: web.Request) -> web.Response:
        """GET /guilds/{guild}/members: needs the privileged intent."""
        guild = self._guild(request)
        if "members" not in self.ctx.world.settings.privileged_intents:
            raise ApiError(50001)
        after, limit = whole(request, "after", 0, 0, 2**63), whole(request, "limit", 1, 1, 1000)
        found = sorted(m.user.id for m in guild.members.values() if m.user.id > after)[:limit]
        return json_response([present.member(guild.members[u]) for u in found])

    async def member(self, request: web.Request) -> web.Response:
        """GET /guilds/{guild}/members/{user}."""
        guild = self._guild(request)
        found = guild.members.get(self.ctx.user(request.match_info["user"]).id)
        if found is None:
            raise ApiError(10007)
        return json_response(present.member(found))

    async def active_threads(self, request: web.Request) -> web.Response:
        """GET /guilds/{guild}/threads/active."""
        world = self.ctx.world
        threads = [
            c
            for c in world.channels_of(self._guild(request), threads=True)
            if c.thread and not c.thread.archived and can_see(world, c, world.bot)
        ]
        joined = [c for c in threads if c.thread and world.bot.id in c.thread.members]
        shown = {
            "threads": [present.thread(world, c) for c in threads],
            "members": [present.thread_member(c, world.bot.id) for c in joined],
            "has_more": False,
        }
        return json_response(shown)

    async def empty(self, request: web.Request) -> web.Response:
        """GET something there is none of here."""
        self._guild(request)
        return json_response([])

    async def emojis(self, request: web.Request) -> web.Response:
        """GET /applications/{application}/emojis."""
        self._check_application(request)
        return json_response({"items": []})

    # --- application commands

    def _check_application(self, request: web.Request) -> None:
        if number(request, "application") != self.ctx.world.application_id:
            raise ApiError(50001)

    def _scope(self, request: web.Request) -> int | None:
        self._check_application(request)
        if "guild" not in request.match_info:
            return None
        guild = self.ctx.world.guilds.get(number(request, "guild"))
        if guild is None or self.ctx.world.bot.id not in guild.members:
            raise ApiError(50001)
        return guild.id

    def _in_scope(self, scope: int | None) -> list[Command]:
        return [c for c in self.ctx.world.commands.values() if c.guild_id == scope]

    def _show(self, command: Command, *, localizations: bool = True) -> Json:
        return show(command, self.ctx.world.application_id, localizations=localizations)

    async def list_commands(self, request: web.Request) -> web.Response:
        """GET …/commands."""
        localizations = flag(request, "with_localizations")
        found = self._in_scope(self._scope(request))
        return json_response([self._show(c, localizations=localizations) for c in found])

    async def overwrite_commands(self, request: web.Request) -> web.Response:
        """PUT …/commands: replace all; a command that keeps its name keeps its id."""
        scope = self._scope(request)
        bodies = check_all(await read_json(request))
        world = self.ctx.world
        before = {(c.type, c.name): c for c in self._in_scope(scope)}
        for old in before.values():
            del world.commands[old.id]
        for body in bodies:
            known = before.get((body.get("type") or commands.CHAT_INPUT, body["name"]))
            self._save(scope, body, known)
        return json_response([self._show(c) for c in self._in_scope(scope)])

    def _save(self, scope: int | None, body: Json, known: Command | None) -> Command:
        world = self.ctx.world
        changed = known is None or known.body != body
        version = world.snowflake() if changed or known is None else known.version
        command = Command(known.id if known else world.snowflake(), version, scope, body)
        world.commands[command.id] = command
        return command

    async def create_command(self, request: web.Request) -> web.Response:
        """POST …/commands: replaces one of the same name."""
        scope = self._scope(request)
        body = await self._checked(request, {})
        key = (body.get("type") or commands.CHAT_INPUT, body["name"])
        known = next((c for c in self._in_scope(scope) if (c.type, c.name) == key), None)
        same_type = [c for c in self._in_scope(scope) if c.type == key[0]]
        if known is None and len(same_type) >= commands.MAX_BY_TYPE[key[0]]:
            raise ApiError(30032)
        return json_response(self._show(self._save(scope, body, known)), 200 if known else 201)

    async def _checked(self, request: web.Request, base: Json) -> Json:
        form = Form()
        merged: Json = base | await read_object(request)
        check_command(form, (), merged)
        form.finish()
        return merged

    def _command(self, request: web.Request) -> Command:
        scope = self._scope(request)
        found = self.ctx.world.commands.get(number(request, "command"))
        if found is None or found.guild_id != scope:
            raise ApiError(10063)
        return found

    async def get_command(self, request: web.Request) -> web.Response:
        """GET …/commands/{command}."""
        return json_response(self._show(self._command(request)))

    async def edit_command(self, request: web.Request) -> web.Response:
        """PATCH …/commands/{command}."""
        known = self._command(request)
        body = await self._checked(request, known.body)
        return json_response(self._show(self._save(known.guild_id, body, known)))

    async def delete_command(self, request: web.Request) -> web.Response:
        """DELETE …/commands/{command}."""
        del self.ctx.world.commands[self._command(request).id]
        return web.Response(status=204)


def _counts(request: web.Request, guild: Guild) -> Json:
    if not flag(request, "with_counts"):
        return {}
    return {
        "approximate_member_count": len(guild.members),
        "approximate_presence_count": len(guild.members),
    }
