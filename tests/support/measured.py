"""`make coverage` loads this into pytest: what tests start is measured too, in whatever environment it gets.

Tests give the bot's process an environment of its own, in which coverage.py's word to start is missing; and a
process that is killed writes down nothing. So a bot that a test leaves running is stopped, not killed. What a
test kills is still lost, so what only runs before a SIGKILL counts as not run.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import Any

from tests.support.supervisor import Supervisor

CONFIG = "COVERAGE_PROCESS_CONFIG"
"""How coverage.py's own start-up file in site-packages knows what to measure."""
STOP_SECONDS = 15.0

_start = subprocess.Popen.__init__
_close = Supervisor.close


def _measured(self: subprocess.Popen[Any], *args: Any, **options: Any) -> None:
    if options.get("env") is not None and CONFIG in os.environ:
        options["env"] = {**options["env"], CONFIG: os.environ[CONFIG]}
    _start(self, *args, **options)


async def _stopped(self: Supervisor) -> None:
    if self.running:
        with suppress(TimeoutError):  # it is paused, say
            await self.stop(seconds=STOP_SECONDS)
    await _close(self)


subprocess.Popen.__init__ = _measured  # type: ignore[method-assign]
Supervisor.close = _stopped  # type: ignore[method-assign]
