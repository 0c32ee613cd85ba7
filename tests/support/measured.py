"""`make coverage` loads this into pytest: what tests start is measured too, in whatever environment it gets.

Tests give the bot's process an environment of its own, in which coverage.py's word to start is missing. A
process that is killed writes down nothing, so what only runs before a SIGKILL counts as not run.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

CONFIG = "COVERAGE_PROCESS_CONFIG"
"""How coverage.py's own start-up file in site-packages knows what to measure."""

_start = subprocess.Popen.__init__


def _measured(self: subprocess.Popen[Any], *args: Any, **options: Any) -> None:
    if options.get("env") is not None and CONFIG in os.environ:
        options["env"] = {**options["env"], CONFIG: os.environ[CONFIG]}
    _start(self, *args, **options)


subprocess.Popen.__init__ = _measured  # type: ignore[method-assign]
