"""The REST API's frame: who may call, how often, and how errors look. The routes are in `routes_*.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.discord.cdn import Cdn
from sandbox.discord.edge import Edge
from sandbox.discord.errors import ApiError, Plain
from sandbox.discord.forms import Form
from sandbox.discord.interactions import Interactions
from sandbox.discord.messages import Messages
from sandbox.discord.models import Channel, User
from sandbox.discord.ratelimits import OldEdits, RateLimits, json_response
from sandbox.discord.uploads import Body, read_body
from sandbox.discord.world import World

API = "/api/v10"
_OPEN = (f"{API}/interactions/", f"{API}/webhooks/")
_BODY: web.RequestKey[Body] = web.RequestKey("discord_body", Body)


class Context:
    """What every route needs: the present world and its services. A reset replaces what is in it."""

    def __init__(self, world: World, cdn: Cdn, token: str) -> None:
        self.cdn = cdn
        self.token = token
        self.renew(world)

    def renew(self, world: World) -> None:
        """Put a fresh world in place."""
        self.world = world
        self.messages = Messages(world, self.cdn)
        self.interactions = Interactions(world, self.messages)
        self.limits = RateLimits()
        self.old_edits = OldEdits()
        self.edge = Edge()
        self._nonce_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def nonce_lock(self, channel: Channel, nonce: object) -> asyncio.Lock:
        """Find the lock that makes one message of two requests with the same nonce at once."""
        return self._nonce_locks.setdefault(f"{channel.id}:{nonce}", asyncio.Lock())

    def channel(self, request: web.Request) -> Channel:
        """Find the request's channel and insist that the bot may see it; 10003, 50001."""
        found = self.world.channel(number(request, "channel"))
        self.world.require(found)
        return found

    async def body(self, request: web.Request, limit: int) -> Body:
        """Read the request's body; files that nobody takes are deleted when the request is over."""
        request[_BODY] = await read_body(request, self.world, limit)
        return request[_BODY]

    def user(self, text: str) -> User:
        """Find someone by id or @me; 10013."""
        if text == "@me":
            return self.world.bot
        try:
            return self.world.users[int(text)]
        except (KeyError, ValueError):
            raise ApiError(10013) from None


def number(request: web.Request, name: str) -> int:
    """Read an id from the path; 50035 as Discord says it."""
    text = request.match_info[name]
    if not text.isdigit() or len(text) > 20:
        form = Form()
        form.wrong((f"{name}_id",), "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
        form.finish()
    return int(text)


def whole(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    """Read an integer from the query; 50035 when it is none or out of range."""
    text = request.query.get(name)
    if text is None:
        return default
    form = Form()
    value = int(text) if text.removeprefix("-").isdigit() else text
    form.integer((name,), value, low=low, high=high)
    form.finish()
    return int(value)


def flag(request: web.Request, name: str) -> bool:
    """Read a boolean from the query."""
    return request.query.get(name, "").lower() in ("1", "true", "t", "yes")


def api_middleware(context: Callable[[], Context]) -> Callable[..., object]:
    """Make the middleware that guards the API."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/api"):
            return await handler(request)
        ctx = context()
        resource = request.match_info.route.resource
        template = resource.canonical if resource else "/unknown"
        enforced = ctx.world.settings.rate_limits
        headers, refused = ctx.limits.take(request, template, enforced=enforced)
        response = refused or await _answer(ctx, request, handler)
        if not response.prepared:
            response.headers.update(headers)
            response.headers.setdefault("Via", "1.1 google")
        return response

    return guard


async def _answer(ctx: Context, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        if not request.path.startswith(_OPEN) and request.path != f"{API}/gateway":
            _authorize(ctx, request)
        return await handler(request)
    except ApiError as error:
        return json_response(error.body(), error.status)
    except web.HTTPNotFound:
        return json_response(Plain(404, "Not Found").body(), 404)
    except web.HTTPMethodNotAllowed:
        return json_response(Plain(405, "Method Not Allowed").body(), 405)
    except web.HTTPRequestEntityTooLarge:
        return json_response(ApiError(40005).body(), 413)
    finally:
        if _BODY in request:
            await asyncio.to_thread(request[_BODY].discard)


def _authorize(ctx: Context, request: web.Request) -> None:
    if ctx.world.token_reset or request.headers.get("Authorization") != f"Bot {ctx.token}":
        raise Plain(401, "Unauthorized")
