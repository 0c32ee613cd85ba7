"""Run the sandbox: `python -m sandbox` (see --help)."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from sandbox.house import DEFAULT_KEY, DEFAULT_TOKEN, House
from sandbox.journal import KEPT


def main() -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    options = _parse(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    with ExitStack() as stack:
        data_dir = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
        data_dir.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_serve(options, data_dir))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Discord and Novita on this machine: one line of JSON says where, when it is ready.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for name, port in (("discord", 8710), ("novita", 8720), ("control", 8730)):
        parser.add_argument(f"--{name}-port", type=int, default=port, metavar="PORT", help="0: any free port")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the Discord bot token to accept")
    parser.add_argument("--key", default=DEFAULT_KEY, help="the Novita API key to accept")
    parser.add_argument("--openapi", type=Path, metavar="PATH", help="hold the wire against this document")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep uploads and videos here")
    parser.add_argument("--seed", type=int, help="make random choices repeatable")
    parser.add_argument("--journal", type=int, default=KEPT, metavar="N", help="keep the last N exchanges")
    options = parser.parse_args(arguments)
    if options.openapi and not options.openapi.is_file():
        parser.error(f"there is no file {options.openapi}")
    return options


async def _serve(options: argparse.Namespace, data_dir: Path) -> int:
    house = House(
        data_dir=data_dir,
        token=options.token,
        key=options.key,
        discord_port=options.discord_port,
        novita_port=options.novita_port,
        control_port=options.control_port,
        openapi=options.openapi,
        seed=options.seed,
        journal_kept=options.journal,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        await house.start()
    except OSError as error:
        print(
            f"The sandbox cannot start: {error}. Another one running? See --help for ports.", file=sys.stderr
        )
        return 1
    print(json.dumps(house.environment()), flush=True)
    await stopping.wait()
    await house.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
