"""Memory while ten 40 MB videos are delivered at once, above the same bot at rest.

Run with `python -m bench.deliveries`. Prints the resident memory of the bot's own process.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from sandbox import client
from sandbox.client import Message
from tests.support.kinora import Kinora
from tests.support.steps import animate, is_video, video_in

JOBS = 10
MEGABYTE = 1_000_000


async def main() -> None:
    """Deliver, sample, report."""
    with tempfile.TemporaryDirectory() as folder:
        async with client.start("--data", str(Path(folder, "sandbox"))) as sandbox:
            await sandbox.discord.guild(premium_tier=2)
            await sandbox.novita.settings(queue_seconds=0.1, render_seconds=0.1, video_height=120)
            kinora = await Kinora(sandbox, Path(folder)).start()
            mia = sandbox.person("mia")
            await video_in(mia, (await animate(mia, "stills", "Warm up")).id)
            await asyncio.sleep(2)  # at rest: the warm-up's connections and buffers have settled
            idle = _resident(kinora.pid)

            await sandbox.novita.settings(video_bytes=40 * MEGABYTE, render_seconds=3)
            places = ["stills", "Lounge", "Premiere", "no-threads"]
            peak = [idle]
            sampler = asyncio.create_task(_sample(kinora.pid, peak))
            cards = await asyncio.gather(*(animate(mia, places[n % 4], f"Number {n}") for n in range(JOBS)))
            await asyncio.gather(*(_arrived(mia, card, n % 4 == 0) for n, card in enumerate(cards)))
            sampler.cancel()
            payments = len(await sandbox.novita.payments())
            await kinora.stop()
    print(f"delivered            {JOBS} videos of 40 MB, {payments - 1} payments")
    print(f"bot at rest          {idle / MEGABYTE:6.1f} MB")
    print(f"bot at its peak      {max(peak) / MEGABYTE:6.1f} MB")
    print(f"above rest           {(max(peak) - idle) / MEGABYTE:6.1f} MB  (wanted: under 60)")


async def _arrived(person: client.Person, card: Message, in_thread: bool) -> None:
    job = card.embeds[0]["footer"]["text"].split()[1]
    place = card.id if in_thread else card.channel_id  # a thread from a message has that message's id
    await person.wait_for_message(place, lambda m: is_video(m) and job in m.text, 240)


async def _sample(pid: int, peak: list[int]) -> None:
    while True:
        peak.append(_resident(pid))
        await asyncio.sleep(0.02)


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    asyncio.run(main())
