"""The gateway: sessions, shards, heartbeats, resuming, and the three ways to compress.

https://docs.discord.com/developers/events/gateway
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import zstandard
from aiohttp import WSCloseCode, WSMsgType, web

from sandbox.discord import present
from sandbox.discord.models import Guild, Json
from sandbox.discord.permissions import can_see
from sandbox.discord.world import Event, World
from sandbox.journal import Journal

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 8, 9, 10, 11
REQUEST_SOUNDS = 31

UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, BAD_TOKEN, ALREADY_IDENTIFIED = 4001, 4002, 4003, 4004, 4005
BAD_SEQUENCE, TOO_FAST, TIMED_OUT, BAD_SHARD, BAD_VERSION = 4007, 4008, 4009, 4010, 4012
BAD_INTENTS, FORBIDDEN_INTENTS = 4013, 4014

GUILDS, GUILD_MEMBERS, PRESENCES, MESSAGE_CONTENT = 1 << 0, 1 << 1, 1 << 8, 1 << 15
ALL_INTENTS = sum(1 << n for n in (*range(17), 20, 21, 24, 25))
PRIVILEGED = {"members": GUILD_MEMBERS, "presences": PRESENCES, "message_content": MESSAGE_CONTENT}

MAX_PAYLOAD = 4096
COMMANDS_PER_MINUTE = 120
KEPT_EVENTS = 1000
STARTS_PER_DAY, DAY = 1_000, 86_400.0
RESUME_SECONDS = 300.0
CLOSING_SECONDS = 2.0
# Seconds: no answer comes over the internet in no time. discord.py notes when it sent a heartbeat only
# after it did, and takes an answer that is there before for one that took the whole interval.
WAY_BACK = 0.05
GOODBYES = (1000, 1001)
INTERACTION = "INTERACTION_CREATE"


class Closing(Exception):
    """The connection is to be closed with a code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _Compressor(Protocol):
    def __call__(self, data: bytes) -> bytes: ...


def _compressor(kind: str | None) -> _Compressor | None:
    """Make one connection's compressor: a single stream, flushed after every payload."""
    if kind == "zlib-stream":
        deflate = zlib.compressobj()
        return lambda data: deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)
    if kind == "zstd-stream":
        stream = zstandard.ZstdCompressor().compressobj()
        return lambda data: stream.compress(data) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return None


class Session:
    """What outlives a connection: the sequence, and the events that a resume may ask for again."""

    def __init__(self, shard: tuple[int, int], intents: int, explicit_shard: bool) -> None:
        self.id = secrets.token_hex(16)
        self.shard = shard
        self.explicit_shard = explicit_shard
        self.intents = intents
        self.sequence = 0
        self.sent: deque[Json] = deque(maxlen=KEPT_EVENTS)
        self.connection: Connection | None = None
        self.disconnected_at: float | None = None

    def dispatch(self, name: str, data: Json) -> None:
        """Number an event, keep it, and send it if someone is connected."""
        self.sequence += 1
        payload = {"op": DISPATCH, "t": name, "s": self.sequence, "d": data}
        self.sent.append(payload)
        if self.connection is not None:
            self.connection.send(payload)

    def serves(self, guild: Guild | None) -> bool:
        """Whether a guild's (or, without one, the DMs') events come to this shard."""
        number, of = self.shard
        return (guild.id >> 22) % of == number if guild else number == 0


class Connection:
    """One WebSocket."""

    def __init__(self, gateway: Gateway, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.gateway = gateway
        self.ws = ws
        self.session: Session | None = None
        self.closing = False
        self.ended = asyncio.Event()
        self.last_heartbeat = time.monotonic()
        self._compress = _compressor(request.query.get("compress"))
        self._transport = request.transport
        self._outbox: asyncio.Queue[Json | Closing] = asyncio.Queue()
        self._commands: deque[float] = deque(maxlen=COMMANDS_PER_MINUTE)

    def send(self, payload: Json) -> None:
        """Queue a payload; payloads leave in this order."""
        self._outbox.put_nowait({"t": None, "s": None, "op": 0, "d": None} | payload)

    def close(self, code: int, reason: str) -> None:
        """Queue the connection's end, after what is queued already."""
        self.closing = True
        self._outbox.put_nowait(Closing(code, reason))

    def cut(self) -> None:
        """End the connection without a close frame."""
        if self._transport is not None:
            self._transport.abort()

    async def write(self) -> Closing:
        """Send what is queued, up to the order to close."""
        while True:
            item = await self._outbox.get()
            if isinstance(item, Closing):
                return item
            text = json.dumps(item, separators=(",", ":")).encode()
            with contextlib.suppress(ConnectionError):
                if self._compress is not None:
                    await self.ws.send_bytes(self._compress(text))
                else:
                    await self.ws.send_str(text.decode())
            self.gateway.journal.gateway("to_bot", item["op"], item["t"], item["d"])

    async def watch_heartbeat(self) -> None:
        """Close a zombie: a client that has stopped sending heartbeats."""
        while True:
            interval = self.gateway.world().settings.heartbeat_interval
            await asyncio.sleep(interval / 4)
            if time.monotonic() - self.last_heartbeat > interval * 1.5:
                self.close(TIMED_OUT, "Session timed out.")
                return

    async def read(self) -> None:
        """Handle what the client sends until it leaves or has to."""
        try:
            async for message in self.ws:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    raise Closing(DECODE_ERROR, "Error while decoding payload.")
                self._handle(message.data)
        except (TypeError, ValueError, AttributeError):
            self.close(DECODE_ERROR, "Error while decoding payload.")
        except Closing as end:
            self.close(end.code, end.reason)

    def _handle(self, data: str | bytes) -> None:
        payload = _decode(data)
        op, d = payload.get("op"), payload.get("d")
        self.gateway.journal.gateway("from_bot", op if isinstance(op, int) else -1, None, d)
        if op == HEARTBEAT:
            self.last_heartbeat = time.monotonic()
            asyncio.get_running_loop().call_later(WAY_BACK, self.send, {"op": HEARTBEAT_ACK})
            return
        self._count_command()
        if op == IDENTIFY:
            self._identify(d)
        elif op == RESUME:
            self._resume(d)
        elif self.session is None:
            raise Closing(NOT_AUTHENTICATED, "Not authenticated.")
        elif op == REQUEST_MEMBERS:
            self.gateway.send_members(self.session, d if isinstance(d, dict) else {})
        elif op not in (PRESENCE, VOICE_STATE, REQUEST_SOUNDS):
            raise Closing(UNKNOWN_OPCODE, "Unknown opcode.")

    def _count_command(self) -> None:
        now = time.monotonic()
        if len(self._commands) == COMMANDS_PER_MINUTE and now - self._commands[0] < 60:
            raise Closing(TOO_FAST, "Rate limited.")
        self._commands.append(now)

    def _identify(self, d: Any) -> None:
        if self.session is not None:
            raise Closing(ALREADY_IDENTIFIED, "Already authenticated.")
        if not isinstance(d, dict) or not isinstance(d.get("properties"), dict):
            raise Closing(DECODE_ERROR, "Error while decoding payload.")
        self._check_token(d.get("token", ""))
        shard = _shard(d.get("shard"))
        self._check_intents(d.get("intents"))
        if not self.gateway.may_identify():
            self.send({"op": INVALID_SESSION, "d": False})
            return
        if not self.gateway.take_start():
            raise Closing(BAD_TOKEN, "Authentication failed.")
        session = Session(shard, d["intents"], d.get("shard") is not None)
        self._attach(session)
        self.gateway.sessions[session.id] = session
        self.gateway.greet(session)

    def _check_token(self, token: str) -> None:
        if self.gateway.world().token_reset or token.removeprefix("Bot ") != self.gateway.token:
            raise Closing(BAD_TOKEN, "Authentication failed.")

    def _check_intents(self, intents: Any) -> None:
        if not isinstance(intents, int) or intents < 0 or intents & ~ALL_INTENTS:
            raise Closing(BAD_INTENTS, "Invalid intent(s).")
        granted = self.gateway.world().settings.privileged_intents
        for name, bit in PRIVILEGED.items():
            if intents & bit and name not in granted:
                raise Closing(FORBIDDEN_INTENTS, "Disallowed intent(s).")

    def _attach(self, session: Session) -> None:
        if session.connection is not None:
            session.connection.session = None
            session.connection.close(TIMED_OUT, "Session resumed elsewhere.")
        session.connection, self.session = self, session
        session.disconnected_at = None

    def _resume(self, d: Any) -> None:
        if self.session is not None:
            raise Closing(ALREADY_IDENTIFIED, "Already authenticated.")
        if not isinstance(d, dict):
            raise Closing(BAD_TOKEN, "Authentication failed.")
        self._check_token(d.get("token", ""))
        session = self.gateway.sessions.get(str(d.get("session_id")))
        seen = d.get("seq")
        if session is None:
            self.send({"op": INVALID_SESSION, "d": False})
            return
        if not isinstance(seen, int) or seen > session.sequence:
            raise Closing(BAD_SEQUENCE, "Invalid seq.")
        missed = [p for p in session.sent if p["s"] > seen]
        complete = len(missed) == session.sequence - seen
        if self.gateway.world().settings.replay_interactions:
            missed = [p for p in session.sent if p["s"] > seen or p["t"] == INTERACTION]
        if not complete:
            del self.gateway.sessions[session.id]
            self.send({"op": INVALID_SESSION, "d": False})
            return
        self._attach(session)
        for payload in missed:
            self.send(payload)
        session.dispatch("RESUMED", {"_trace": ["sandbox"]})


def _refusal(request: web.Request) -> Closing | None:
    """Say why a connection is not served at all."""
    if request.query.get("v", "10") not in ("9", "10"):
        return Closing(BAD_VERSION, "Invalid API version.")
    if request.query.get("encoding", "json") != "json":
        return Closing(DECODE_ERROR, "The sandbox speaks JSON only.")
    return None


def _decode(data: str | bytes) -> Json:
    if len(data) > MAX_PAYLOAD:
        raise Closing(DECODE_ERROR, "Error while decoding payload.")
    try:
        payload = json.loads(data)
    except ValueError:
        raise Closing(DECODE_ERROR, "Error while decoding payload.") from None
    if not isinstance(payload, dict):
        raise Closing(DECODE_ERROR, "Error while decoding payload.")
    return payload


def _shard(given: Any) -> tuple[int, int]:
    if given is None:
        return 0, 1
    whole = isinstance(given, list) and len(given) == 2 and all(isinstance(n, int) for n in given)
    if not whole or not 0 <= given[0] < given[1]:
        raise Closing(BAD_SHARD, "Invalid shard.")
    return given[0], given[1]


class Gateway:
    """All sessions, and the events that go to them."""

    def __init__(self, world: Callable[[], World], token: str, journal: Journal) -> None:
        self.world = world
        self.token = token
        self.journal = journal
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        self._identified_at = 0.0

    def routes(self) -> list[web.RouteDef]:
        """List the gateway's address, in the ways clients write it."""
        return [web.get("/gateway", self.connect), web.get("/gateway/", self.connect)]

    # --- connections

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket."""
        if time.time() < self.world().settings.refuse_gateway_until:
            return web.Response(status=503, text="The gateway is away")
        ws = web.WebSocketResponse(compress=False, max_msg_size=0, timeout=CLOSING_SECONDS)
        await ws.prepare(request)
        connection = Connection(self, ws, request)
        self.connections.add(connection)
        try:
            await self._serve(connection, request)
        finally:
            self.connections.discard(connection)
            connection.ended.set()
            self._lose(connection)
        return ws

    async def _serve(self, connection: Connection, request: web.Request) -> None:
        refusal = _refusal(request)
        if refusal is not None:
            await connection.ws.close(code=refusal.code, message=refusal.reason.encode())
            return
        interval = int(self.world().settings.heartbeat_interval * 1000)
        connection.send({"op": HELLO, "d": {"heartbeat_interval": interval, "_trace": ["sandbox"]}})
        reader = asyncio.create_task(connection.read())
        writer = asyncio.create_task(connection.write())
        watcher = asyncio.create_task(connection.watch_heartbeat())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                reader.result()
            if not connection.ws.closed:
                # Something was wrong with what was read, or there was an order to close.
                end = await writer
                reader.cancel()
                await asyncio.wait({reader})
                # Nobody reads any more, so that this waits for the client's answer: its end is not a reset.
                await connection.ws.close(code=end.code, message=end.reason.encode())
        finally:
            tasks = (reader, writer, watcher)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _lose(self, connection: Connection) -> None:
        """Let a session wait to be resumed, unless the client said goodbye."""
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection = None
        session.disconnected_at = self.world().now()
        if connection.ws.close_code in GOODBYES and not connection.closing:
            self.sessions.pop(session.id, None)

    def forget_sessions(self) -> None:
        """Make every session impossible to resume."""
        self.sessions.clear()
        for connection in self.connections:
            connection.session = None

    def close_all(self, code: int, reason: str, *, resumable: bool) -> int:
        """Close every connection; return how many there were."""
        if not resumable:
            self.forget_sessions()
        for connection in self.connections:
            connection.close(code, reason)
        return len(self.connections)

    def drop_all(self) -> int:
        """Cut every connection without a word; return how many there were."""
        for connection in self.connections:
            connection.cut()
        return len(self.connections)

    def send_all(self, payload: Json) -> int:
        """Send an op to every connection; return how many there were."""
        for connection in self.connections:
            connection.send(payload)
        return len(self.connections)

    async def stop(self) -> None:
        """End every connection with "going away"."""
        connections = list(self.connections)
        self.close_all(WSCloseCode.GOING_AWAY, "The sandbox stops.", resumable=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                for connection in connections:
                    await connection.ended.wait()

    # --- identifying

    def starts(self) -> Json:
        """Return the `session_start_limit` as it stands; a day after its first identify it is full again."""
        world = self.world()
        if world.sessions_reset_at and world.now() >= world.sessions_reset_at:
            world.sessions_reset_at, world.settings.sessions_remaining = 0.0, STARTS_PER_DAY
        left = (world.sessions_reset_at or world.now() + DAY) - world.now()
        return {
            "total": STARTS_PER_DAY,
            "remaining": world.settings.sessions_remaining,
            "reset_after": int(left * 1000),
            "max_concurrency": 1,
        }

    def take_start(self) -> bool:
        """Use up a session start; when there is none left, end all sessions and void the token."""
        world = self.world()
        if self.starts()["remaining"] < 1:
            world.token_reset = True
            self.close_all(BAD_TOKEN, "Authentication failed.", resumable=False)
            return False
        world.settings.sessions_remaining -= 1
        world.sessions_reset_at = world.sessions_reset_at or world.now() + DAY
        return True

    def may_identify(self) -> bool:
        """Whether an identify does not come too soon after the one before."""
        interval = self.world().settings.identify_interval
        if time.time() - self._identified_at < interval:
            return False
        self._identified_at = time.time()
        return True

    def greet(self, session: Session) -> None:
        """Send READY, and every guild of the shard."""
        world = self.world()
        guilds = [g for g in world.guilds.values() if world.bot.id in g.members and session.serves(g)]
        flags = present.application_flags(world)
        ready: Json = {
            "v": 10,
            "user": present.own_user(world.bot),
            "user_settings": {},
            "guilds": [{"id": str(g.id), "unavailable": True} for g in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": world.base_url.replace("http", "ws", 1) + "/gateway",
            "application": {"id": str(world.application_id), "flags": flags},
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
            "auth": {},
            "_trace": ["sandbox"],
        }
        if session.explicit_shard:
            ready["shard"] = list(session.shard)
        session.dispatch("READY", ready)
        if session.intents & GUILDS:
            for guild in guilds:
                everyone = bool(session.intents & GUILD_MEMBERS)
                session.dispatch("GUILD_CREATE", present.guild_create(world, guild, all_members=everyone))

    def send_members(self, session: Session, d: Json) -> None:
        """Answer op 8 with GUILD_MEMBERS_CHUNK."""
        world = self.world()
        guild = world.guilds.get(int(d.get("guild_id") or 0))
        if guild is None:
            return
        ids = d.get("user_ids")
        members = list(guild.members.values())
        if ids is not None:
            wanted = {int(i) for i in (ids if isinstance(ids, list) else [ids])}
            members = [m for m in members if m.user.id in wanted]
            missing = [str(i) for i in wanted if i not in guild.members]
        else:
            missing = []
            query, limit = (d.get("query") or "").lower(), d.get("limit") or 0
            if (not query and not limit) and not session.intents & GUILD_MEMBERS:
                raise Closing(FORBIDDEN_INTENTS, "Disallowed intent(s).")
            members = [m for m in members if (m.nick or m.user.username).lower().startswith(query)]
            members = members[:limit] if limit else members
        chunk: Json = {
            "guild_id": str(guild.id),
            "members": [present.member(m) for m in members],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": missing,
        }
        if d.get("presences"):
            chunk["presences"] = []
        if d.get("nonce") is not None:
            chunk["nonce"] = d["nonce"]
        session.dispatch("GUILD_MEMBERS_CHUNK", chunk)

    # --- events

    def on_event(self, event: Event) -> None:
        """Send an event to the sessions it concerns."""
        if not event.to_bot:
            return
        world = self.world()
        # An interaction reaches the bot even from a channel it cannot see; nothing else does.
        hidden = event.channel is not None and not can_see(world, event.channel, world.bot)
        if hidden and event.name != INTERACTION:
            return
        if (
            event.guild is not None
            and world.bot.id not in event.guild.members
            and event.name != "GUILD_DELETE"
            # The app's commands can be there without its bot.
            and not (event.name == "INTERACTION_CREATE" and event.guild.commands_only)
        ):
            return
        for session in list(self.sessions.values()):
            if session.disconnected_at and world.now() - session.disconnected_at > RESUME_SECONDS:
                del self.sessions[session.id]
                continue
            wanted = not event.intent or session.intents & event.intent
            if wanted and session.serves(event.guild):
                for _ in range(world.settings.interaction_copies if event.name == INTERACTION else 1):
                    session.dispatch(event.name, self._for(session, event))

    def _for(self, session: Session, event: Event) -> Json:
        """Empty a message's content for a session without the intent, unless it is meant for the bot."""
        message, world = event.message, self.world()
        if message is None or session.intents & MESSAGE_CONTENT or event.guild is None:
            return event.data
        if message.author is world.bot or world.bot.id in message.mentions:
            return event.data
        return present.strip_content(event.data)
