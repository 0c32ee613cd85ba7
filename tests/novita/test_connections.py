"""The lines to Novita: which are kept, and which are made afresh."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from bot.domain.request import RenderRequest
from bot.novita.client import ImageFile, NovitaClient
from bot.novita.models import CATALOGUE
from tests.support.servers import serving

MODEL = CATALOGUE["kling-2.5-turbo-i2v"]


async def test_each_paid_request_gets_a_connection_of_its_own(tmp_path: Path) -> None:
    callers: list[object] = []

    async def create(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        callers.append(request.transport.get_extra_info("peername"))
        return web.json_response({"task_id": f"t-{len(callers)}"})

    image = tmp_path / "image.png"
    image.write_bytes(b"image")
    async with serving({f"/v3/async/{MODEL.name}": create}) as base:
        client = NovitaClient(base, "sk_key", timeout=5.0)
        for _ in range(2):
            with image.open("rb") as file:
                await client.submit(
                    MODEL, RenderRequest("", "a cat", 5, 0), "base64", [ImageFile(file, "png")]
                )
        await client.close()
    first, second = callers
    assert first != second  # on a kept one, the far side may just be hanging up
