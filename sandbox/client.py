"""A client of the sandbox: start it, be a person in its Discord, arrange faults, and look at what happened.

    async with sandbox.client.start() as sandbox:
        mia = sandbox.person("mia")
        run = await mia.run("animate", "stills", {"prompt": "waves"}, files={"image": "still.png"})
        await run.wait_acknowledged()
        message = await mia.wait_for_message("stills", lambda m: m.interaction_id == run.id)

Nothing here polls: waiting is done on the sandbox's live events. A wait that is too long ends in a
TimeoutError that says what was waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

Json = dict[str, Any]
FileLike = str | Path | bytes | tuple[str, bytes]
T = TypeVar("T")

SECONDS = 10.0
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class Refused(Exception):
    """The sandbox refused something; the message is its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


# --- what one sees


@dataclass
class Attachment:
    """A file of a message; `data` is Discord's attachment object."""

    data: Json
    _sandbox: Sandbox = field(repr=False)

    @property
    def id(self) -> str:
        """The attachment's id."""
        return str(self.data["id"])

    @property
    def filename(self) -> str:
        """The file's name."""
        return str(self.data["filename"])

    @property
    def url(self) -> str:
        """Its signed address."""
        return str(self.data["url"])

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return int(self.data["size"])

    async def read(self) -> bytes:
        """Download it."""
        return await self._sandbox.download(self.url)


@dataclass
class Message:
    """A message as a person sees it; `data` is Discord's message object with the sandbox's additions."""

    data: Json
    _sandbox: Sandbox = field(repr=False)

    @property
    def id(self) -> str:
        """The message's id."""
        return str(self.data["id"])

    @property
    def channel_id(self) -> str:
        """Where it is."""
        return str(self.data["channel_id"])

    @property
    def author(self) -> str:
        """Its author's username."""
        return str(self.data["author"]["username"])

    @property
    def content(self) -> str:
        """Its text; see `text` for the text of components too."""
        return str(self.data["content"])

    @property
    def text(self) -> str:
        """All that can be read in it: content, embeds and text components."""
        return "\n".join(_texts(self.data))

    @property
    def embeds(self) -> list[Json]:
        """Its embeds."""
        return list(self.data["embeds"])

    @property
    def components(self) -> list[Json]:
        """Its components."""
        return list(self.data["components"])

    @property
    def controls(self) -> list[Json]:
        """Its buttons and select menus, at any depth."""
        return [c for c in _walk(self.components) if c["type"] in (2, 3, 5, 6, 7, 8)]

    @property
    def attachments(self) -> list[Attachment]:
        """Its files, without those that an embed shows."""
        return [Attachment(a, self._sandbox) for a in self.data["attachments"]]

    @property
    def images(self) -> list[str]:
        """The addresses of the pictures that its embeds and components show."""
        shown = [e[k]["url"] for e in self.embeds for k in ("image", "thumbnail") if e.get(k)]
        for component in _walk(self.components):
            shown += [i["media"]["url"] for i in component.get("items") or []]
            shown += [component[k]["url"] for k in ("media", "file") if component.get(k)]
        return shown

    @property
    def deferred(self) -> bool:
        """Whether the bot is still "thinking…"."""
        return bool(self.data["deferred"])

    @property
    def ephemeral(self) -> bool:
        """Whether only this person sees it."""
        return bool(self.data["ephemeral"])

    @property
    def pinged(self) -> bool:
        """Whether it notified this person."""
        return bool(self.data["pinged"])

    @property
    def pings(self) -> list[str]:
        """The names of everyone it notified."""
        return list(self.data["pings"])

    @property
    def thread_id(self) -> str | None:
        """The thread that started from it."""
        thread = self.data.get("thread")
        return str(thread["id"]) if thread else None

    @property
    def interaction_id(self) -> str | None:
        """The interaction it answers."""
        metadata = self.data.get("interaction_metadata")
        return str(metadata["id"]) if metadata else None


@dataclass
class Channel:
    """A channel or thread; `data` is Discord's channel object."""

    data: Json

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.data["id"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.data["name"])


class Interaction:
    """Something a person did that the bot has to answer."""

    def __init__(self, sandbox: Sandbox, person: Person, interaction_id: str) -> None:
        self.id = interaction_id
        self.person = person
        self._sandbox = sandbox

    async def state(self) -> Json:
        """Read its state: see `sandbox.discord.people`."""
        return await self._sandbox.get(f"/discord/interactions/{self.id}")

    async def _wait(self, what: str, done: Callable[[Json], bool], seconds: float) -> Json:
        async def look() -> Json | None:
            state = await self.state()
            return state if done(state) else None

        return await self._sandbox.wait(look, seconds, f"interaction {self.id} to {what}", {"discord"})

    async def wait_acknowledged(self, seconds: float = SECONDS) -> Json:
        """Wait for the bot's first answer; AssertionError when 3 seconds pass without one."""
        state = await self._wait("be acknowledged", lambda s: s["acknowledged"] or s["failed"], seconds)
        if state["failed"]:
            raise AssertionError(f"the bot did not answer {state['name']!r} within 3 seconds")
        return state

    async def wait_failed(self, seconds: float = SECONDS) -> Json:
        """Wait until "the application did not respond"."""
        return await self._wait("fail", lambda s: bool(s["failed"]), seconds)

    async def wait_modal(self, seconds: float = SECONDS) -> Json:
        """Wait for the bot to open a modal."""
        modal: Json = (await self._wait("open a modal", lambda s: s["modal"], seconds))["modal"]
        return modal

    async def wait_choices(self, seconds: float = SECONDS) -> list[Json]:
        """Wait for the completions."""
        state = await self._wait("have choices", lambda s: s["choices"] is not None, seconds)
        return list(state["choices"])

    async def wait_response(self, seconds: float = SECONDS) -> Message:
        """Wait for the response to be more than "thinking…"."""
        state = await self.wait_acknowledged(seconds)

        async def look() -> Message | None:
            message_id = (await self.state())["response_message_id"]
            found = [m for m in await self.person.messages(state["channel_id"]) if m.id == message_id]
            return found[0] if found and not found[0].deferred else None

        return await self._sandbox.wait(look, seconds, f"the response of {state['name']!r}", {"discord"})

    async def submit(self, fields: Json, *, files: Mapping[str, FileLike] | None = None) -> Interaction:
        """Submit the modal that the bot opened."""
        payload = {"person": self.person.name, "interaction": self.id, "fields": fields}
        answer = await self._sandbox.send("/discord/submit", payload, files)
        return Interaction(self._sandbox, self.person, answer["interaction_id"])


class Person:
    """Somebody in front of a Discord client. `channel` is an id, a name, or "dm"."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.name = name
        self._sandbox = sandbox
        self._base = f"/discord/people/{name}"

    async def _do(self, path: str, payload: Json, files: Mapping[str, FileLike] | None = None) -> Interaction:
        answer = await self._sandbox.send(path, {"person": self.name} | payload, files)
        return Interaction(self._sandbox, self, answer["interaction_id"])

    async def run(
        self,
        command: str,
        channel: str,
        options: Json | None = None,
        *,
        files: Mapping[str, FileLike] | None = None,
        unchecked: bool = False,
    ) -> Interaction:
        """Run a slash command; `files` maps attachment options to paths, bytes or (name, bytes).

        `unchecked` sends values that a client would not let one enter, as something that is no client may.
        """
        payload = {"channel": channel, "command": command, "options": options or {}, "unchecked": unchecked}
        return await self._do("/discord/run", payload, files)

    async def autocomplete(
        self, command: str, channel: str, focused: str, text: str = "", options: Json | None = None
    ) -> list[Json]:
        """Ask for an option's completions and wait for them."""
        values = {**(options or {}), focused: text}
        payload = {"channel": channel, "command": command, "options": values, "focused": focused}
        return await (await self._do("/discord/autocomplete", payload)).wait_choices()

    async def menu(self, command: str, channel: str, target: str | Message) -> Interaction:
        """Run a context-menu command on a message or a person."""
        text = target.id if isinstance(target, Message) else target
        return await self._do("/discord/menu", {"channel": channel, "command": command, "target": text})

    async def click(
        self, message: Message, custom_id: str, values: Iterable[str] | None = None
    ) -> Interaction:
        """Click a button, or choose values in a select menu."""
        payload: Json = {"channel": message.channel_id, "message": message.id, "custom_id": custom_id}
        if values is not None:
            payload["values"] = list(values)
        return await self._do("/discord/click", payload)

    async def post(
        self,
        channel: str,
        content: str = "",
        *,
        files: Mapping[str, FileLike] | None = None,
        reply_to: Message | None = None,
    ) -> Message:
        """Post a message."""
        payload: Json = {"content": content}
        if reply_to is not None:
            payload["reply_to"] = reply_to.id
        data = await self._sandbox.send(f"{self._base}/channels/{channel}/messages", payload, files)
        return Message(data, self._sandbox)

    async def messages(self, channel: str) -> list[Message]:
        """Read what they see of a channel, oldest first."""
        answer = await self._sandbox.get(f"{self._base}/channels/{channel}/messages")
        return [Message(m, self._sandbox) for m in answer["messages"]]

    async def wait_for_message(
        self,
        channel: str,
        predicate: Callable[[Message], object] = lambda m: not m.deferred,
        seconds: float = SECONDS,
    ) -> Message:
        """Wait for a message that they see and the predicate likes; the newest counts."""

        async def look() -> Message | None:
            try:
                found = [m for m in await self.messages(channel) if predicate(m)]
            except Refused as refusal:
                if refusal.status != 404:
                    raise
                return None  # a thread that is still to come
            return found[-1] if found else None

        what = f"{self.name} to see such a message in {channel}"
        return await self._sandbox.wait(look, seconds, what, {"discord"})

    async def threads(self, channel: str) -> list[Channel]:
        """List the threads of a channel that they see."""
        answer = await self._sandbox.get(f"{self._base}/channels/{channel}/threads")
        return [Channel(t) for t in answer["threads"]]

    async def places(self) -> list[Channel]:
        """List every channel, thread and DM that they see."""
        answer = await self._sandbox.get(f"{self._base}/places")
        return [Channel(c) for c in answer["places"]]

    async def commands(self, channel: str) -> list[Json]:
        """List the commands that they are offered in a channel."""
        answer = await self._sandbox.get(f"{self._base}/commands", channel=channel)
        return list(answer["commands"])

    async def pings(self) -> list[Message]:
        """List the messages that notified them."""
        answer = await self._sandbox.get(f"{self._base}/pings")
        return [Message(m, self._sandbox) for m in answer["pings"]]

    async def open_dm(self) -> str:
        """Open the DM with the bot; return its id."""
        answer = await self._sandbox.send(f"{self._base}/dm", {})
        return str(answer["channel_id"])

    async def delete(self, message: Message) -> None:
        """Delete a message."""
        await self._sandbox.request(
            "DELETE", f"{self._base}/channels/{message.channel_id}/messages/{message.id}"
        )

    async def change(self, **changes: Any) -> Json:
        """Change their account: accepts_dms, premium_type, locale, nick, roles, timeout_seconds."""
        return await self._sandbox.request("PATCH", self._base, changes)


# --- what one arranges


class FaultsClient:
    """Faults on request: see `sandbox.faults` for the fields."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def add(self, side: str, kind: str, **fields: Any) -> Json:
        """Put a fault in force."""
        return await self._sandbox.send("/faults", {"side": side, "kind": kind, **fields})

    async def list(self) -> list[Json]:
        """List the faults with their hits."""
        return [*(await self._sandbox.get("/faults"))["faults"]]

    async def remove(self, fault: Json) -> None:
        """Take a fault away."""
        await self._sandbox.request("DELETE", f"/faults/{fault['id']}")

    async def clear(self) -> None:
        """Take all faults away."""
        await self._sandbox.request("DELETE", "/faults")


class NovitaClient:
    """Novita's side: see `sandbox.novita.control`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def settings(self, **changes: Any) -> Json:
        """Read the settings, or change some."""
        if changes:
            return await self._sandbox.request("PATCH", "/novita/settings", changes)
        return await self._sandbox.get("/novita/settings")

    async def tasks(self) -> list[Json]:
        """List the tasks that were submitted."""
        return list((await self._sandbox.get("/novita/tasks"))["tasks"])

    async def wait_for_task(self, predicate: Callable[[Json], object], seconds: float = SECONDS) -> Json:
        """Wait for a task that the predicate likes; the newest counts."""

        async def look() -> Json | None:
            found = [task for task in await self.tasks() if predicate(task)]
            return found[-1] if found else None

        return await self._sandbox.wait(look, seconds, "such a task at Novita", {"novita"})

    async def payments(self) -> list[Json]:
        """List what was paid."""
        return list((await self._sandbox.get("/novita/payments"))["payments"])

    async def forward(self, seconds: float) -> Json:
        """Move Novita's clock forward."""
        return await self._sandbox.send("/novita/clock", {"forward": seconds})


class DiscordAdmin:
    """Discord's side as its owner sees it: see `sandbox.discord.admin`. `channel` is an id or a name."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def state(self) -> Json:
        """Read everything."""
        return await self._sandbox.get("/discord/state")

    async def settings(self, **changes: Any) -> Json:
        """Change settings: upload limits, privileged intents, rate limits, heartbeat interval, shards."""
        return await self._sandbox.request("PATCH", "/discord/settings", changes)

    async def guild(self, **changes: Any) -> Json:
        """Change the guild: premium_tier, name, preferred_locale."""
        return await self._sandbox.request("PATCH", "/discord/guild", changes)

    async def role(self, role: str, **changes: Any) -> Json:
        """Change a role: permissions, or allow and deny."""
        return await self._sandbox.request("PATCH", f"/discord/guild/roles/{role}", changes)

    async def remove_bot(self) -> None:
        """Remove the bot from the guild."""
        await self._sandbox.request("DELETE", "/discord/guild/bot")

    async def add_bot(self) -> None:
        """Put the bot back into the guild."""
        await self._sandbox.request("POST", "/discord/guild/bot", {})

    async def overwrite(
        self, channel: str, target: str, *, allow: Iterable[str] = (), deny: Iterable[str] = ()
    ) -> Channel:
        """Set a channel's overwrite for a role, a person, the bot or everyone."""
        path = f"/discord/channels/{channel}/overwrites/{target}"
        body = {"allow": list(allow), "deny": list(deny)}
        return Channel(await self._sandbox.request("PUT", path, body))

    async def clear_overwrite(self, channel: str, target: str) -> Channel:
        """Remove a channel's overwrite."""
        path = f"/discord/channels/{channel}/overwrites/{target}"
        return Channel(await self._sandbox.request("DELETE", path))

    async def create_channel(self, name: str, kind: str = "text", parent: str | None = None) -> Channel:
        """Create a channel."""
        body = {"name": name, "type": kind, "parent": parent}
        return Channel(await self._sandbox.send("/discord/channels", body))

    async def change_channel(self, channel: str, **changes: Any) -> Channel:
        """Change a channel, or a thread: archived, locked, name."""
        return Channel(await self._sandbox.request("PATCH", f"/discord/channels/{channel}", changes))

    async def delete_channel(self, channel: str) -> None:
        """Delete a channel or a thread."""
        await self._sandbox.request("DELETE", f"/discord/channels/{channel}")

    async def delete_message(self, message: Message) -> None:
        """Delete a message."""
        path = f"/discord/channels/{message.channel_id}/messages/{message.id}"
        await self._sandbox.request("DELETE", path)

    async def start_thread(self, channel: str, person: str, name: str, **fields: Any) -> Channel:
        """Let a person start a thread: `private=True`, or `message` with an id to start it from."""
        body = {"person": person, "name": name, **fields}
        return Channel(await self._sandbox.send(f"/discord/channels/{channel}/threads", body))

    async def forum_post(self, channel: str, person: str, name: str, content: str = "Look!") -> Channel:
        """Let a person make a forum post."""
        body = {"person": person, "name": name, "content": content}
        return Channel(await self._sandbox.send(f"/discord/channels/{channel}/posts", body))

    async def forward(self, seconds: float) -> Json:
        """Move the clock that Discord's limits are measured on."""
        return await self._sandbox.send("/discord/clock", {"forward": seconds})

    async def reconnect(self) -> Json:
        """Ask every gateway session to reconnect (op 7)."""
        return await self._sandbox.send("/discord/gateway/reconnect", {})

    async def invalidate(self, *, resumable: bool = False) -> Json:
        """Tell every gateway session that it is invalid (op 9)."""
        return await self._sandbox.send("/discord/gateway/invalidate", {"resumable": resumable})

    async def close_gateway(self, code: int = 4000, *, resumable: bool = True) -> Json:
        """Close every gateway connection with a code; 0 cuts it."""
        body = {"code": code, "resumable": resumable}
        return await self._sandbox.send("/discord/gateway/close", body)

    async def refuse_gateway(self, seconds: float) -> Json:
        """Accept no gateway connection for a while."""
        return await self._sandbox.send("/discord/gateway/refuse", {"seconds": seconds})


class Sandbox:
    """A running sandbox, by its control site's address."""

    def __init__(self, control_url: str) -> None:
        self.control_url = control_url.rstrip("/")
        self.faults = FaultsClient(self)
        self.novita = NovitaClient(self)
        self.discord = DiscordAdmin(self)
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

    def person(self, name: str) -> Person:
        """Be someone: olivia (owner), adam (admin), mia (no rights), rosa (a role)."""
        return Person(self, name)

    async def wire(self, since: int = 0, *, side: str | None = None) -> list[Json]:
        """Read what crossed the wire after an exchange's id: see `sandbox.journal.Exchange`."""
        found = (await self.get("/wire", since=since))["exchanges"]
        return [e for e in found if side in (None, e["side"])]

    async def reset(self) -> None:
        """Put everything back to a fresh world."""
        await self.request("POST", "/reset", {})

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
        async with self._http.get(url) as response:
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


def _walk(components: Iterable[Json]) -> Iterable[Json]:
    for component in components:
        yield component
        yield from _walk(component.get("components") or [])
        yield from _walk([component[k] for k in ("accessory", "component") if component.get(k)])


def _texts(message: Json) -> Iterable[str]:
    yield message["content"]
    for embed in message["embeds"]:
        yield from (embed[k] for k in ("title", "description") if embed.get(k))
        for item in embed.get("fields") or []:
            yield from (item["name"], item["value"])
        if embed.get("footer"):
            yield embed["footer"]["text"]
    for component in _walk(message["components"]):
        yield from (component[k] for k in ("content", "label") if component.get(k))


@contextlib.asynccontextmanager
async def start(*flags: str, python: str = sys.executable) -> AsyncIterator[Sandbox]:
    """Start `python -m sandbox` on free ports, be its client, and stop it afterwards.

    `flags` are further command-line flags. RuntimeError when it does not start, or does not stop cleanly.
    """
    ports = ["--discord-port", "0", "--novita-port", "0", "--control-port", "0"]
    process = await asyncio.create_subprocess_exec(
        python, "-m", "sandbox", *ports, *flags, stdout=asyncio.subprocess.PIPE
    )
    try:
        environment = await _environment(process)
        async with Sandbox(environment["control_url"]) as sandbox:
            sandbox.environment = environment
            yield sandbox
    finally:
        status = await _stop(process)
    if status != 0:
        raise RuntimeError(f"the sandbox ended with status {status}")


async def _environment(process: asyncio.subprocess.Process) -> dict[str, str]:
    if process.stdout is None:
        raise RuntimeError("the sandbox has no output")
    async with asyncio.timeout(_START_SECONDS):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the sandbox ended before it was ready")
    environment: dict[str, str] = json.loads(line)
    return environment


async def _stop(process: asyncio.subprocess.Process) -> int:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
