"""Faults on request: what networks and providers do wrong, made to happen on real TCP connections.

A fault names the requests it hits (side, method, path) and what happens to them. It is a middleware inside
the journal's, so that the wire record shows what the client saw. The site words errors and rate limits.

Handlers that serve files should return a `web.FileResponse` (not write a stream themselves): the answer is
then still unsent when the handler is done, and every kind works on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import mimetypes
import re
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.payload import Payload
from aiohttp.typedefs import Handler, Middleware

from sandbox.bus import Bus
from sandbox.journal import FAULT

SIDES = ("discord", "novita", "cdn")
KINDS = (
    "drop_before",
    "drop_after",
    "error",
    "error_after",
    "rate_limit",
    "html",
    "delay",
    "delay_after",
    "truncate",
    "reset_upload",
    "hang",
)
_CHUNK = 64 * 1024
_GONE_CHECK_SECONDS = 0.05
_GIVEN_FIELDS = (
    "side",
    "kind",
    "method",
    "path",
    "times",
    "skip",
    "seconds",
    "status",
    "retry_after",
    "reason",
    "message",
)


@dataclass
class Fault:
    """One fault: which requests it hits and what happens to them."""

    id: int
    side: str
    kind: str
    method: str = "*"
    path: str = ""
    times: int = 1
    """How many requests it hits; 0: until removed."""
    skip: int = 0
    """How many matching requests pass before the first hit."""
    seconds: float = 1.0
    """How long "delay" and "delay_after" wait."""
    status: int | None = None
    """The status of "error", "error_after" (default 500, or the reason's own) and "html" (default 502)."""
    retry_after: float | None = 1.0
    """Seconds announced by "rate_limit", and by "html" with the status 429; None: not announced."""
    reason: str = ""
    """The error's name: Novita's `reason`; for Discord a number, its `code`."""
    message: str = ""
    hits: int = 0
    skipped: int = 0
    removed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def matches(self, side: str, request: web.Request) -> bool:
        """Tell whether this fault is about `request` at all."""
        return (
            side == self.side
            and self.method in ("*", request.method)
            and re.search(self.path, request.path) is not None
        )

    @property
    def spent(self) -> bool:
        """Tell whether it has hit as often as it was asked to."""
        return self.times > 0 and self.hits >= self.times

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the control site shows it."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "removed"}


Answer = Callable[[Fault], web.Response]
"""How a site words the kinds "error", "error_after" and "rate_limit"."""


class Faults:
    """The faults in force, oldest first; at most one hits a request."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self._faults: dict[int, Fault] = {}
        self._last_id = 0

    def add(self, **given: Any) -> Fault:
        """Put a fault in force and return it; ValueError with a sentence when the fields make no sense."""
        _check(given)
        self._last_id += 1
        fault = Fault(id=self._last_id, **given)
        fault.method = fault.method.upper()
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: int) -> Fault:
        """Take a fault away, letting go of the requests it hangs; KeyError when there is none."""
        fault = self._faults.pop(fault_id)
        fault.removed.set()
        return fault

    def clear(self) -> None:
        """Take all faults away."""
        for fault_id in list(self._faults):
            self.remove(fault_id)

    def list(self) -> list[Fault]:
        """Return all faults, also those that have hit as often as they were asked to."""
        return list(self._faults.values())

    def middleware(self, side: str, answer: Answer) -> Middleware:
        """Return the middleware that makes the faults of `side` happen, with the site's own error answers.

        On the Discord site everything outside the API and the gateway counts as side "cdn". WebSockets
        are left alone: the gateway has disconnects of its own.
        """

        @web.middleware
        async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
            is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
            fault = None if is_socket else self._take(_side_of(side, request), request)
            if fault is None:
                return await handler(request)
            request[FAULT] = fault.kind
            if self._bus:
                self._bus.publish({"type": "fault", "fault": fault.as_json(), "path": request.path})
            response = await _BEHAVIOURS[fault.kind](fault, request, handler)
            return answer(fault) if response is None else response

        return faulty

    def _take(self, side: str, request: web.Request) -> Fault | None:
        for fault in self._faults.values():
            if fault.spent or not fault.matches(side, request):
                continue
            if fault.skipped < fault.skip:
                fault.skipped += 1
                continue
            fault.hits += 1
            return fault
        return None


def _side_of(site: str, request: web.Request) -> str:
    if site == "discord" and not request.path.startswith(("/api", "/gateway")):
        return "cdn"
    return site


def _check(given: dict[str, Any]) -> None:
    if unknown := sorted(set(given) - set(_GIVEN_FIELDS)):
        raise ValueError(f"A fault has no field {', '.join(unknown)}; it has {', '.join(_GIVEN_FIELDS)}.")
    if given.get("side") not in SIDES:
        raise ValueError(f"side must be one of {', '.join(SIDES)}.")
    if given.get("kind") not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}.")
    for name in ("times", "skip"):
        if type(given.get(name, 0)) is not int or given.get(name, 0) < 0:
            raise ValueError(f"{name} must be a whole number, 0 or more.")
    for name in ("seconds", "retry_after"):
        value = given.get(name, 0)
        if value is not None and (type(value) not in (int, float) or value < 0):
            raise ValueError(f"{name} must be a number of seconds, 0 or more.")
    status = given.get("status")
    if status is not None and (type(status) is not int or not 200 <= status <= 599):
        raise ValueError("status must be an HTTP status.")
    for name in ("method", "path", "reason", "message"):
        if not isinstance(given.get(name, ""), str):
            raise ValueError(f"{name} must be a string.")
    if given["side"] != "novita" and not given.get("reason", "0").isdecimal():
        raise ValueError("reason is Discord's numeric error code on this side.")
    try:
        re.compile(given.get("path", ""))
    except re.error as error:
        raise ValueError(f"path is no regular expression: {error}.") from None


# --- what happens -----------------------------------------------------------------------------------------


async def _drop_before(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    # Closing on unread bytes would make the kernel send a reset, which is another fault.
    await _read(request)
    return _cut(request)


async def _drop_after(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await _act(request, handler)
    return _cut(request)


async def _error(fault: Fault, request: web.Request, handler: Handler) -> None:
    await _read(request)


async def _error_after(fault: Fault, request: web.Request, handler: Handler) -> None:
    await _act(request, handler)


async def _html(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await _read(request)
    status = fault.status or 502
    title = html.escape(fault.message or "Bad gateway")
    page = (
        f"<!DOCTYPE html>\n<html>\n<head><title>{status} {title}</title></head>\n<body>\n"
        f"<center><h1>{status} {title}</h1></center>\n<hr><center>cloudflare</center>\n</body>\n</html>\n"
    )
    headers = {"Server": "cloudflare"}
    if status == 429 and fault.retry_after is not None:  # the page of a ban
        headers["Retry-After"] = f"{fault.retry_after:g}"
    return web.Response(text=page, status=status, content_type="text/html", headers=headers)


async def _delay(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await _wait(fault, fault.seconds)
    return await handler(request)


async def _delay_after(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    finally:
        await _wait(fault, fault.seconds)


async def _truncate(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    whole = await _act(request, handler)
    size = await _body_size(whole)
    half = web.StreamResponse(status=whole.status, headers=whole.headers)
    if isinstance(whole, web.FileResponse) and "Content-Type" not in whole.headers:
        half.content_type = mimetypes.guess_type(_file_of(whole).name)[0] or "application/octet-stream"
    half.content_length = size
    await half.prepare(request)
    await _write_half(whole, half, size // 2)
    if request.transport is not None:
        request.transport.close()  # not abort: what was written is sent first
    return half


async def _reset_upload(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await _skip(request, min(_CHUNK, (request.content_length or 0) // 2))
    _linger_off(request)
    return _cut(request)


async def _hang(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    while not fault.removed.is_set():
        if request.transport is None or request.transport.is_closing():
            return _cut(request)
        await _wait(fault, _GONE_CHECK_SECONDS)
    return await handler(request)


# None: the site's own answer.
_BEHAVIOURS: dict[str, Callable[[Fault, web.Request, Handler], Awaitable[web.StreamResponse | None]]] = {
    "drop_before": _drop_before,
    "drop_after": _drop_after,
    "error": _error,
    "error_after": _error_after,
    "rate_limit": _error,
    "html": _html,
    "delay": _delay,
    "delay_after": _delay_after,
    "truncate": _truncate,
    "reset_upload": _reset_upload,
    "hang": _hang,
}


async def _act(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Do what was asked and return the answer, which is not sent."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return answer


async def _read(request: web.Request) -> None:
    """Let the whole body arrive, where the journal can still see it."""
    with contextlib.suppress(ConnectionError, web.RequestPayloadError):
        try:
            await request.read()
        except web.HTTPRequestEntityTooLarge:
            await _skip(request, sys.maxsize)


async def _skip(request: web.Request, size: int) -> None:
    """Let the body's next `size` bytes arrive, for nobody."""
    while size > 0 and not request.content.at_eof():
        size -= len(await request.content.readany())


async def _wait(fault: Fault, seconds: float) -> None:
    """Wait, but no longer than the fault is in force."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(fault.removed.wait(), seconds)


def _cut(request: web.Request) -> web.Response:
    """Close the connection with nothing sent; the response returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _linger_off(request: web.Request) -> None:
    """Make closing send a TCP reset in place of an orderly end."""
    sock = request.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _file_of(response: web.FileResponse) -> Path:
    return response._path  # aiohttp has no public name for it


async def _body_size(whole: web.StreamResponse) -> int:
    if isinstance(whole, web.FileResponse):
        return (await asyncio.to_thread(_file_of(whole).stat)).st_size
    return len(await _body(whole))


async def _body(whole: web.StreamResponse) -> bytes:
    body = getattr(whole, "body", None)
    if isinstance(body, Payload):
        return await body.as_bytes()
    return bytes(body or b"")


async def _write_half(whole: web.StreamResponse, half: web.StreamResponse, size: int) -> None:
    if not isinstance(whole, web.FileResponse):
        await half.write((await _body(whole))[:size])
        return
    with await asyncio.to_thread(_file_of(whole).open, "rb") as file:
        while size > 0:
            chunk = await asyncio.to_thread(file.read, min(_CHUNK, size))
            await half.write(chunk)
            size -= len(chunk)
