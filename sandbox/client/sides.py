"""What one arranges, side by side: faults, Novita, and Discord as its owner sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sandbox.client.connection import SECONDS, Connection, Json
from sandbox.client.seen import Channel, Message


class FaultsClient:
    """Faults on request: see `sandbox.faults` for the fields."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, side: str, kind: str, **fields: Any) -> Json:
        """Put a fault in force."""
        return await self._connection.send("/faults", {"side": side, "kind": kind, **fields})

    async def list(self) -> list[Json]:
        """List the faults with their hits."""
        return [*(await self._connection.get("/faults"))["faults"]]

    async def remove(self, fault: Json) -> None:
        """Take a fault away."""
        await self._connection.request("DELETE", f"/faults/{fault['id']}")

    async def clear(self) -> None:
        """Take all faults away."""
        await self._connection.request("DELETE", "/faults")


class NovitaClient:
    """Novita's side: see `sandbox.novita.control`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def settings(self, **changes: Any) -> Json:
        """Read the settings, or change some."""
        if changes:
            return await self._connection.request("PATCH", "/novita/settings", changes)
        return await self._connection.get("/novita/settings")

    async def tasks(self) -> list[Json]:
        """List the tasks that were submitted."""
        return list((await self._connection.get("/novita/tasks"))["tasks"])

    async def wait_for_task(self, predicate: Callable[[Json], object], seconds: float = SECONDS) -> Json:
        """Wait for a task that the predicate likes; the newest counts."""

        async def look() -> Json | None:
            found = [task for task in await self.tasks() if predicate(task)]
            return found[-1] if found else None

        return await self._connection.wait(look, seconds, "such a task at Novita", {"novita"})

    async def payments(self) -> list[Json]:
        """List what was paid."""
        return list((await self._connection.get("/novita/payments"))["payments"])

    async def forward(self, seconds: float) -> Json:
        """Move Novita's clock forward."""
        return await self._connection.send("/novita/clock", {"forward": seconds})


class DiscordAdmin:
    """Discord's side as its owner sees it: see `sandbox.discord.admin`. `channel` is an id or a name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def state(self) -> Json:
        """Read everything."""
        return await self._connection.get("/discord/state")

    async def settings(self, **changes: Any) -> Json:
        """Change settings, such as upload limits or shards: see `sandbox.discord.admin`."""
        return await self._connection.request("PATCH", "/discord/settings", changes)

    async def guild(self, **changes: Any) -> Json:
        """Change the guild: premium_tier, name, preferred_locale."""
        return await self._connection.request("PATCH", "/discord/guild", changes)

    async def role(self, role: str, **changes: Any) -> Json:
        """Change a role: permissions, or allow and deny."""
        return await self._connection.request("PATCH", f"/discord/guild/roles/{role}", changes)

    async def remove_bot(self, *, commands_stay: bool = False) -> None:
        """Remove the bot from the guild, with its commands or without."""
        await self._connection.request("DELETE", f"/discord/guild/bot?commands={int(commands_stay)}")

    async def add_bot(self) -> None:
        """Put the bot back into the guild."""
        await self._connection.request("POST", "/discord/guild/bot", {})

    async def overwrite(
        self, channel: str, target: str, *, allow: Iterable[str] = (), deny: Iterable[str] = ()
    ) -> Channel:
        """Set a channel's overwrite for a role, a person, the bot or everyone."""
        path = f"/discord/channels/{channel}/overwrites/{target}"
        body = {"allow": list(allow), "deny": list(deny)}
        return Channel(await self._connection.request("PUT", path, body))

    async def clear_overwrite(self, channel: str, target: str) -> Channel:
        """Remove a channel's overwrite."""
        path = f"/discord/channels/{channel}/overwrites/{target}"
        return Channel(await self._connection.request("DELETE", path))

    async def create_channel(self, name: str, kind: str = "text", parent: str | None = None) -> Channel:
        """Create a channel."""
        body = {"name": name, "type": kind, "parent": parent}
        return Channel(await self._connection.send("/discord/channels", body))

    async def change_channel(self, channel: str, **changes: Any) -> Channel:
        """Change a channel, or a thread: archived, locked, name."""
        return Channel(await self._connection.request("PATCH", f"/discord/channels/{channel}", changes))

    async def delete_channel(self, channel: str) -> None:
        """Delete a channel or a thread."""
        await self._connection.request("DELETE", f"/discord/channels/{channel}")

    async def delete_message(self, message: Message) -> None:
        """Delete a message."""
        path = f"/discord/channels/{message.channel_id}/messages/{message.id}"
        await self._connection.request("DELETE", path)

    async def start_thread(self, channel: str, person: str, name: str, **fields: Any) -> Channel:
        """Let a person start a thread: `private=True`, or `message` with an id to start it from."""
        body = {"person": person, "name": name, **fields}
        return Channel(await self._connection.send(f"/discord/channels/{channel}/threads", body))

    async def forum_post(self, channel: str, person: str, name: str, content: str = "Look!") -> Channel:
        """Let a person make a forum post."""
        body = {"person": person, "name": name, "content": content}
        return Channel(await self._connection.send(f"/discord/channels/{channel}/posts", body))

    async def forward(self, seconds: float) -> Json:
        """Move the clock that Discord's limits are measured on."""
        return await self._connection.send("/discord/clock", {"forward": seconds})

    async def ban(self, seconds: float) -> Json:
        """Let Discord's edge ban the bot's address for a while; 0 ends it."""
        return await self._connection.send("/discord/ban", {"seconds": seconds})

    async def reconnect(self) -> Json:
        """Ask every gateway session to reconnect (op 7)."""
        return await self._connection.send("/discord/gateway/reconnect", {})

    async def invalidate(self, *, resumable: bool = False) -> Json:
        """Tell every gateway session that it is invalid (op 9)."""
        return await self._connection.send("/discord/gateway/invalidate", {"resumable": resumable})

    async def close_gateway(self, code: int = 4000, *, resumable: bool = True) -> Json:
        """Close every gateway connection with a code; 0 cuts it."""
        body = {"code": code, "resumable": resumable}
        return await self._connection.send("/discord/gateway/close", body)

    async def refuse_gateway(self, seconds: float) -> Json:
        """Accept no gateway connection for a while."""
        return await self._connection.send("/discord/gateway/refuse", {"seconds": seconds})
