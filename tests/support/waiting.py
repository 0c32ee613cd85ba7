"""Waiting for what has no event, such as a row in another process's database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Look until something is there, less and less often; `TimeoutError` when nothing comes."""
    pause = 0.02
    async with asyncio.timeout(seconds):
        while not (found := look()):
            await asyncio.sleep(pause)
            pause = min(1.3 * pause, 0.2)  # many who look all the time leave the bots no processor
    return found
