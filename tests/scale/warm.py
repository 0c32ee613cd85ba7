"""The process that forks the others, here with a Discord of four servers and a bot that can be stopped."""

from __future__ import annotations

import socket
import sys

from tests.support import warm


def main(line: int) -> None:
    """Import everything once, then fork for each request."""
    from tests.scale import house, process

    warm._import()
    warm._MAINS["tests.scale.house"] = lambda _: house.main()
    warm._MAINS["tests.scale.process"] = process.main
    with socket.socket(fileno=line) as requests:
        warm._serve(requests)


if __name__ == "__main__":
    main(int(sys.argv[1]))
