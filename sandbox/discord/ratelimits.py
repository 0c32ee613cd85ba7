"""Rate limits: per route and major parameter, and 50 requests a second overall.

https://docs.discord.com/developers/topics/rate-limits. Discord does not publish the limits of its routes;
these are of the size seen in practice.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass

from aiohttp import web

from sandbox.discord.models import Json

GLOBAL_PER_SECOND = 50
OLD_SECONDS, OLD_WINDOW = 3_600.0, 6.0
_DEFAULT = (10, 5.0)
# (method, end of the route template): (requests, seconds)
_LIMITS: dict[tuple[str, str], tuple[int, float]] = {
    ("POST", "/channels/{channel}/messages"): (5, 5.0),
    ("PATCH", "/channels/{channel}/messages/{message}"): (5, 5.0),
    ("DELETE", "/channels/{channel}/messages/{message}"): (5, 1.0),
    ("GET", "/channels/{channel}/messages"): (5, 1.0),
    ("GET", "/channels/{channel}/messages/{message}"): (5, 1.0),
    ("POST", "/channels/{channel}/typing"): (5, 5.0),
    ("POST", "/channels/{channel}/messages/{message}/threads"): (50, 300.0),
    ("POST", "/channels/{channel}/threads"): (50, 300.0),
    ("POST", "/webhooks/{application}/{token}"): (5, 2.0),
    ("PATCH", "/webhooks/{application}/{token}/messages/{name}"): (5, 2.0),
    ("GET", "/webhooks/{application}/{token}/messages/{name}"): (5, 2.0),
    ("DELETE", "/webhooks/{application}/{token}/messages/{name}"): (5, 2.0),
}
# Answering an interaction has no bucket, and its answers no rate-limit headers: hikari insists.
_UNLIMITED = "/interactions/{interaction}/{token}/callback"
_MAJOR = ("channel", "guild", "token")
OLD_MESSAGE = "Maximum number of edits to messages older than 1 hour reached. Try again later"


@dataclass
class Bucket:
    """What is left of one limit."""

    limit: int
    window: float
    used: int = 0
    resets_at: float = 0.0


class RateLimits:
    """Counts requests. Times are on the real clock."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._second = Bucket(GLOBAL_PER_SECOND, 1.0)

    def take(
        self, request: web.Request, template: str, *, enforced: bool
    ) -> tuple[Json, web.Response | None]:
        """Count a request; return its headers, and the 429 it deserves, if it does."""
        now = time.time()
        route = template.removeprefix("/api/v10")
        if route == _UNLIMITED:
            return {}, None
        # What an interaction's token opens does not count towards the global limit.
        if enforced and not route.startswith("/webhooks") and _spent(self._second, now):
            return {}, _too_many(self._second.resets_at - now, scope="global")
        limit, window = _LIMITS.get((request.method, route), _DEFAULT)
        name = hashlib.md5(f"{request.method} {route}".encode(), usedforsecurity=False).hexdigest()
        major = ":".join(request.match_info[m] for m in _MAJOR if m in request.match_info)
        bucket = self._buckets.setdefault(f"{name}:{major}", Bucket(limit, window))
        over = _spent(bucket, now) and enforced
        # A client that reads 0 here waits of its own accord.
        left = bucket.limit - bucket.used if enforced else bucket.limit - 1
        headers = {
            "X-RateLimit-Limit": str(bucket.limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": f"{bucket.resets_at:.3f}",
            "X-RateLimit-Reset-After": f"{max(0.0, bucket.resets_at - now):.3f}",
            "X-RateLimit-Bucket": name,
        }
        if not over:
            return headers, None
        return headers, _too_many(bucket.resets_at - now, scope="user")


class OldEdits:
    """Counts the edits of messages older than an hour, a few of which a channel takes at a time.

    https://github.com/discord/discord-api-docs/issues/4413: neither documented nor in any header before it
    is reached. The wait is on the real clock.
    """

    def __init__(self) -> None:
        self._channels: dict[int, Bucket] = {}

    def take(self, channel_id: int, age: float, limit: int) -> web.Response | None:
        """Count an edit of a message that is `age` seconds old; return the 429 it deserves, if it does.

        `limit`: how many edits of old messages the channel takes at a time; 0: any number.
        """
        if not limit or age < OLD_SECONDS:
            return None
        bucket = self._channels.setdefault(channel_id, Bucket(limit, OLD_WINDOW))
        bucket.limit = limit
        now = time.time()
        if not _spent(bucket, now):
            return None
        return _too_many(bucket.resets_at - now, scope="user", code=30046, message=OLD_MESSAGE)


def _spent(bucket: Bucket, now: float) -> bool:
    if now >= bucket.resets_at:
        bucket.used, bucket.resets_at = 0, now + bucket.window
    if bucket.used >= bucket.limit:
        return True
    bucket.used += 1
    return False


def _too_many(
    wait: float, *, scope: str, code: int = 0, message: str = "You are being rate limited."
) -> web.Response:
    wait = max(0.001, round(wait, 3))
    body: Json = {"message": message, "retry_after": wait, "global": scope == "global"}
    if code:
        body["code"] = code
    headers = {"Retry-After": str(math.ceil(wait)), "X-RateLimit-Scope": scope, "Via": "1.1 google"}
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    response = json_response(body, 429)
    response.headers.update(headers)
    return response


def json_response(body: object, status: int = 200) -> web.Response:
    """Answer with JSON, its content type exactly `application/json` as Discord's."""
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")
