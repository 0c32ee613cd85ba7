"""The CDN: signed, expiring addresses, and the files and avatars behind them.

https://docs.discord.com/developers/reference#signed-attachment-cdn-urls
"""

from __future__ import annotations

import hashlib
import hmac
import io
import mimetypes
from collections.abc import Callable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from aiohttp import web
from PIL import Image, ImageDraw

from sandbox.discord.models import Attachment, User
from sandbox.discord.world import World

DAY = 86_400
LIFETIME_EPHEMERAL = DAY
LIFETIME_ORDINARY = 14 * DAY
GONE = "This content is no longer available."
_SECRET = b"the sandbox signs its own attachments"
_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
}


def content_type_of(filename: str) -> str | None:
    """Guess a content type from the extension alone, which is all Discord looks at; None when unknown."""
    suffix = PurePath(filename).suffix.lower()
    guess = _TYPES.get(suffix) or mimetypes.guess_type(filename)[0]
    if guess and guess.startswith("text/"):
        return f"{guess}; charset=utf-8"
    return guess


def _path_of(a: Attachment, *, escaped: bool) -> str:
    kind = "ephemeral-attachments" if a.ephemeral else "attachments"
    # An escape that nothing asks for: whoever reads the address and writes it anew leaves it out.
    name = f"%{ord(a.filename[0]):02X}{quote(a.filename[1:])}" if escaped else quote(a.filename)
    return f"/{kind}/{a.channel_id}/{a.id}/{name}"


def _signature(signed: str) -> str:
    return hmac.new(_SECRET, signed.encode(), hashlib.sha256).hexdigest()


def signed_url(world: World, a: Attachment) -> str:
    """Sign an attachment's address from now on: `ex` and `is` are hexadecimal unix seconds.

    The signature covers what stands before it, as it is written.
    """
    now = int(world.now())
    expires = f"{now + (LIFETIME_EPHEMERAL if a.ephemeral else LIFETIME_ORDINARY):x}"
    path = _path_of(a, escaped=world.settings.escaped_links)
    signed = f"{path}?ex={expires}&is={now:x}"
    return f"{world.base_url}{signed}&hm={_signature(signed)}&"


def avatar_url(world: World, user: User) -> str:
    """Build an avatar's address."""
    return f"{world.base_url}/avatars/{user.id}/{user.avatar}.png?size=128"


class Cdn:
    """Serves what was uploaded. `files` maps an attachment's id to it, also after its message is gone."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world
        self.files: dict[int, Attachment] = {}

    def routes(self) -> list[web.RouteDef]:
        """List the CDN's routes."""
        path = "/{owner:\\d+}/{attachment:\\d+}/{filename}"
        return [
            web.get("/attachments" + path, self.attachment),
            web.get("/ephemeral-attachments" + path, self.attachment),
            web.get("/avatars/{user:\\d+}/{hash}.{format}", self.avatar),
            web.get("/embed/avatars/{index:\\d+}.png", self.default_avatar),
        ]

    async def attachment(self, request: web.Request) -> web.StreamResponse:
        """Serve a file while its signature holds and its message exists."""
        expires = request.query.get("ex", "")
        before, _, hm = request.path_qs.partition("&hm=")
        signed = hmac.compare_digest(_signature(before), hm.partition("&")[0])
        found = self.files.get(int(request.match_info["attachment"]))
        if not signed or found is None or int(expires, 16) < self._world().now() or not found.path.exists():
            return _gone()
        kind = content_type_of(found.filename) or "application/octet-stream"
        headers = {
            "Content-Type": kind,
            "Content-Disposition": f'attachment; filename="{quote(found.filename)}"',
            "Cache-Control": "public, max-age=31536000",
            "Access-Control-Allow-Origin": "*",
        }
        return web.FileResponse(found.path, headers=headers)

    async def avatar(self, request: web.Request) -> web.Response:
        """Draw a user's avatar: a coloured disc with their initial."""
        user = self._world().users.get(int(request.match_info["user"]))
        if user is None or user.avatar != request.match_info["hash"]:
            return _gone()
        return _png(user.avatar, (user.global_name or user.username)[:1])

    async def default_avatar(self, request: web.Request) -> web.Response:
        """Draw one of the avatars of people who have none."""
        return _png(hashlib.sha256(request.match_info["index"].encode()).hexdigest(), "")


def _gone() -> web.Response:
    return web.Response(text=GONE, status=404, headers={"Content-Type": "text/plain;charset=UTF-8"})


def _png(seed: str, initial: str) -> web.Response:
    size = 128
    colour = tuple(64 + int(seed[i : i + 2], 16) // 2 for i in (0, 2, 4))
    image = Image.new("RGB", (size, size), colour)
    draw = ImageDraw.Draw(image)
    draw.text((size / 2, size / 2), initial, fill="white", anchor="mm", font_size=size * 0.55)
    buffer: Any = io.BytesIO()
    image.save(buffer, "PNG")
    headers = {"Cache-Control": "public, max-age=31536000", "Access-Control-Allow-Origin": "*"}
    return web.Response(body=buffer.getvalue(), content_type="image/png", headers=headers)
