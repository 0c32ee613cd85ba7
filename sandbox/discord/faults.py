"""How Discord, and its CDN, word the errors that a fault asks for."""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.models import Json
from sandbox.discord.ratelimits import json_response
from sandbox.faults import Fault


def answer(fault: Fault) -> web.Response:
    """Return the fault's error or rate limit: the API's as Discord's JSON, the CDN's as text."""
    return _rate_limit(fault) if fault.kind == "rate_limit" else _error(fault)


def _error(fault: Fault) -> web.Response:
    status = fault.status or 500
    if fault.side == "cdn":
        return web.Response(text=fault.message or f"{status}: the CDN is unwell", status=status)
    message = fault.message or f"{status}: Internal Server Error"
    return json_response({"message": message, "code": int(fault.reason or 0)}, status)


def _rate_limit(fault: Fault) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    # discord.py takes a 429 without Via for a ban by the edge, not for a rate limit.
    headers["Via"] = "1.1 google"
    if fault.side == "cdn":
        return web.Response(text="Too many requests", status=429, headers=headers)
    body: Json = {
        "message": fault.message or "You are being rate limited.",
        "retry_after": fault.retry_after or 0,
        "global": False,
    }
    headers["X-RateLimit-Scope"] = "user"
    response = json_response(body, 429)
    response.headers.update(headers)
    return response
