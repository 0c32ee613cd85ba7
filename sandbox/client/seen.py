"""What one sees: messages, their files, and channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox.client.connection import Connection, Json


@dataclass
class Attachment:
    """A file of a message; `data` is Discord's attachment object."""

    data: Json
    _connection: Connection = field(repr=False)

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
        return await self._connection.download(self.url)


@dataclass
class Message:
    """A message as a person sees it; `data` is Discord's message object with the sandbox's additions."""

    data: Json
    _connection: Connection = field(repr=False)

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
        return [Attachment(a, self._connection) for a in self.data["attachments"]]

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
