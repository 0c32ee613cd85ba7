"""A thin aiohttp adapter: sends what `codec` built, hands back what `codec` understood."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import aiohttp

from bot.domain.request import ImageFormat, RenderRequest
from bot.errors import AnswerLost, NotSent
from bot.novita import codec
from bot.novita.codec import Pending, Problem, Submitted, Succeeded, TaskFailed
from bot.novita.models import Encoding, Model

# A multiple of three, so that the base64 pieces join without padding between them.
PIECE = 3 * 64 * 1024
LARGEST = 2**20
"""How much of an answer is read, in bytes; real ones have a few hundred."""
MIME: dict[ImageFormat, str] = {"jpeg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True)
class ImageFile:
    """An image to be sent: an open file, at its beginning, and what it is."""

    content: BinaryIO
    format: ImageFormat

    @property
    def encoded_bytes(self) -> int:
        """Return how many bytes its base64 has."""
        return 4 * -(-os.fstat(self.content.fileno()).st_size // 3)


class NovitaClient:
    """Speaks to one Novita account; `timeout` is the longest wait for an answer, in seconds.

    `trace` hears of the paid request, and what it raises before a byte is sent comes out of `submit`.
    Neither the key nor `secrets` are in what it returns or raises, whatever Novita's answers echo.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        timeout: float = 60.0,
        trace: aiohttp.TraceConfig | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self._base = base_url
        self._secrets = (key, *secrets)
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(15.0, timeout))
        # Unpacked here, where it is bounded: aiohttp would unpack a bomb as a whole.
        headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
        self._polls = aiohttp.ClientSession(headers=headers, timeout=self._timeout, auto_decompress=False)
        # The paid request gets a fresh connection each time: on a kept one the far side may just be hanging
        # up, and then nobody can tell whether the request arrived.
        self._paid = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=3 * timeout, connect=min(15.0, timeout)),
            connector=aiohttp.TCPConnector(force_close=True),
            trace_configs=[trace] if trace else None,
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._polls.close()
        await self._paid.close()

    async def submit(
        self,
        model: Model,
        request: RenderRequest,
        encoding: Encoding,
        images: Sequence[ImageFile] | Sequence[str],
    ) -> Submitted | Problem:
        """Send the paid request, once, with the image and the end image, if any.

        `images` are files, or addresses for the encoding `url`. Raises `NotSent` when it certainly did not go
        out, `AnswerLost` when that is not certain. Never repeats itself.
        """
        files = [image for image in images if isinstance(image, ImageFile)]
        named = [MIME[image.format] if isinstance(image, ImageFile) else image for image in images]
        pieces = codec.submit_frame(model, request, encoding, named)
        length = sum(map(len, pieces)) + sum(file.encoded_bytes for file in files)
        headers = {"Content-Type": "application/json", "Content-Length": str(length)}
        try:
            async with self._paid.post(
                f"{self._base}/v3/async/{model.name}",
                data=_body(pieces, files),
                headers=headers,
                allow_redirects=False,
            ) as response:
                text = await _text(response)
                retry_after = response.headers.get("Retry-After")
                return codec.read_submit(response.status, text, retry_after, self._secrets)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # Name lookup, refused connection, TLS: all before the first byte of the request.
            raise NotSent(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerLost(type(error).__name__) from None

    async def probe(self, model: Model) -> codec.Probed:
        """Ask whether a model is served, by a request that lacks image and prompt; raises `AnswerLost`.

        That it costs nothing is inferred from what a refusal for its input costs: nowhere is it documented.
        """
        body = codec.probe_body(model)
        status, text, _ = await self._ask("POST", f"/v3/async/{model.name}", data=body)
        return codec.read_probe(status, text)

    async def result(self, task_id: str) -> Pending | Succeeded | TaskFailed | Problem:
        """Ask how a task stands. Free, and safe to repeat; raises `AnswerLost` when the line is bad."""
        path = "/v3/async/task-result"
        status, text, retry_after = await self._ask("GET", path, params={"task_id": task_id})
        return codec.read_result(status, text, retry_after, task_id, self._secrets)

    async def balance(self) -> int | Problem:
        """Ask what can be spent, in 1/10000 USD: the free way to check the key. Raises `AnswerLost`."""
        status, text, _ = await self._ask("GET", "/openapi/v1/billing/balance/detail")
        return codec.read_balance(status, text, self._secrets)

    async def _ask(self, method: str, path: str, **options: Any) -> tuple[int, str, str | None]:
        """Send what is free; return the status, the text and Retry-After."""
        # Content-Type is listed as required even on GETs.
        headers = {"Content-Type": "application/json"}
        try:
            async with self._polls.request(
                method, self._base + path, headers=headers, allow_redirects=False, **options
            ) as response:
                text = await _text(response)
                return response.status, text, response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerLost(type(error).__name__) from None


async def _text(response: aiohttp.ClientResponse) -> str:
    """Read an answer of up to `LARGEST` bytes, also once unpacked; a larger one reads as nothing."""
    raw = bytearray()
    async for chunk in response.content.iter_chunked(PIECE):
        raw += chunk
        if len(raw) > LARGEST:
            return ""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        unpacked = _unpacked(raw)
        return "" if unpacked is None else unpacked.decode(errors="replace")
    return raw.decode(errors="replace")


def _unpacked(raw: bytes | bytearray) -> bytes | None:
    """Return what gzip or zlib packed; None when that is too large, broken, or packed otherwise."""
    try:
        found = zlib.decompressobj(wbits=47).decompress(raw, LARGEST + 1)  # 47: either of the two
    except zlib.error:
        return None
    return found if len(found) <= LARGEST else None


async def _body(pieces: Sequence[bytes], files: Sequence[ImageFile]) -> AsyncIterator[bytes]:
    yield pieces[0]
    for file, after in zip(files, pieces[1:], strict=True):
        while piece := file.content.read(PIECE):
            yield base64.b64encode(piece)
        yield after
