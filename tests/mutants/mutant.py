"""A mutant: one small change to one file, the promise that it breaks, and the tests that should notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class StaleMutant(Exception):
    """A mutant whose text does not stand exactly once in its file any more: the catalogue is to be mended."""


@dataclass(frozen=True)
class Mutant:
    """Replaces `before`, which stands exactly once in `file`, by `after`.

    `promise` is what holds no longer then, in one sentence; `tests` are files or node ids of pytest's.
    """

    name: str
    promise: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> str:
        """Make the change below `root`; return the file's text as it was."""
        path = root / self.file
        was = path.read_text()
        path.write_text(self.changed(was))
        return was

    def undo(self, root: Path, was: str) -> None:
        """Put a file back."""
        (root / self.file).write_text(was)

    def changed(self, text: str) -> str:
        """Return a file's text with the change; raises `StaleMutant`."""
        if (count := text.count(self.before)) != 1:
            raise StaleMutant(f"{self.name}: its text stands {count} times in {self.file}: {self.before!r}")
        return text.replace(self.before, self.after)


def stale(mutants: tuple[Mutant, ...], root: Path) -> list[str]:
    """List what is to be mended in the catalogue, as sentences."""
    found = []
    for mutant in mutants:
        try:
            mutant.changed((root / mutant.file).read_text())
        except StaleMutant as error:
            found.append(str(error))
        except FileNotFoundError:
            found.append(f"{mutant.name}: there is no {mutant.file}")
    return found
