"""`python -m demo`: a chat in the browser that looks and feels like Discord's, with the bot in it.

The sandbox and its page run in this process, the bot as it ships in another. Exit status: 0 after Ctrl-C,
1 when it cannot start, 2 when the arguments cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import webbrowser
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

from demo import contract, page
from demo.backstage import Backstage
from demo.botprocess import BotProcess
from demo.signals import until_signal
from sandbox.house import House

PORTS = {"discord": 8710, "novita": 8720, "control": 8730}
BOOST = 3  # the server's level at first: files up to 100 MB, so that a video comes as it was rendered


@dataclass(frozen=True)
class Options:
    """What the visitor asked for."""

    port: int
    browser: bool
    bot: bool
    openapi: Path | None


async def serve(options: Options) -> int:
    """Serve the page until cancelled; all that was started is ended again."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kinora-demo-")))
        (folder / "sandbox").mkdir()
        house = House(
            data_dir=folder / "sandbox",
            openapi=options.openapi,
            discord_port=PORTS["discord"],
            novita_port=PORTS["novita"],
            control_port=options.port,
            any_port=True,
        )
        house.control.add(page.routes(lambda: house.discord.base_url), front_page=page.PATH)
        backstage = Backstage(house, folder, KINORA_POLL_SECONDS="1")
        if options.bot:
            house.control.add(backstage.routes())
        await house.start()
        stack.push_async_callback(house.stop)
        for guild in house.discord.world.guilds.values():
            guild.premium_tier = BOOST
        address = f"{house.control_url}{page.PATH}"
        print(f"Kinora, with no account:  {address}", flush=True)
        if options.bot:
            await stack.enter_async_context(backstage)
        if options.browser:  # some browsers hold on to whoever opened them
            Thread(target=webbrowser.open, args=[address], daemon=True).start()
        await (_greet(backstage.bot) if options.bot else _introduce(house))
        await asyncio.Event().wait()
    return 0


async def _greet(bot: BotProcess) -> None:
    if await bot.wait_online():
        print("The bot is online. Open the page and type /animate there. Ctrl-C ends it all.", flush=True)
    else:
        print("The bot did not come online. Its last words:", *bot.last_words(), sep="\n", flush=True)


async def _introduce(house: House) -> None:
    variables = [f"  {name}={value}" for name, value in contract.environment(house.environment()).items()]
    print("No bot runs here. Start one with:", *variables, sep="\n", flush=True)


def has_a_screen() -> bool:
    """Tell whether there is somebody to open a browser for."""
    if os.environ.get("CI"):
        return False
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))


def main(arguments: list[str]) -> int:
    """Read the arguments and serve; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Try Kinora in the browser, with no account: a chat like Discord's, and its backstage.",
    )
    parser.add_argument(
        "--port", type=int, default=PORTS["control"], help="the page's (8730); 0: any free one"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--no-bot", action="store_true", help="run no bot: for one that you start yourself")
    parser.add_argument(
        "--openapi", type=Path, default=os.environ.get("KINORA_OPENAPI"), metavar="PATH",
        help="hold the wire against Discord's OpenAPI document",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if given.openapi and not given.openapi.is_file():
        parser.error(f"there is no file {given.openapi}")
    if given.openapi and find_spec("jsonschema") is None:
        parser.error("holding the wire against a document needs the development requirements: make setup")
    browser = has_a_screen() and not given.no_browser
    options = Options(given.port, browser, not given.no_bot, given.openapi)
    logging.basicConfig(level=logging.ERROR, format="sandbox: %(message)s")
    try:
        asyncio.run(until_signal(serve(options)))
    except OSError as error:
        print(f"The demo cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
