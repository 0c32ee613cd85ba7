"""A sandbox in this process for the tests, and three ways to talk to it: as the bot over raw REST and a raw
gateway socket, as a bot written with discord.py, and as people."""

from __future__ import annotations

import asyncio
import io
import json
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
import yarl
import zstandard
from discord.gateway import DiscordWebSocket
from discord.http import Route
from PIL import Image

from sandbox.client import Sandbox
from sandbox.house import House

DOCUMENT = Path(
    os.environ.get("KINORA_OPENAPI", Path(__file__).parents[3] / "shared/spec/discord-openapi.json")
)
Json = dict[str, Any]


def png(width: int = 640, height: int = 480, colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    document = DOCUMENT if DOCUMENT.is_file() else None
    house = House(data_dir=tmp_path_factory.mktemp("sandbox"), openapi=document)
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
async def sandbox(house: House) -> AsyncIterator[Sandbox]:
    """The sandbox as a client sees it; all it answered must have been as Discord's document says."""
    seen = house.journal.since(0)
    last = seen[-1].id if seen else 0
    async with Sandbox(house.control_url) as sandbox:
        yield sandbox
        await sandbox.reset()
    problems = [f"{e.path}: {p}" for e in house.journal.since(last) for p in e.problems]
    assert [p for p in problems if " response: " in p or "sandbox failed" in p] == []


class Answer:
    """What the API answered."""

    def __init__(self, response: aiohttp.ClientResponse, body: Any) -> None:
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def code(self) -> int | None:
        return self.body.get("code") if isinstance(self.body, dict) else None

    def __repr__(self) -> str:
        return f"<{self.status} {self.body}>"


class Rest:
    """The bot, over raw REST."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox, self.session = sandbox, session
        self.api = sandbox.environment["discord_api_url"]
        self.token = sandbox.environment["discord_token"]
        self.application_id = ""
        self.guild_id = ""
        self.channels: dict[str, str] = {}
        self.people: dict[str, str] = {}

    async def learn(self) -> None:
        state = await self.sandbox.discord.state()
        self.application_id = state["application_id"]
        self.guild_id = state["guilds"][0]["id"]
        self.channels = {c["name"]: c["id"] for c in state["guilds"][0]["channels"]}
        self.people = {m["user"]["username"]: m["user"]["id"] for m in state["guilds"][0]["members"]}

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        files: dict[str, tuple[str, bytes]] | None = None,
        token: str | None = None,
    ) -> Answer:
        headers = {"Authorization": f"Bot {token or self.token}"}
        form = None
        if files:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("payload_json", json.dumps(body or {}), content_type="application/json")
            for name, (filename, data) in files.items():
                form.add_field(
                    name, io.BytesIO(data), filename=filename, content_type="application/octet-stream"
                )
        json_body = None if files else body
        url = yarl.URL(self.api + path, encoded=True)
        async with self.session.request(method, url, json=json_body, data=form, headers=headers) as answer:
            is_json = answer.headers.get("Content-Type") == "application/json"
            return Answer(answer, await answer.json() if is_json else await answer.read())

    async def ok(self, method: str, path: str, body: Any = None, **given: Any) -> Any:
        answer = await self(method, path, body, **given)
        assert answer.status < 300, answer
        return answer.body

    async def post(self, channel: str, **body: Any) -> Json:
        posted: Json = await self.ok(
            "POST", f"/channels/{self.channels.get(channel, channel)}/messages", body
        )
        return posted

    async def command(self, **body: Any) -> Json:
        """Register one command besides those there are."""
        body = {"description": "does things", "type": 1} | body
        if body["type"] != 1:
            del body["description"]
        made: Json = await self.ok("POST", f"/applications/{self.application_id}/commands", body)
        return made

    async def clear_commands(self) -> None:
        await self.ok("PUT", f"/applications/{self.application_id}/commands", [])

    async def answer(self, interaction: Json, kind: int, data: Json | None = None, **given: Any) -> Answer:
        path = f"/interactions/{interaction['id']}/{interaction['token']}/callback?with_response=1"
        body: Json = {"type": kind}
        if data is not None:
            body["data"] = data
        return await self("POST", path, body, **given)

    def webhook(self, interaction: Json, name: str = "") -> str:
        path = f"/webhooks/{self.application_id}/{interaction['token']}"
        return f"{path}/messages/{name}" if name else path


@pytest.fixture
async def rest(sandbox: Sandbox) -> AsyncIterator[Rest]:
    async with aiohttp.ClientSession() as session:
        rest = Rest(sandbox, session)
        await rest.learn()
        await sandbox.discord.settings(rate_limits=False)
        yield rest
        await sandbox.discord.settings(rate_limits=False)
        await rest.clear_commands()


class GatewayClient:
    """The bot, over a raw gateway socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, compress: str | None) -> None:
        self.socket = socket
        self.session_id = ""
        self.sequence = 0
        inflate, unzstd = zlib.decompressobj(), zstandard.ZstdDecompressor().decompressobj()
        self._decompress = {"zlib-stream": inflate.decompress, "zstd-stream": unzstd.decompress}.get(
            compress or ""
        )

    async def receive(self) -> Json:
        message = await self.socket.receive(timeout=10)
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
            raise ConnectionError(self.socket.close_code)
        data = message.data if self._decompress is None else self._decompress(message.data)  # type: ignore[operator]
        payload: Json = json.loads(data)
        self.sequence = payload["s"] or self.sequence
        return payload

    async def until(self, name: str) -> Json:
        while (payload := await self.receive())["t"] != name:
            pass
        data: Json = payload["d"]
        return data

    async def op(self, op: int) -> Json:
        while (payload := await self.receive())["op"] != op:
            pass
        return payload

    async def close_code(self) -> int | None:
        try:
            while True:
                await self.receive()
        except ConnectionError:
            return self.socket.close_code

    async def send(self, op: int, d: Any = None) -> None:
        await self.socket.send_json({"op": op, "d": d})

    async def identify(self, token: str, intents: int = 1 | 1 << 9 | 1 << 12, **fields: Any) -> Json:
        await self.send(2, {"token": token, "intents": intents, "properties": {"os": "test"}, **fields})
        ready = await self.until("READY")
        self.session_id = ready["session_id"]
        return ready


Connect = Callable[..., Awaitable[GatewayClient]]


@pytest.fixture
async def connect(rest: Rest) -> AsyncIterator[Connect]:
    """Open gateway sockets."""
    sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def connect(compress: str | None = None) -> GatewayClient:
        url = (await rest.ok("GET", "/gateway"))["url"]
        query = "?v=10&encoding=json" + (f"&compress={compress}" if compress else "")
        socket = await rest.session.ws_connect(url + query, max_msg_size=0)
        sockets.append(socket)
        return GatewayClient(socket, compress)

    yield connect
    for socket in sockets:
        await socket.close()


@pytest.fixture
async def gateway(rest: Rest, connect: Connect) -> GatewayClient:
    """A gateway session that is ready."""
    client = await connect()
    await client.identify(rest.token)
    await client.until("GUILD_CREATE")
    return client


@pytest.fixture
def discord_py(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point discord.py at the sandbox; the token."""
    api = sandbox.environment["discord_api_url"]
    monkeypatch.setattr(Route, "BASE", api)
    socket = yarl.URL(api.replace("http", "ws", 1)).with_path("/gateway")
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", socket)
    return sandbox.environment["discord_token"]


Run = Callable[[discord.Client], Awaitable[None]]


@pytest.fixture
async def run(discord_py: str) -> AsyncIterator[Run]:
    """Start bots written with discord.py, and stop them afterwards."""
    running: list[tuple[discord.Client, asyncio.Task[None]]] = []

    async def run(client: discord.Client) -> None:
        await client.login(discord_py)
        running.append((client, asyncio.create_task(client.connect())))
        async with asyncio.timeout(20):
            await client.wait_until_ready()

    yield run
    for client, task in running:
        await client.close()
        await asyncio.gather(task, return_exceptions=True)
