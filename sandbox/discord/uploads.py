"""Request bodies: JSON, or multipart with files that stream to disk.

https://docs.discord.com/developers/reference#uploading-files
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage
from PIL import Image

from sandbox.discord.cdn import Cdn, content_type_of
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.models import Attachment, Json
from sandbox.discord.world import World
from sandbox.journal import BODY

MAX_JSON = 1024 * 1024
MAX_FILES = 10
_CHUNK = 256 * 1024
_FILE_FIELD = re.compile(r"files?\[(\d+)\]\Z|file\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass
class Upload:
    """A file that has arrived, before it belongs to a message."""

    field: str
    filename: str
    path: Path
    size: int


@dataclass
class Body:
    """A parsed request body: the JSON payload, and files by their number (or by field name)."""

    payload: Any = None
    files: dict[str, Upload] = field(default_factory=dict)

    def discard(self) -> None:
        """Delete files that no message took."""
        for upload in self.files.values():
            upload.path.unlink(missing_ok=True)
        self.files.clear()


async def read_body(
    request: web.Request, world: World, limit: int, *, key: Callable[[str], str | None] | None = None
) -> Body:
    """Read a JSON or multipart body.

    `limit` is the largest file in bytes: a larger one is read to its end, kept nowhere, and refused with
    413/40005. `key` turns a file's field name into its key, None for a field that is unknown.
    """
    if request.content_type.startswith("multipart/"):
        return await _read_multipart(request, world, limit, key or _number_of)
    return Body(await read_json(request))


async def read_json(request: web.Request) -> Any:
    """Read a JSON body; 50109 when it is none."""
    text = await request.read()
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        raise ApiError(50109) from None


async def read_object(request: web.Request) -> Json:
    """Read a JSON body that has to be an object; 50109 or 50035."""
    body = await read_json(request)
    form = Form()
    form.model((), body if body is not None else [])
    form.finish()
    found: Json = body
    return found


def _number_of(name: str) -> str | None:
    match = _FILE_FIELD.match(name)
    return (match[1] or "0") if match else None


async def _read_multipart(
    request: web.Request, world: World, limit: int, key: Callable[[str], str | None]
) -> Body:
    body = Body({})
    too_large = False
    noted: list[Json] = []
    try:
        reader = await request.multipart()
        async for part in reader:
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise ApiError(50035, {})
            if part.filename is None:
                _take_field(body, part.name, await _read_text(part))
                continue
            number = key(part.name)
            upload = await _store(part, world, limit)
            noted.append(_note(part, upload))
            if upload.size > limit:
                too_large = True
            if number is None or upload.size > limit or len(body.files) >= MAX_FILES:
                upload.path.unlink(missing_ok=True)
                continue
            body.files[number] = upload
    except (ValueError, BadHttpMessage):  # no multipart at all, or a part whose header is none
        body.discard()
        raise ApiError(50109) from None
    except BaseException:
        body.discard()
        raise
    finally:
        request[BODY] = {"payload_json": body.payload, "files": noted}
    if too_large:
        body.discard()
        raise ApiError(40005)
    return body


def _note(part: BodyPartReader, upload: Upload) -> Json:
    return {
        "field": part.name,
        "filename": part.filename,
        "content_type": part.headers.get("Content-Type"),
        "size": upload.size,
    }


def _take_field(body: Body, name: str, text: str) -> None:
    if name != "payload_json":
        body.payload.setdefault(name, text)
        return
    try:
        payload = json.loads(text)
    except ValueError:
        raise ApiError(50109) from None
    body.payload = payload | body.payload if isinstance(payload, dict) else payload


async def _read_text(part: BodyPartReader) -> str:
    data = bytearray()
    while chunk := await part.read_chunk(_CHUNK):
        data += chunk
        if len(data) > MAX_JSON:
            raise ApiError(40005)
    return data.decode("utf-8", "replace")


async def _store(part: BodyPartReader, world: World, limit: int) -> Upload:
    """Stream a file to disk; past the limit its bytes are counted and dropped."""
    path = world.data_dir / f"{world.snowflake()}.part"
    size = 0
    try:
        with await asyncio.to_thread(path.open, "wb") as file:
            while chunk := await part.read_chunk(_CHUNK):
                size += len(chunk)
                if size <= limit:
                    await asyncio.to_thread(file.write, chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(part.name or "", part.filename or "unknown", path, size)


def safe_filename(name: str) -> str:
    """Turn a file's name into the form Discord keeps: ASCII letters, digits, dot, dash, underscore."""
    path = Path(name.replace(" ", "_"))
    stem = _UNSAFE.sub("", path.stem).lstrip(".")[:200] or "unknown"
    return stem + _UNSAFE.sub("", path.suffix)


async def adopt(
    upload: Upload,
    world: World,
    cdn: Cdn,
    owner_id: int,
    *,
    ephemeral: bool = False,
    meta: Json | None = None,
) -> Attachment:
    """Make an attachment of an upload: it moves to its place on the CDN and is measured."""
    meta = meta or {}
    name = meta.get("filename") or upload.filename
    filename = safe_filename(name)
    number = world.snowflake()
    path = world.data_dir / f"{number}{Path(filename).suffix.lower()}"
    await asyncio.to_thread(upload.path.rename, path)
    kind = content_type_of(filename)
    found = await asyncio.to_thread(_measure, path, kind)
    attachment = Attachment(
        number,
        owner_id,
        filename,
        upload.size,
        path,
        content_type=kind,
        width=found.get("width"),
        height=found.get("height"),
        duration=found.get("duration"),
        description=meta.get("description"),
        title=Path(name).stem if name != filename else meta.get("title"),
        spoiler=filename.startswith("SPOILER_") or bool(meta.get("is_spoiler")),
        ephemeral=ephemeral,
    )
    cdn.files[number] = attachment
    return attachment


def _measure(path: Path, kind: str | None) -> Json:
    """Read an image's or a video's size from its header; nothing when it has none that can be read."""
    try:
        if kind and kind.startswith("image/"):
            with Image.open(path) as image:
                return {"width": image.width, "height": image.height}
        if kind and kind.startswith("video/"):
            with av.open(str(path)) as container:
                video = container.streams.video[0]
                return {"width": video.width, "height": video.height}
    except Exception:
        # Whatever a stranger's file does to a decoder, Discord still keeps the file.
        return {}
    return {}
