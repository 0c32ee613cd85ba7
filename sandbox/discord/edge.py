"""Discord's edge: Cloudflare, which bans an address for too many invalid requests.

https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.discord.world import World
from sandbox.journal import FAULT

WINDOW = 600.0
INVALID = (401, 403, 429)
_PAGE = """<!DOCTYPE html>
<html lang="en-US">
<head><title>Access denied | discord.com used Cloudflare to restrict access</title></head>
<body>
<h1>Error 1015</h1>
<h2>You are being rate limited</h2>
<p>The owner of this website (discord.com) has banned you temporarily from accessing this website.</p>
</body>
</html>
"""


class Edge:
    """Counts the API's invalid answers, and bans. Times are on the clock of the limits."""

    def __init__(self) -> None:
        self.banned_until = 0.0
        self._invalid: deque[float] = deque()

    def count(self, world: World) -> int:
        """Count the invalid requests of the last 10 minutes."""
        while self._invalid and world.now() - self._invalid[0] >= WINDOW:
            self._invalid.popleft()
        return len(self._invalid)

    def note(self, world: World, answer: web.StreamResponse) -> None:
        """Take note of an answer; one invalid request too many bans the address.

        A 429 of the scope "shared" is somebody else's doing, and counts for nothing.
        """
        if answer.status not in INVALID or answer.headers.get("X-RateLimit-Scope") == "shared":
            return
        self._invalid.append(world.now())
        if self.count(world) >= world.settings.invalid_request_limit:
            self.ban(world, world.settings.ban_seconds)

    def ban(self, world: World, seconds: float) -> None:
        """Ban the address for a while from now on; with 0, let it in again, its count forgotten."""
        self.banned_until = world.now() + seconds if seconds else 0.0
        self._invalid.clear()

    def refusal(self, world: World) -> web.Response | None:
        """Return the page that a banned address gets for everything it asks of the API."""
        left = self.banned_until - world.now()
        if left <= 0:
            return None
        headers = {"Server": "cloudflare", "Retry-After": str(math.ceil(left))}
        return web.Response(text=_PAGE, status=429, content_type="text/html", headers=headers)


def edge_middleware(world: Callable[[], World], edge: Callable[[], Edge]) -> Callable[..., object]:
    """Make the middleware in front of the API, which also sees what faults answer."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/api"):
            return await handler(request)
        if page := edge().refusal(world()):
            request[FAULT] = "ban"  # an edge's page keeps to no document of Discord's
            await request.release()
            return page
        answer = await handler(request)
        edge().note(world(), answer)
        return answer

    return guard
