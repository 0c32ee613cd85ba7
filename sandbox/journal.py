"""The wire journal: every request, answer and gateway event that crosses the sandbox, as plain data.

Authorization headers and the tokens of IDENTIFY and RESUME are redacted. Interaction tokens stay in paths
and bodies: a callback could not be matched with its interaction without them, and they open only the sandbox.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Literal

from aiohttp import ClientPayloadError, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Checker = Callable[["Exchange"], list[str]]

BODY: web.RequestKey[object] = web.RequestKey("journal_body", object)
"""Where a handler puts the body it parsed itself: `{"payload_json": …, "files": […]}` for multipart."""

FAULT: web.RequestKey[str] = web.RequestKey("journal_fault", str)
"""Where the fault middleware names the fault that it made of this request."""

KEPT = 20_000
LONGEST_STRING = (
    16_384  # longer than any text Discord or Novita allow: what exceeds it is an image or an attack
)
LONGEST_BODY = 32 * 2**20
SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie"})
API_PREFIX = "/api/"


@dataclass
class Exchange:
    """One request with its answer, or one gateway event (side "gateway").

    `at` is the Unix time of the request's arrival; `path` includes the query. `status` is None when the
    connection ended without an answer, and for gateway events. `problems` holds what the checker, or the
    stand-in itself, found wrong.

    A gateway event has the direction as its method, the event's name (or "op N") as its path, and
    `{"op", "t", "d"}` as its request body (from the bot) or its response body (to the bot).
    """

    side: str
    method: str
    path: str
    request_headers: dict[str, str] = field(default_factory=dict)
    request_body: object | None = None
    status: int | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: object | None = None
    fault: str | None = None
    problems: list[str] = field(default_factory=list)
    at: float = field(default_factory=time.time)
    id: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the exchange as it is sent as JSON."""
        return asdict(self)


class Journal:
    """Keep the last exchanges in order, hold each against the checker, and tell subscribers."""

    def __init__(self, checker: Checker | None = None, *, kept: int = KEPT) -> None:
        self.checker = checker
        self._kept: deque[Exchange] = deque(maxlen=kept)
        self._last_id = 0
        self._subscribers: set[asyncio.Queue[Exchange]] = set()

    def append(self, exchange: Exchange) -> Exchange:
        """Number, check and keep an exchange, and hand it to every subscriber."""
        self._last_id += 1
        exchange.id = self._last_id
        if self.checker is not None:
            exchange.problems.extend(self.checker(exchange))
        self._kept.append(exchange)
        for queue in self._subscribers:
            queue.put_nowait(exchange)
        return exchange

    def since(self, exchange_id: int) -> list[Exchange]:
        """Return the kept exchanges that came after the given id, oldest first (0: all)."""
        missing = max(0, exchange_id - (self._last_id - len(self._kept)))
        return list(islice(self._kept, missing, None))

    def forget(self) -> None:
        """Drop what is kept; ids go on."""
        self._kept.clear()

    def subscribe(self) -> asyncio.Queue[Exchange]:
        """Return a queue that receives every exchange from now on, until `unsubscribe`."""
        queue: asyncio.Queue[Exchange] = asyncio.Queue()
        self._subscribers.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Exchange]) -> None:
        """Stop feeding a queue; one that is unknown is ignored."""
        self._subscribers.discard(queue)

    def gateway(
        self, direction: Literal["to_bot", "from_bot"], op: int, event_name: str | None, data: object
    ) -> Exchange:
        """Record one gateway payload; the token of IDENTIFY (op 2) and RESUME (op 6) is redacted."""
        if op in (2, 6) and isinstance(data, Mapping):
            data = {**data, "token": "<redacted>"}
        payload = {"op": op, "t": event_name, "d": shorten(data)}
        exchange = Exchange(side="gateway", method=direction, path=event_name or f"op {op}")
        if direction == "from_bot":
            exchange.request_body = payload
        else:
            exchange.response_body = payload
        return self.append(exchange)

    def middleware(self, side: Literal["discord", "novita"]) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Make the middleware that records a site; it goes outside (before) the fault middleware.

        On the Discord site, what is not under `/api/` is recorded as "cdn". WebSocket upgrades are left to
        `gateway`. The exchange is in the journal before its answer leaves.
        """

        @web.middleware
        async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await handler(request)
            exchange = Exchange(
                side="cdn" if side == "discord" and not request.path.startswith(API_PREFIX) else side,
                method=request.method,
                path=request.path_qs,
                request_headers=_headers(request.headers),
            )
            try:
                response = await handler(request)
                _note_answer(exchange, request, response)
                return response
            except web.HTTPException as answer:
                _note_answer(exchange, request, answer)
                raise
            except asyncio.CancelledError:
                raise
            except ConnectionError:
                return web.Response()  # the client has left: nobody is answered, and the status stays None
            except Exception as error:
                exchange.status = 500
                exchange.problems.append(f"the sandbox failed: {type(error).__name__}: {error}")
                raise
            finally:
                exchange.fault = request.get(FAULT)
                exchange.request_body = await _request_body(request)
                self.append(exchange)

        return record


def shorten(value: object) -> object:
    """Copy JSON-like data with every very long string replaced by "<N characters>"."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_STRING else f"<{len(value)} characters>"
    if isinstance(value, Mapping):
        return {str(key): shorten(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shorten(item) for item in value]
    return value


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: "<redacted>" if name.lower() in SECRET_HEADERS else value for name, value in headers.items()
    }


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


def _parse(body: bytes, content_type: str) -> object:
    """Parse a JSON body; anything else, or what is too large, is described."""
    if not body:
        return None
    if _is_json(content_type) and len(body) <= LONGEST_BODY:
        try:
            return shorten(json.loads(body))
        except (ValueError, RecursionError):
            return f"<{len(body)} bytes that are not JSON>"
    return f"<{len(body)} bytes of {content_type}>"


async def _request_body(request: web.Request) -> object:
    """Return what is known of the body without ever waiting for it or taking it from a handler.

    It is looked at after the handler, and only once it has arrived as a whole: a body that a fault cut off in
    mid-upload, or that a handler streams to disk, is never read here.
    """
    if BODY in request:
        return shorten(request[BODY])
    if not request.body_exists:
        return None
    if not _is_json(request.content_type):
        return f"<{request.content_length} bytes of {request.content_type}>"
    body = b""
    if request.content.is_eof():
        with suppress(web.HTTPRequestEntityTooLarge, ClientPayloadError, OSError):
            body = await request.read()
    if not body:
        return f"<{request.content_length} bytes that were not read>"
    return _parse(body, request.content_type)


def _note_answer(exchange: Exchange, request: web.Request, response: web.StreamResponse) -> None:
    transport = request.transport
    if not response.prepared and (transport is None or transport.is_closing()):
        return  # the connection was closed on purpose, or the client left: no answer will get through
    exchange.status = response.status
    exchange.response_headers = _headers(response.headers)
    if isinstance(response, web.Response):
        body = response.body if isinstance(response.body, bytes | bytearray) else b""
        exchange.response_body = _parse(bytes(body), response.content_type)
    else:
        size = response.content_length
        exchange.response_body = f"<{size if size is not None else '?'} bytes of {response.content_type}>"
