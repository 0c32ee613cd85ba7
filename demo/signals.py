"""Run something until its end or a signal, and let it tidy up either way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Return what `work` returns, or 128 and the signal's number when one of `SIGNALS` cancelled it."""
    task = asyncio.create_task(work)
    received: list[int] = []

    def stop(number: int) -> None:
        if not received:  # an impatient second Ctrl-C must not cut the tidying short
            task.cancel()
        received.append(number)

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    await asyncio.wait({task})
    return 128 + received[0] if task.cancelled() else task.result()
