"""The connection to a sandbox: requests to its control site, and its live events."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import yarl

Json = dict[str, Any]
FileLike = str | Path | bytes | tuple[str, bytes]
T = TypeVar("T")

SECONDS = 10.0
"""How long is waited for something unless told otherwise."""


class Refused(Exception):
    """The sandbox refused something; the message is its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Connection:
    """A connection to a running sandbox: requests to its control site, and its live events."""

    def __init__(self, control_url: str) -> None:
        self.control_url = control_url.rstrip("/")
        self.environment: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._listeners: set[asyncio.Queue[Json]] = set()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        try:
            self._socket = await self._session.ws_connect(f"{self.control_url}/events", max_msg_size=0)
            index = await self.get("/")
        except aiohttp.ClientError:
            await self._session.close()
            raise
        self.environment = {k: v for k, v in index.items() if isinstance(v, str)}
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    # --- events

    @contextlib.contextmanager
    def _subscribed(self) -> Any:
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            for queue in self._listeners:
                queue.put_nowait(event)

    async def events(self) -> AsyncIterator[Json]:
        """Yield every live event from now on."""
        with self._subscribed() as queue:
            while True:
                yield await queue.get()

    async def wait(
        self,
        look: Callable[[], Awaitable[T | None]],
        seconds: float,
        what: str,
        types: Iterable[str] = ("",),
    ) -> T:
        """Look, and look again after every live event, until something is there.

        Only events whose type starts with one of `types` count. TimeoutError says what was waited for.
        """
        with self._subscribed() as queue:
            try:
                async with asyncio.timeout(seconds):
                    while (found := await look()) is None:
                        await _next(queue, tuple(types))
                    return found
            except TimeoutError:
                raise TimeoutError(f"waited {seconds:g} s for {what}") from None

    # --- requests

    async def get(self, path: str, **query: Any) -> Json:
        """GET from the control site; `Refused` carries its sentence."""
        return await self.request("GET", path, query=query)

    async def send(self, path: str, payload: Json, files: Mapping[str, FileLike] | None = None) -> Json:
        """POST to the control site, as multipart when there are files."""
        if not files:
            return await self.request("POST", path, payload)
        form = aiohttp.FormData()
        form.add_field("payload_json", json.dumps(payload), content_type="application/json")
        for name, file in files.items():
            filename, data = await asyncio.to_thread(_load, name, file)
            form.add_field(name, io.BytesIO(data), filename=filename, content_type="application/octet-stream")
        return await self.request("POST", path, form=form)

    async def request(
        self,
        method: str,
        path: str,
        payload: Json | None = None,
        *,
        form: aiohttp.FormData | None = None,
        query: Json | None = None,
    ) -> Json:
        """Send any request to the control site."""
        url = self.control_url + path
        async with self._http.request(method, url, json=payload, data=form, params=query or {}) as response:
            answer: Json = await response.json()
            if response.status >= 400:
                raise Refused(response.status, answer.get("error", str(answer)))
            return answer

    async def download(self, url: str) -> bytes:
        """Download anything whole."""
        async with self._http.get(yarl.URL(url, encoded=True)) as response:  # its signature is of it as it is
            if response.status != 200:
                raise Refused(response.status, await response.text())
            return await response.read()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use `async with Sandbox(url)`")
        return self._session


async def _next(queue: asyncio.Queue[Json], types: tuple[str, ...]) -> None:
    """Wait for an event of some types, then drop what else has come: one look covers it all."""
    while not (await queue.get())["type"].startswith(types):
        pass
    while not queue.empty():
        queue.get_nowait()


def _load(name: str, file: FileLike) -> tuple[str, bytes]:
    if isinstance(file, tuple):
        return file
    if isinstance(file, bytes):
        return name, file
    path = Path(file)
    return path.name, path.read_bytes()
