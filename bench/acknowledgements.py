"""How soon fifty commands at once are acknowledged, by a busy bot too: `python -m bench.acknowledgements`."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path

from sandbox import client
from sandbox.client import Sandbox
from tests.support.kinora import Kinora
from tests.support.steps import an_image

AT_ONCE = 50
PEOPLE = ("mia", "rosa", "adam", "olivia")
PLACES = ("stills", "Lounge", "Premiere", "no-threads")


async def main() -> None:
    """Ask alone, then fifty at once, then fifty at once while the first fifty render; report."""
    with tempfile.TemporaryDirectory() as folder:
        async with client.start("--data", str(Path(folder, "sandbox"))) as sandbox:
            await sandbox.discord.settings(rate_limits=False)
            await sandbox.novita.settings(queue_seconds=1, render_seconds=5, video_height=120)
            kinora = await Kinora(sandbox, Path(folder)).start()
            alone = await _ask(sandbox, 1)
            rush = await _ask(sandbox, AT_ONCE)
            busy = await _ask(sandbox, AT_ONCE)
            await kinora.stop()
    print("                      median      99 %       most   of the one asked alone")
    for name, seconds in (("asked alone", alone), ("fifty at once", rush), ("fifty more, busy", busy)):
        most, ninety_nine = max(seconds), sorted(seconds)[int(len(seconds) * 0.99)]
        print(
            f"{name:18} {statistics.median(seconds) * 1000:7.0f} ms {ninety_nine * 1000:7.0f} ms "
            f"{most * 1000:7.0f} ms {most / alone[0]:8.1f} ×"
        )


async def _ask(sandbox: Sandbox, count: int) -> list[float]:
    files = {"image": ("still.png", an_image())}
    asked = await asyncio.gather(
        *(
            sandbox.person(PEOPLE[n % 4]).run(
                "animate", PLACES[n // 4 % 4 if n % 4 else 0], {"prompt": f"Number {n}"}, files=files
            )
            for n in range(count)
        )
    )
    return [float((await a.wait_acknowledged())["seconds_to_acknowledge"]) for a in asked]


if __name__ == "__main__":
    asyncio.run(main())
