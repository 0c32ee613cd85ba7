"""The sandbox, forked instead of started afresh."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sandbox.client import Sandbox
from tests.support import REPOSITORY
from tests.support.supervisor import Supervisor
from tests.support.warm import Warm

QUICK = {"queue_seconds": 0.0, "render_seconds": 0.1, "video_height": 64}


@asynccontextmanager
async def new_sandbox(warm: Warm, folder: Path, module: str, **novita: Any) -> AsyncIterator[Sandbox]:
    """Fork a sandbox with quick renders and without Discord's rate limits, and end it."""
    flags = ["--discord-port=0", "--novita-port=0", "--control-port=0", f"--data={folder / 'sandbox'}"]
    process = Supervisor("the sandbox")
    process.adopt(await warm.start(module, *flags, cwd=str(REPOSITORY), environ=warm.environ))
    try:
        environment = json.loads(
            await process.wait_for_line(lambda line: line.startswith("{"), "where it is", seconds=60)
        )
        async with Sandbox(environment["control_url"]) as sandbox:
            sandbox.environment = environment
            await sandbox.novita.settings(**QUICK, **novita)
            await sandbox.discord.settings(rate_limits=False)
            yield sandbox
    finally:
        await process.stop()
