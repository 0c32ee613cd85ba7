"""SQLite's file, watched: whoever deletes or replaces it takes the memory of what is paid."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


class OpenFile:
    """The file that SQLite has open, beside what its path leads to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # By O_PATH: to close any other descriptor of the file would drop SQLite's own locks on it.
        self._descriptor = os.open(path, getattr(os, "O_PATH", os.O_RDONLY))
        self._in_place = True

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def in_place(self) -> bool:
        """Return whether the path leads to the file; log it once when that changes."""
        found = self._is_there()
        if self._in_place and not found:
            log.error(
                "%s was deleted or replaced while Kinora has it open: nothing new is taken or paid, for the "
                "next start would not know of it. What is paid is still delivered; then stop Kinora, put the "
                "right file there, and start it.",
                self._path,
            )
        elif found and not self._in_place:
            log.warning("%s is in its place again", self._path)
        self._in_place = found
        return found

    def _is_there(self) -> bool:
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # nothing certain: SQLite itself will say
            return True
        return os.path.samestat(found, os.fstat(self._descriptor))
