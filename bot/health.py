"""Whether a running bot is of use, told through a file: it touches it, and `python -m bot health` looks.

The look is taken every half minute for as long as a container lives, so nothing heavy is imported here.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)

HEALTH_FILE = "alive"
HEALTH_SECONDS = 20.0
"""How often the file is touched; three times as old, it tells that the bot is of no use."""


class HealthFile:
    """The file in the folder that both sides know."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / HEALTH_FILE
        self._failed = False

    def touch(self) -> None:
        """Tell that the bot is of use; a file that cannot be written is logged once, and raises nothing."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch()  # also on a full disk, as long as the file is there
        except OSError as error:
            if not self._failed:
                log.error(
                    "health: %s cannot be written (%s); tried again every %.0f s",
                    self._file,
                    error.strerror,
                    HEALTH_SECONDS,
                )
            self._failed = True
            return
        if self._failed:
            log.warning("health: %s is written again", self._file)
        self._failed = False

    def is_fresh(self) -> bool:
        """Return whether the bot has told so lately."""
        try:
            age = time.time() - self._file.stat().st_mtime
        except OSError:
            return False
        return age < 3 * HEALTH_SECONDS
