"""A large 1080p video in a server that takes 10 MiB: `python -m bench.fitting`.

Says how large it was and became, how alike they are, how long it took, and how soon others were acknowledged.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFilter

from bot.media.video import probe
from sandbox import client
from tests.support.kinora import Kinora
from tests.support.steps import an_image, animate, is_video
from tests.support.videos import psnr

PICTURE = Path(__file__).parent.parent / "demo/pictures/paper-boat.jpg"


async def main() -> None:
    """Render, fit, compare, report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with client.start("--data", str(folder / "sandbox")) as sandbox:
            await sandbox.novita.settings(queue_seconds=0.1, render_seconds=0.1)
            await sandbox.discord.settings(rate_limits=False)
            kinora = await Kinora(sandbox, folder).start()
            mia = sandbox.person("mia")
            card = await animate(mia, "stills", "Grain and mist", duration=10, image=("boat.jpg", _grainy()))
            await mia.wait_for_message("stills", lambda m: m.id == card.id and "made smaller" in m.text, 120)
            started, waits = time.monotonic(), []
            arrival = asyncio.create_task(mia.wait_for_message(card.id, is_video, 300))
            while not arrival.done():
                files = {"image": ("still.png", an_image())}
                asked = await sandbox.person("rosa").run(
                    "animate", "Lounge", {"prompt": "Quick"}, files=files
                )
                waits.append(float((await asked.wait_acknowledged())["seconds_to_acknowledge"]))
                await asyncio.wait({arrival}, timeout=1)
            seconds = time.monotonic() - started
            (folder / "fitted.mp4").write_bytes(await arrival.result().attachments[0].read())
            task = next(t for t in await sandbox.novita.tasks() if t["prompt"] == "Grain and mist")
            original = await sandbox.download(f"{sandbox.control_url}/novita/tasks/{task['id']}/video")
            (folder / "original.mp4").write_bytes(original)
            linked = "/files/" in arrival.result().text
            await kinora.stop()
        fitted = probe(folder / "fitted.mp4")
        likeness = psnr(folder / "original.mp4", folder / "fitted.mp4")
        print(f"original        {len(original) / 1e6:6.1f} MB, {probe(folder / 'original.mp4').width} wide")
        plays = "plays inline" if fitted.plays_inline else "does not play inline"
        print(f"fitted          {fitted.bytes / 1e6:6.1f} MB, {fitted.width} wide, {plays}")
        print(f"link beside it  {linked}")
        print(f"PSNR            {likeness:6.1f} dB")
        print(f"fitted and sent in {seconds:.0f} s; {len(waits)} other commands acknowledged meanwhile,")
        print(f"the slowest after {max(waits) * 1000:.0f} ms")


def _grainy() -> bytes:
    """Grain that moves with the picture is what makes videos large."""
    picture = Image.open(PICTURE).convert("RGB").resize((1920, 1200))
    grain = Image.effect_noise(picture.size, 60).filter(ImageFilter.GaussianBlur(0.6)).convert("RGB")
    file = BytesIO()
    Image.blend(picture, grain, 0.35).save(file, "jpeg", quality=92)
    return file.getvalue()


if __name__ == "__main__":
    asyncio.run(main())
