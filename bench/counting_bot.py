"""The bot as it ships, which says how many statements its store has sent whenever asked (SIGUSR1).

`python -m bench.counting_bot` takes the arguments of `python -m bot`.
"""

from __future__ import annotations

import signal
import sys

import sqlalchemy as sa

from bot.__main__ import main as run_bot


def main(arguments: list[str]) -> int:
    """Run the bot, and count."""
    count = 0

    def executed(*_: object) -> None:
        nonlocal count
        count += 1

    sa.event.listen(sa.Engine, "after_cursor_execute", executed)
    signal.signal(signal.SIGUSR1, lambda *_: print(f"statements {count}", flush=True))
    return run_bot(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
