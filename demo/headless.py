"""`python -m demo.headless`: the whole thing on a terminal, with no account. One /animate, and an MP4.

The sandbox runs in this process, the bot as it ships in another. What is printed is what crosses the wires
between them, as it happens. Exit status: 0 when the video is there and was paid once, 1 when not, 2 when the
arguments cannot be used, 128 and more after a signal.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import av

from demo.botprocess import BotProcess
from demo.contract import level_and_words
from sandbox.client import Json, Message, Refused, Sandbox
from sandbox.house import House

PICTURE = Path(__file__).with_name("pictures") / "paper-boat.jpg"
PICTURE_PROMPT = "The paper boat drifts across the glittering lake while the clouds move on"
OWN_PROMPT = "The picture comes to life: a slow, gentle move of the camera"
QUICK = {"queue_seconds": 0.1, "render_seconds": 0.3, "video_height": 240}

PERSON, PLACE = "mia", "stills"
BOOST = 3  # the guild's level: files up to 100 MB, so that any still's film comes as it was rendered
LARGEST = 500_000_000  # bytes; no person on Discord can attach more

SHOW_SECONDS = 300.0
LAST_CARD_SECONDS = 3.0


class Trouble(Exception):
    """The demo cannot go on; the message is for the visitor."""


# --- the terminal -------------------------------------------------------------------------------------------


COLOURS = {"sandbox": 36, "bot": 34, PERSON: 33, "discord": 35, "novita": 32, "video": 1, "trouble": 31}


class Terminal:
    """Prints one step a line: seconds since the start, who, what. Colours only where somebody sees them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._coloured = stream.isatty() and not plain

    def say(self, who: str, text: str) -> None:
        """Print a step; further lines of its text are set below the first."""
        clock = self._paint(f"{time.monotonic() - self._began:5.1f} s", 2)
        first, *rest = _printable(text).split("\n")
        self._print(f"{clock}  {self._paint(f'{who:<8}', COLOURS[who])} {first}")
        for line in rest:
            self._print(" " * 18 + line)

    def note(self, text: str) -> None:
        """Print something that is no step."""
        self._print(_printable(text))

    def _print(self, line: str) -> None:
        try:
            print(line, file=self._stream, flush=True)
        except BrokenPipeError:  # `| head`: nobody reads on, but the video is still made
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text


def _printable(text: str) -> str:
    """Keep a stranger's file name or prompt from steering the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _as_read(text: str) -> str:
    """Show Discord's markup as a person reads it: times in words, names, no stars and backslashes."""
    text = re.sub(r"<t:(\d+)(?::\w)?>", lambda found: _relative(int(found[1]) - time.time()), text)
    text = re.sub(r"<@!?\d+>", f"@{PERSON}", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    text = re.sub(r"\\([^\w\s])", r"\1", text)
    return "\n".join(line for line in text.split("\n") if line)


def _relative(seconds: float) -> str:
    whole = round(abs(seconds))
    if whole == 0:
        return "now"
    amount, unit = (whole, "second") if whole < 60 else (round(whole / 60), "minute")
    span = f"{amount} {unit}{'s' if amount != 1 else ''}"
    return f"in {span}" if seconds > 0 else f"{span} ago"


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:59].rstrip()}…"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"


def _dollars(units: int) -> str:
    return f"${units / 10_000:.2f}"


# --- the bot ------------------------------------------------------------------------------------------------


def _listener(terminal: Terminal) -> Callable[[str], None]:
    """Make what tells how the bot starts and, after that, only its warnings and errors."""
    online = False

    def hear(line: str) -> None:
        nonlocal online
        level, words = level_and_words(line)
        if level and not (level == "INFO" and online):
            terminal.say("bot", words)
            online = online or words.startswith("online: ")

    return hear


# --- the story ----------------------------------------------------------------------------------------------


class Story:
    """Tells what happens as it happens, until the person has been answered for good."""

    _PRIVATE = 1 << 6
    _COMMAND_RESPONSE = 20
    _PROGRESS_STEP = 30

    def __init__(self, terminal: Terminal, sandbox: Sandbox) -> None:
        self._say = terminal.say
        self._sandbox = sandbox
        self._acknowledged = False
        self._card: tuple[str, str] | None = None
        self._progress = 0
        self._outcome: Message | None = None
        self._over = False

    async def follow(self) -> Message:
        """Return the last word: the message with the video, or one that says why there is none."""
        try:
            async with asyncio.timeout(SHOW_SECONDS) as limit:
                async for event in self._sandbox.events():
                    before = self._outcome
                    self._tell(event)
                    if self._over:
                        break
                    if self._outcome is not before:  # the card takes note of it, too
                        limit.reschedule(asyncio.get_running_loop().time() + LAST_CARD_SECONDS)
        except TimeoutError:
            if self._outcome is None:
                raise Trouble(f"No video came within {SHOW_SECONDS / 60:g} minutes.") from None
        if self._outcome is None:
            raise Trouble("The sandbox stopped telling what happens.")
        return self._outcome

    def _tell(self, event: Json) -> None:
        match event:
            case {"type": "discord", "event": "INTERACTION_STATE", "data": state}:
                self._acknowledgement(state)
            case {"type": "discord", "event": "MESSAGE_CREATE" | "MESSAGE_UPDATE", "data": message}:
                self._message(message, event.get("pings", []))
            case {"type": "discord", "event": "THREAD_CREATE", "data": {"name": name}}:
                self._say("discord", f"thread opened: {_shortened(name)}")
            case {"type": "novita_task", "task": task}:
                self._task(task)
            case {"type": "novita_payment", "payment": {"price": price}}:
                self._say("novita", f"paid {_dollars(price)} (play money)")
            case {
                "type": "exchange",
                "exchange": {"side": "novita", "response_body": {"task": {"progress_percent": int(percent)}}},
            }:
                self._percent(percent)

    def _acknowledgement(self, state: Json) -> None:
        if state["failed"]:
            raise Trouble("The application did not respond: the bot let Discord's 3 seconds pass.")
        if state["acknowledged"] and not self._acknowledged:
            self._acknowledged = True
            self._say("discord", f"acknowledged after {state['seconds_to_acknowledge']:.3f} s")

    def _message(self, data: Json, pings: list[str]) -> None:
        message = Message(data, self._sandbox)
        if data["flags"] & self._PRIVATE:
            self._say("discord", f"a private answer, which only {PERSON} sees:\n{_as_read(message.text)}")
            self._outcome, self._over = message, True
        elif data["type"] == self._COMMAND_RESPONSE and message.embeds:
            self._card_changed(message.embeds[0])
        elif PERSON in pings and self._outcome is None:
            self._outcome = message
            files = [f"{file.filename}, {_size(file.size)}" for file in message.attachments]
            what = f"message posted, pinging {' and '.join(pings)}"
            self._say("discord", f"{what}: {_as_read('; '.join(files) or message.text)}")

    def _card_changed(self, embed: Json) -> None:
        """Tell how the card looks now, the price and the notes only the first time."""
        fields = {field["name"]: field["value"] for field in embed.get("fields", [])}
        now = embed.get("title", ""), next(iter(fields.values()), "")
        if now == self._card:
            return
        shown = [f"card: {now[0]} - {_as_read(now[1])}"]
        if self._card is None:
            shown += [
                f"{name}: {_as_read(fields[name])}" for name in ("Price", "About the still") if name in fields
            ]
        self._card, self._over = now, self._outcome is not None
        self._say("discord", "\n".join(shown))

    def _task(self, task: Json) -> None:
        words = {
            "TASK_STATUS_QUEUED": f"submitted and queued: {task['model']}, {task['seconds']} s",
            "TASK_STATUS_PROCESSING": "rendering",
            "TASK_STATUS_SUCCEED": f"rendered: {_size((task['video'] or {}).get('bytes', 0))}",
            "TASK_STATUS_FAILED": f"failed: {task['reason']}",
        }
        self._say("novita", words[task["status"]])

    def _percent(self, percent: int) -> None:
        if self._progress + self._PROGRESS_STEP <= percent < 100:
            self._progress = percent - percent % self._PROGRESS_STEP
            self._say("novita", f"rendering, {percent} %")


# --- the video ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Film:
    """What a video file turned out to be when it was decoded to its end."""

    codec: str
    width: int
    height: int
    seconds: float
    frames: int


def probe(path: Path) -> Film:
    """Decode every frame of a video; `Trouble` when it does not play."""
    try:
        with av.open(str(path)) as file:
            stream = file.streams.video[0]
            frames = sum(1 for _ in file.decode(stream))
            seconds = (file.duration or 0) / av.time_base
            codec = stream.codec_context
            return Film(codec.name, codec.width, codec.height, seconds, frames)
    except (av.FFmpegError, IndexError) as error:
        raise Trouble(f"The file {path} does not play: {error}") from None


async def _fetch(sandbox: Sandbox, message: Message, out: Path) -> Path | None:
    """Save the message's video, attached or linked, as a person would; None when it has none."""
    addresses = [file.url for file in message.attachments if file.filename.endswith(".mp4")]
    addresses += re.findall(r"https?://\S+", message.content)
    if not addresses:
        return None
    path = out / Path(urlsplit(addresses[0]).path).name
    try:
        path.write_bytes(await sandbox.download(addresses[0]))
    except OSError as error:
        raise Trouble(f"The video cannot be saved as {path}: {error.strerror}") from None
    return path


async def _conclude(terminal: Terminal, sandbox: Sandbox, path: Path) -> int:
    """Say where the video lies, what it is and what it cost; return the exit status."""
    film = await asyncio.to_thread(probe, path)
    data = path.read_bytes()
    rendered = [task["video"]["sha256"] for task in await sandbox.novita.tasks() if task["video"]]
    same = hashlib.sha256(data).hexdigest() in rendered
    payments = await sandbox.novita.payments()
    paid = _dollars(sum(payment["price"] for payment in payments))
    lines = (
        path,
        f"{_size(len(data))}, {film.width} x {film.height}, {film.seconds:.1f} s, {film.codec}, "
        f"all {film.frames} frames play",
        "byte for byte what Novita rendered" if same else "made to fit from what Novita rendered",
        f"{len(payments)} payment{'s' if len(payments) != 1 else ''}, {paid}",
    )
    terminal.say("video", "\n".join(map(str, lines)))
    return 0 if len(payments) == 1 else 1


NEXT = """\

Next
  in your browser    make demo
  your own picture   make demo-headless IMAGE=cat.jpg PROMPT="the cat yawns"
  the real thing     README.md, "Set it up for your server": a Discord application, a Novita key, make run"""


# --- all of it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """What the visitor asked for; the picture is its file's name and bytes."""

    picture: tuple[str, bytes]
    prompt: str
    out: Path
    quick: bool


async def show(options: Options, terminal: Terminal) -> int:
    """Run the whole demo and return the exit status; however it ends, it leaves nothing running."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kinora-demo-")))
        sandbox = await _open_sandbox(stack, folder / "sandbox", options.quick)
        where = sandbox.environment
        terminal.say(
            "sandbox",
            f"up: Discord {where['discord_api_url']}, a server boosted to level {BOOST}\n"
            f"    Novita  {where['novita_api_url']}",
        )
        log = options.out / "bot.log"
        poll = "0.1" if options.quick else "0.4"
        bot = await stack.enter_async_context(
            BotProcess(folder / "bot", log, where, _listener(terminal), KINORA_POLL_SECONDS=poll)
        )
        try:
            if not await bot.wait_online():
                raise Trouble("The bot did not come online.")
            outcome = await _animate(terminal, sandbox, bot, options)
            path = await _fetch(sandbox, outcome, options.out) if outcome else None
            return await _conclude(terminal, sandbox, path) if path else 1
        except Trouble as trouble:
            raise Trouble(f"{trouble}\nThe end of {log}:\n{chr(10).join(bot.last_words())}") from None


async def _open_sandbox(stack: AsyncExitStack, folder: Path, quick: bool) -> Sandbox:
    folder.mkdir()
    house = House(data_dir=folder)
    await house.start()
    stack.push_async_callback(house.stop)
    sandbox = await stack.enter_async_context(Sandbox(house.control_url))
    await sandbox.discord.guild(premium_tier=BOOST)
    if quick:
        await sandbox.novita.settings(**QUICK)
    return sandbox


async def _animate(terminal: Terminal, sandbox: Sandbox, bot: BotProcess, options: Options) -> Message | None:
    """Let the person run /animate and tell the story; None when Discord does not even send the command."""
    story = asyncio.create_task(Story(terminal, sandbox).follow())
    try:
        name, data = options.picture
        told = f"image: {name}, {_size(len(data))}\nprompt: {_shortened(options.prompt)}"
        terminal.say(PERSON, f"runs /animate in #{PLACE}\n{told}")
        files = {"image": options.picture}
        await sandbox.person(PERSON).run("animate", PLACE, {"prompt": options.prompt}, files=files)
        await asyncio.wait({story, bot.ended}, return_when=asyncio.FIRST_COMPLETED)
        if not story.done():
            raise Trouble("The bot ended before its time.")
        return await story
    except Refused as refused:
        terminal.say("discord", f"does not send this: {refused}")
        return None
    finally:
        story.cancel()
        await asyncio.gather(story, return_exceptions=True)


async def _until_stopped(options: Options, terminal: Terminal) -> int:
    """Run the demo until its end or a signal; all that was started is ended either way."""
    showing = asyncio.create_task(show(options, terminal))
    numbers: list[int] = []

    def stop(number: int) -> None:
        if not numbers:  # an impatient second Ctrl-C must not cut the tidying short
            showing.cancel()
        numbers.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    await asyncio.wait({showing})
    if not showing.cancelled():
        return showing.result()
    terminal.note("\nStopped. Nothing is left running.")
    return 128 + numbers[0]


def _options(arguments: list[str]) -> Options:
    """Read the arguments; ends with one sentence and status 2 when they cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.headless",
        description="See Kinora at work with no account: sandbox, bot, one /animate, and an MP4 to look at.",
    )
    parser.add_argument("--image", metavar="PATH", help="your own picture instead of the paper boat")
    parser.add_argument("--prompt", metavar="TEXT", help="what should happen in it")
    parser.add_argument("--out", metavar="DIR", default="demo-out", help="where the video goes (demo-out)")
    parser.add_argument("--quick", action="store_true", help="a small video, rendered in no time")
    given = parser.parse_args(arguments)
    try:
        picture = _picture(Path(given.image).expanduser() if given.image else PICTURE)
        out = Path(given.out).expanduser()
        _make_folder(out)
    except Trouble as trouble:
        print(_printable(str(trouble)), file=sys.stderr)
        sys.exit(2)
    prompt = given.prompt or (OWN_PROMPT if given.image else PICTURE_PROMPT)
    # An argument that is not UTF-8 comes as lone surrogates, which no JSON of Discord's has.
    return Options(picture, prompt.encode("utf-8", "replace").decode(), out, given.quick)


def _picture(path: Path) -> tuple[str, bytes]:
    try:
        if path.is_dir():
            raise Trouble(f"{path} is a folder; IMAGE must be a picture's file.")
        if path.exists() and not path.is_file():  # reading a pipe or a device might never end
            raise Trouble(f"{path} is not an ordinary file.")
        if path.stat().st_size > LARGEST:
            raise Trouble(f"{path} is larger than {_size(LARGEST)}; nobody can attach that in Discord.")
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise Trouble(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise Trouble(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / "bot.log").touch()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Trouble(f"The video cannot be put in {path}: {reason}.") from None


def main(arguments: list[str]) -> int:
    """Run the demo; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "…" still gets the rest
    options = _options(arguments)
    logging.basicConfig(level=logging.ERROR, format="sandbox: %(message)s")
    terminal = Terminal(sys.stdout)
    try:
        status = asyncio.run(_until_stopped(options, terminal))
    except (Trouble, OSError) as trouble:
        terminal.say("trouble", str(trouble))
        return 1
    if status == 0:
        terminal.note(NEXT)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
