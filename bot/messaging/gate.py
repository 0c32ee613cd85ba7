"""A gate before every request to Discord, shut while Cloudflare bans this address.

https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import SimpleNamespace

import aiohttp

log = logging.getLogger(__name__)

UNKNOWN_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
"""How long a ban is believed that does not say how long it is, and the longest that any is believed."""


class BanGate:
    """Lets no request out while the address is banned: each one would only make the ban longer."""

    def __init__(self) -> None:
        self._opens = 0.0

    def trace(self, others: aiohttp.TraceConfig | None) -> aiohttp.TraceConfig:
        """Return the hooks for a session of aiohttp's, beside `others` that it has."""
        trace = others or aiohttp.TraceConfig()
        trace.on_request_start.append(self._starting)
        trace.on_request_end.append(self._answered)
        return trace

    async def _starting(
        self, _session: object, _request: SimpleNamespace, _params: aiohttp.TraceRequestStartParams
    ) -> None:
        # Refused rather than held: a session's time limit runs on, and callers know how to wait.
        if (left := self._opens - time.monotonic()) > 0:
            raise aiohttp.ConnectionTimeoutError(f"Discord's edge bans this address for {left:.0f} s more")

    async def _answered(
        self, _session: object, _request: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        answer = params.response
        # A rate limit of Discord's own is JSON, and one route's; what is not comes from the edge, for all.
        if answer.status != 429 or answer.content_type == "application/json":
            return
        seconds = _seconds(answer.headers)
        self._opens = max(self._opens, time.monotonic() + seconds)
        log.error("Discord's edge bans this address: no request to Discord for %.0f s", seconds)


def _seconds(headers: Mapping[str, str]) -> float:
    try:
        return min(LONGEST_SECONDS, max(0.0, float(headers["Retry-After"])))
    except (KeyError, ValueError):
        return UNKNOWN_SECONDS
