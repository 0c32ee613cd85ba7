"""Requests that a bot of another version has made: to Discord by its token, to Novita by its key."""

from __future__ import annotations

import base64
import json
from types import TracebackType
from typing import Any, Self

import aiohttp

from sandbox.client import Sandbox
from tests.support.steps import an_image

Json = dict[str, Any]
Files = dict[str, bytes]


class Wire:
    """Speaks to the sandbox as such a bot did."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._environment = sandbox.environment
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(raise_for_status=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def post(self, channel_id: int | str, message: Json, files: Files | None = None) -> Json:
        """Post a message as the bot; give Discord's message."""
        form = aiohttp.FormData()
        attachments = [{"id": n, "filename": name} for n, name in enumerate(files or {})]
        payload = json.dumps(message | {"attachments": attachments})
        form.add_field("payload_json", payload, content_type="application/json")
        for number, (name, data) in enumerate((files or {}).items()):
            form.add_field(f"files[{number}]", data, filename=name)
        return await self._discord(f"channels/{channel_id}/messages", data=form)

    async def thread(self, channel_id: int | str, message_id: int | str, name: str) -> Json:
        """Start a thread from a message."""
        return await self._discord(
            f"channels/{channel_id}/messages/{message_id}/threads", json={"name": name}
        )

    async def _discord(self, path: str, **body: Any) -> Json:
        assert self._session is not None
        url = f"{self._environment['discord_api_url']}/{path}"
        headers = {"Authorization": f"Bot {self._environment['discord_token']}"}
        async with self._session.post(url, headers=headers, **body) as response:
            answer: Json = await response.json()
            return answer

    async def order(self, prompt: str) -> str:
        """Pay for a render; give the task's id."""
        assert self._session is not None
        url = f"{self._environment['novita_api_url']}/v3/async/kling-2.5-turbo-i2v"
        headers = {"Authorization": f"Bearer {self._environment['novita_api_key']}"}
        image = base64.b64encode(an_image(400, 300)).decode()
        order = {"image": image, "prompt": prompt, "duration": "5", "cfg_scale": 0.5}
        async with self._session.post(url, headers=headers, json=order) as response:
            return str((await response.json())["task_id"])

    async def result(self, task_id: str) -> Json:
        """Ask how a render stands."""
        assert self._session is not None
        url = f"{self._environment['novita_api_url']}/v3/async/task-result"
        headers = {
            "Authorization": f"Bearer {self._environment['novita_api_key']}",
            "Content-Type": "application/json",
        }
        async with self._session.get(url, headers=headers, params={"task_id": task_id}) as response:
            answer: Json = await response.json()
            return answer


def buttons(*custom_ids: str) -> list[Json]:
    """Make a row of buttons."""
    return [
        {
            "type": 1,
            "components": [
                {"type": 2, "style": 2, "label": custom_id.split(":")[1], "custom_id": custom_id}
                for custom_id in custom_ids
            ],
        }
    ]
