"""REST: answering interactions, and their webhook. These need no Authorization header."""

from __future__ import annotations

from aiohttp import web

from sandbox.discord import present
from sandbox.discord.messages import check
from sandbox.discord.models import Interaction, MessageFlag
from sandbox.discord.ratelimits import json_response
from sandbox.discord.rest import API, Context, flag, number


class WebhookRoutes:
    """The routes an interaction's token opens."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        webhook = API + "/webhooks/{application}/{token}"
        one = webhook + "/messages/{name}"
        return [
            web.post(API + "/interactions/{interaction}/{token}/callback", self.callback),
            web.post(webhook, self.follow_up),
            web.get(one, self.get),
            web.patch(one, self.edit),
            web.delete(one, self.delete),
        ]

    def _limit(self, i: Interaction) -> int:
        return self.ctx.world.upload_limit(i.guild, i.user)

    async def callback(self, request: web.Request) -> web.Response:
        """POST /interactions/{interaction}/{token}/callback."""
        interactions = self.ctx.interactions
        i = interactions.pending(number(request, "interaction"), request.match_info["token"])
        body = await self.ctx.body(request, self._limit(i))
        await interactions.answer(i, body)
        if flag(request, "with_response"):
            return json_response(interactions.callback_response(i))
        return web.Response(status=204)

    def _interaction(self, request: web.Request) -> Interaction:
        return self.ctx.interactions.by_token(number(request, "application"), request.match_info["token"])

    async def follow_up(self, request: web.Request) -> web.Response:
        """POST /webhooks/{application}/{token}: always answers with the message, for interactions."""
        i = self._interaction(request)
        draft = check(await self.ctx.body(request, self._limit(i)))
        message = await self.ctx.interactions.follow_up(i, draft)
        return json_response(present.message(self.ctx.world, message))

    async def get(self, request: web.Request) -> web.Response:
        """GET …/messages/{@original or id}."""
        message = self.ctx.interactions.message(self._interaction(request), request.match_info["name"])
        return json_response(present.message(self.ctx.world, message))

    async def edit(self, request: web.Request) -> web.Response:
        """PATCH …/messages/{@original or id}."""
        i = self._interaction(request)
        message = self.ctx.interactions.message(i, request.match_info["name"])
        body = await self.ctx.body(request, self._limit(i))
        draft = check(body, v2=bool(message.flags & MessageFlag.IS_COMPONENTS_V2))
        message = await self.ctx.interactions.edit(i, message, draft)
        return json_response(present.message(self.ctx.world, message))

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE …/messages/{@original or id}."""
        i = self._interaction(request)
        message = self.ctx.interactions.message(i, request.match_info["name"])
        self.ctx.interactions.delete(i, message)
        return web.Response(status=204)
