"""Run pytest over and over, quickly: `python worker.py LIBRARY …`, started in the folder of a copy.

Each line on stdin names tests and a time limit; pytest runs them in a fork of this process, which has the
libraries loaded and nothing of the repository's, and a line on stdout tells how that ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

OPTIONS = (
    *("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-o", "timeout=0"),
    "--assert=plain",  # rewriting assertions takes longer than most of the tests
    *("-k", "not postgres"),
)


def run(tests: list[str], seconds: float) -> dict[str, Any]:
    """Have pytest run some tests in a fork; give its exit code (None: it took too long) and its output."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _become_pytest(tests, output.fileno())
        code = _wait(child, seconds)
        output.seek(0)
        return {"code": code, "output": output.read().decode(errors="replace")[-4000:]}


def _become_pytest(tests: list[str], output: int) -> None:
    code = 70
    try:
        os.setsid()  # what the tests start goes with them
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        import pytest

        code = int(pytest.main([*OPTIONS, *tests]))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code: int | None = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            code = None
            break
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return code


def main() -> None:
    """Answer lines until stdin ends."""
    sys.path[0] = str(Path.cwd())  # the copy's code, as `python -m pytest` would have it
    for library in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(run(asked["tests"], asked["seconds"])), flush=True)


if __name__ == "__main__":
    main()
