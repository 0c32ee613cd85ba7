"""`python -m demo.headless`: one /animate on the terminal, with no account, and an MP4.

The sandbox runs in this process, the bot as it ships in another; what is printed is what crosses the wires
between them. Exit status: 0 when the video is there and was paid once, 1 when not, 2 when the arguments
cannot be used, 128 and more after a signal.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import re
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from demo.botprocess import BotProcess
from demo.contract import level_and_words, says_online
from demo.signals import until_signal
from sandbox.client import Message, Refused, Sandbox
from sandbox.house import House

PICTURE = Path(__file__).with_name("pictures") / "paper-boat.jpg"
PICTURE_PROMPT = "The paper boat drifts across the glittering lake while the clouds move on"
OWN_PROMPT = "The picture comes to life: a slow, gentle move of the camera"
QUICK = {"queue_seconds": 0.1, "render_seconds": 0.3, "video_height": 240}

PERSON, CHANNEL = "mia", "stills"
BOOST = 3  # the guild's level: files up to 100 MB, so that any image's video comes as it was rendered
EPHEMERAL = 1 << 6
BEGAN = time.monotonic()
MOST_SECONDS = 300.0
LAST_CARD_SECONDS = 3.0  # the card is finished a moment after the video has come
NOVITA_WORDS = {"QUEUED": "submitted and queued", "PROCESSING": "rendering", "SUCCEED": "rendered"}

NEXT = """
Next
  in your browser    make demo
  your own picture   make demo-headless IMAGE=cat.jpg PROMPT="the cat yawns"
  the real thing     README.md, "Set it up for your server": a Discord application, a Novita key, make run"""


class Trouble(Exception):
    """The demo cannot go on; the message is for the visitor."""


@dataclass(frozen=True)
class Options:
    """What the visitor asked for; the picture is its file's name and bytes."""

    picture: tuple[str, bytes]
    prompt: str
    out: Path
    quick: bool


def say(who: str, text: str) -> None:
    """Print a step: seconds since the start, who, what; further lines of its text are set below the first."""
    # A file name or a prompt must not steer the terminal.
    lines = ["".join(c if c.isprintable() else " " for c in line) for line in text.split("\n")]
    print(f"{time.monotonic() - BEGAN:5.1f} s  {who:<8} " + f"\n{' ' * 18}".join(lines), flush=True)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"


def _dollars(units: int) -> str:
    return f"${units / 10_000:.2f}"


async def _tell(sandbox: Sandbox, finished: asyncio.Event) -> None:
    """Say what happens as it happens, until cancelled; `finished` is set once the card says so."""
    card = ""
    async for event in sandbox.events():
        match event:
            case {"data": {"type": 20, "flags": flags, "embeds": [{"title": title}]}}:
                if title != card and not flags & EPHEMERAL:  # a command's public answer is the card
                    card = title
                    say("discord", f"card: {title}")
                if card == "Done":
                    finished.set()
            case {"event": "THREAD_CREATE", "data": {"name": name}}:
                say("discord", f"thread opened: {name}")
            case {"type": "novita_task", "task": {"status": status}}:
                say("novita", NOVITA_WORDS.get(status.removeprefix("TASK_STATUS_"), "failed"))
            case {"type": "novita_payment", "payment": {"price": price}}:
                say("novita", f"paid {_dollars(price)} (play money)")


async def _animate(sandbox: Sandbox, options: Options, finished: asyncio.Event) -> Message:
    """Let the person run /animate; return the message that pings them, or the private one that refuses."""
    person = sandbox.person(PERSON)

    async def answer() -> Message | None:
        private = [m for m in await person.messages(CHANNEL) if m.ephemeral and not m.deferred]
        found = await person.pings() or private
        return found[-1] if found else None

    name, data = options.picture
    say(PERSON, f"runs /animate in #{CHANNEL}\n{name}, {_size(len(data))}\n{options.prompt}")
    try:
        prompt, files = {"prompt": options.prompt}, {"image": options.picture}
        run = await person.run("animate", CHANNEL, prompt, files=files)
        took = (await run.wait_acknowledged())["seconds_to_acknowledge"]
        say("discord", f"acknowledged after {took:.3f} s")
        message = await sandbox.wait(answer, MOST_SECONDS, "the video", {"discord"})
    except Refused as refused:
        raise Trouble(f"Discord does not send this: {refused}") from None
    except (AssertionError, TimeoutError) as error:
        raise Trouble(f"{error}.") from None
    if message.ephemeral:
        text = re.sub(r"\*\*|\\(?=[^\w\s])", "", message.text)  # as it is read
        say("discord", f"a private answer, which only {PERSON} sees:\n{text}")
        return message
    video = "; ".join(f"{file.filename}, {_size(file.size)}" for file in message.attachments)
    say("discord", f"message posted, pinging {PERSON}: {video or message.text}")
    with suppress(TimeoutError):
        await asyncio.wait_for(finished.wait(), LAST_CARD_SECONDS)
    return message


async def _answer(sandbox: Sandbox, bot: BotProcess, options: Options) -> Message:
    """Return the command's answer, and tell what happens meanwhile; `Trouble` when the bot ends first."""
    finished = asyncio.Event()
    telling = asyncio.create_task(_tell(sandbox, finished))
    animating = asyncio.create_task(_animate(sandbox, options, finished))
    try:
        await asyncio.wait({animating, bot.ended}, return_when=asyncio.FIRST_COMPLETED)
        if not animating.done():
            raise Trouble("The bot ended before its time.")
        return animating.result()
    finally:
        telling.cancel()
        animating.cancel()
        await asyncio.gather(telling, animating, return_exceptions=True)


async def _save(sandbox: Sandbox, message: Message, out: Path) -> int:
    """Save the message's video and say what it cost; return the exit status."""
    if not message.attachments:
        return 1
    path = out / message.attachments[0].filename
    path.write_bytes(video := await message.attachments[0].read())
    rendered = [task["video"]["sha256"] for task in await sandbox.novita.tasks() if task["video"]]
    same = hashlib.sha256(video).hexdigest() in rendered
    what = "byte for byte what Novita rendered" if same else "made to fit from what Novita rendered"
    prices = [payment["price"] for payment in await sandbox.novita.payments()]
    paid = f"{len(prices)} payment{'' if len(prices) == 1 else 's'}, {_dollars(sum(prices))}"
    say("video", f"{path}\n{_size(len(video))}, {what}\n{paid}")
    return 0 if len(prices) == 1 else 1


async def show(options: Options) -> int:
    """Run the whole demo and return the exit status; however it ends, it leaves nothing running."""

    def hear(line: str) -> None:
        level, words = level_and_words(line)
        if level not in ("", "INFO") or says_online(line):
            say("bot", words)

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kinora-demo-")))
        house = House(data_dir=folder)
        await house.start()
        stack.push_async_callback(house.stop)
        sandbox = await stack.enter_async_context(Sandbox(house.control_url))
        await sandbox.discord.guild(premium_tier=BOOST)
        if options.quick:
            await sandbox.novita.settings(**QUICK)
        say("sandbox", f"Discord {house.discord_api_url}, Novita {house.novita_api_url}")
        log = options.out / "bot.log"
        process = BotProcess(folder / "bot", log, sandbox.environment, hear, KINORA_POLL_SECONDS="0.2")
        bot = await stack.enter_async_context(process)
        try:
            if not await bot.wait_online():
                raise Trouble("The bot did not come online.")
            message = await _answer(sandbox, bot, options)
        except Trouble as trouble:
            raise Trouble("\n".join([f"{trouble}", f"The end of {log}:", *bot.last_words()])) from None
        return await _save(sandbox, message, options.out)


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m demo.headless",
        description="See Kinora at work with no account: sandbox, bot, one /animate, and an MP4 to look at.",
    )
    parser.add_argument("--image", type=Path, metavar="PATH", default=PICTURE, help="your own picture")
    parser.add_argument("--prompt", metavar="TEXT", help="what should happen in it")
    parser.add_argument("--out", type=Path, metavar="DIR", default="demo-out", help="the video's (demo-out)")
    parser.add_argument("--quick", action="store_true", help="a small video, rendered in no time")
    given = parser.parse_args(arguments)
    out = given.out.expanduser()
    try:
        picture = _picture(given.image.expanduser())
        out.mkdir(parents=True, exist_ok=True)
        (out / "bot.log").touch()
    except Trouble as trouble:
        parser.exit(2, f"{trouble}\n")
    except OSError as error:
        parser.exit(2, f"The video cannot be put in {out}: {error.strerror}.\n")
    prompt = given.prompt or (PICTURE_PROMPT if given.image == PICTURE else OWN_PROMPT)
    # An argument that is not UTF-8 comes as lone surrogates, which no JSON of Discord's has.
    return Options(picture, prompt.encode("utf-8", "replace").decode(), out, given.quick)


def _picture(path: Path) -> tuple[str, bytes]:
    if path.is_dir():
        raise Trouble(f"{path} is a folder; IMAGE must be a picture's file.")
    if path.exists() and not path.is_file():  # reading a pipe or a device might never end
        raise Trouble(f"{path} is not an ordinary file.")
    try:
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise Trouble(f"There is no file {path}.") from None
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}.") from None


def main(arguments: list[str]) -> int:
    """Run the demo; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "…" still gets the rest
    logging.basicConfig(level=logging.ERROR, format="sandbox: %(message)s")
    options = _options(arguments)
    try:
        status = asyncio.run(until_signal(show(options)))
    except (Trouble, OSError) as trouble:
        print(trouble, file=sys.stderr)
        return 1
    if status == 0:
        print(NEXT)
    if status > 128:
        print("\nStopped. Nothing is left running.")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
