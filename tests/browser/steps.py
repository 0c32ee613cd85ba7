"""What people do and see on the page, so that a test reads like the story it tells."""

from __future__ import annotations

from typing import Any

from tests.support.steps import an_image

PICTURE = {"name": "my photo.png", "mimeType": "image/png", "buffer": an_image()}
NOTE = {"name": "notes.png", "mimeType": "image/png", "buffer": b"These are words, whatever the name says."}


async def begin_command(page: Any, name: str = "animate") -> None:
    """Take a command from the picker, by keys alone."""
    await page.keyboard.type(f"/{name[:3]}")
    await page.get_by_role("option", name=f"/{name}").wait_for()
    await page.keyboard.press("Enter")
    await page.get_by_role("group", name=f"Command {name}").wait_for()


async def animate(page: Any, file: Any, prompt: str = "The boat drifts away") -> None:
    await begin_command(page)
    await page.set_input_files(".command-form input[type=file]", file)
    await page.get_by_role("combobox", name="prompt: ").fill(prompt)
    await page.keyboard.press("Enter")


async def open_thread(page: Any) -> Any:
    """Wait until the video has pinged, and go where it is."""
    await page.locator(".thread-box .badge").wait_for(timeout=60_000)
    await page.locator(".thread-box").click()
    return page.locator("#thread .message.pinged video")


async def assert_plays(page: Any, video: Any) -> None:
    """Play it with the button on it; a frame in the midst of it must show something."""
    await page.get_by_role("button", name="Play video").last.click()
    await video.evaluate(
        """video => new Promise(done => video.addEventListener("timeupdate", function seen() {
            if (video.readyState < 2 || video.currentTime < 0.3) return;
            video.removeEventListener("timeupdate", seen);
            done();
        }))"""
    )
    colours = await video.evaluate(
        """video => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [64, 36];
            const context = canvas.getContext("2d");
            context.drawImage(video, 0, 0, 64, 36);
            const pixels = new Uint32Array(context.getImageData(0, 0, 64, 36).data.buffer);
            return new Set(pixels).size;
        }"""
    )
    assert colours > 10
