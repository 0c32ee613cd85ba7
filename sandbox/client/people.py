"""What people do, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.client.connection import SECONDS, Connection, FileLike, Json, Refused
from sandbox.client.seen import Channel, Message


class Interaction:
    """Something a person did that the bot has to answer."""

    def __init__(self, connection: Connection, person: Person, interaction_id: str) -> None:
        self.id = interaction_id
        self.person = person
        self._connection = connection

    async def state(self) -> Json:
        """Read its state: see `sandbox.discord.people`."""
        return await self._connection.get(f"/discord/interactions/{self.id}")

    async def _wait(self, what: str, done: Callable[[Json], bool], seconds: float) -> Json:
        async def look() -> Json | None:
            state = await self.state()
            return state if done(state) else None

        return await self._connection.wait(look, seconds, f"interaction {self.id} to {what}", {"discord"})

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

        return await self._connection.wait(look, seconds, f"the response of {state['name']!r}", {"discord"})

    async def submit(self, fields: Json, *, files: Mapping[str, FileLike] | None = None) -> Interaction:
        """Submit the modal that the bot opened; more files of a field "still" are "still/1", "still/2" …"""
        payload = {"person": self.person.name, "interaction": self.id, "fields": fields}
        answer = await self._connection.send("/discord/submit", payload, files)
        return Interaction(self._connection, self.person, answer["interaction_id"])


class Person:
    """Somebody in front of a Discord client. `channel` is an id, a name, or "dm"."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._connection = connection
        self._base = f"/discord/people/{name}"

    async def _do(self, path: str, payload: Json, files: Mapping[str, FileLike] | None = None) -> Interaction:
        answer = await self._connection.send(path, {"person": self.name} | payload, files)
        return Interaction(self._connection, self, answer["interaction_id"])

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
        data = await self._connection.send(f"{self._base}/channels/{channel}/messages", payload, files)
        return Message(data, self._connection)

    async def messages(self, channel: str, limit: int = 100) -> list[Message]:
        """Read what they see of a channel, oldest first: the newest `limit` messages."""
        answer = await self._connection.get(f"{self._base}/channels/{channel}/messages", limit=limit)
        return [Message(m, self._connection) for m in answer["messages"]]

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
        return await self._connection.wait(look, seconds, what, {"discord"})

    async def threads(self, channel: str) -> list[Channel]:
        """List the threads of a channel that they see."""
        answer = await self._connection.get(f"{self._base}/channels/{channel}/threads")
        return [Channel(t) for t in answer["threads"]]

    async def places(self) -> list[Channel]:
        """List every channel, thread and DM that they see."""
        answer = await self._connection.get(f"{self._base}/places")
        return [Channel(c) for c in answer["places"]]

    async def commands(self, channel: str) -> list[Json]:
        """List the commands that they are offered in a channel."""
        answer = await self._connection.get(f"{self._base}/commands", channel=channel)
        return list(answer["commands"])

    async def pings(self) -> list[Message]:
        """List the messages that notified them."""
        answer = await self._connection.get(f"{self._base}/pings")
        return [Message(m, self._connection) for m in answer["pings"]]

    async def open_dm(self) -> str:
        """Open the DM with the bot; return its id."""
        answer = await self._connection.send(f"{self._base}/dm", {})
        return str(answer["channel_id"])

    async def delete(self, message: Message) -> None:
        """Delete a message."""
        await self._connection.request(
            "DELETE", f"{self._base}/channels/{message.channel_id}/messages/{message.id}"
        )

    async def change(self, **changes: Any) -> Json:
        """Change their account: accepts_dms, premium_type, locale and more: see `sandbox.discord.people`."""
        return await self._connection.request("PATCH", self._base, changes)
