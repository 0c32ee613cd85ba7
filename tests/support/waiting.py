"""Waiting for what has no event, such as a row in another process's database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Look until something is there; `TimeoutError` when nothing comes."""
    async with asyncio.timeout(seconds):
        while not (found := look()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found
