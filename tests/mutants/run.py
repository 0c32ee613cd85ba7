"""Apply the mutants one by one to copies of the repository, and see whether the tests notice."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.mutants.mutant import Mutant

WORKERS = 2
SECONDS = 60.0
"""How long the tests of one mutant may take; one that makes them hang is noticed by that."""
UNCHANGED_SECONDS = 300.0
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "node_modules", "data", "demo-out", "web"
)
LIBRARIES = (
    "pytest",
    "hypothesis.strategies",
    "pytest_asyncio.plugin",
    "xdist.plugin",
    "procrastinate",
    "discord.ext.commands",
    "aiohttp.web",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "aiosqlite",
    "alembic.command",
    "psycopg",
    "jsonschema",
    "psutil",
    "PIL.Image",
    "babel.messages",
)
"""What takes long to import: each copy's process does it once."""
HERE = Path(__file__).parents[2]


class Verdict(StrEnum):
    """What became of a mutant."""

    NOTICED = "noticed"  # a test failed, or hung
    SURVIVED = "SURVIVED"  # they all passed
    BROKEN = "BROKEN"  # pytest could not run them, which says nothing


@dataclass(frozen=True)
class Result:
    """How one mutant went; `output` is pytest's."""

    mutant: Mutant
    verdict: Verdict
    seconds: float
    output: str


class UnchangedFails(Exception):
    """The tests that the mutants name do not pass without any change; the message is pytest's output."""


class Copy:
    """A copy of the repository, and a process that runs pytest in it."""

    def __init__(self, source: Path, folder: Path, libraries: Sequence[str]) -> None:
        self.folder = folder
        shutil.copytree(source, folder, ignore=LEFT_OUT)
        # Compiled files are found by their source's hash: a change within the same second counts, too.
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "."],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        # CI: hypothesis tries the same examples each time. No compiled files of changed sources are kept.
        environ = os.environ | {"CI": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._worker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py")), *libraries],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.close()
        self._worker.wait(10)
        self._worker.stdout.close()

    def pytest(self, tests: Sequence[str], seconds: float) -> dict[str, Any]:
        """Run tests as the copy stands now."""
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.write(json.dumps({"tests": list(tests), "seconds": seconds}) + "\n")
        self._worker.stdin.flush()
        answer: dict[str, Any] = json.loads(self._worker.stdout.readline())
        return answer

    def judge(self, mutant: Mutant) -> Result:
        """Apply a mutant, run its tests, and put the file back."""
        began = time.monotonic()
        was = mutant.apply(self.folder)
        try:
            answer = self.pytest(mutant.tests, SECONDS)
        finally:
            mutant.undo(self.folder, was)
        if answer["code"] is None:  # noticed, unless they are this slow without the change, too
            unchanged = self.pytest(mutant.tests, SECONDS)
            answer["code"] = 1 if unchanged["code"] == 0 else None
        verdict = {0: Verdict.SURVIVED, 1: Verdict.NOTICED}.get(answer["code"], Verdict.BROKEN)
        return Result(mutant, verdict, time.monotonic() - began, answer["output"])

    def check(self, tests: Sequence[str]) -> None:
        """Raise `UnchangedFails` unless tests pass as the repository stands."""
        answer = self.pytest(tests, UNCHANGED_SECONDS)
        if answer["code"] != 0:
            raise UnchangedFails(f"{answer['output']}\n(pytest: {answer['code']})")


@contextlib.contextmanager
def copies(source: Path, count: int, libraries: Sequence[str]) -> Iterator[list[Copy]]:
    """Copy the repository some times, for a while."""
    with tempfile.TemporaryDirectory(prefix="kinora-mutants-", dir=_memory()) as folder:
        made: list[Copy] = []
        try:
            for n in range(count):
                made.append(Copy(source, Path(folder) / str(n), libraries))
            yield made
        finally:
            for copy in made:
                copy.close()


def run(
    mutants: Sequence[Mutant],
    source: Path = HERE,
    tell: Callable[[Result], None] = lambda _result: None,
    libraries: Sequence[str] = LIBRARIES,
) -> list[Result]:
    """Judge mutants, two at a time, and tell of each; raises `UnchangedFails` before anything is changed."""
    with (
        copies(source, min(WORKERS, len(mutants)), libraries) as made,
        ThreadPoolExecutor(len(made)) as pool,
    ):
        named = sorted({test for mutant in mutants for test in mutant.tests})
        shares = [(copy, named[n :: len(made)]) for n, copy in enumerate(made)]
        list(pool.map(lambda share: share[0].check(share[1]) if share[1] else None, shares))
        free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for copy in made:
            free.put(copy)

        def judge(mutant: Mutant) -> Result:
            copy = free.get()
            try:
                result = copy.judge(mutant)
            finally:
                free.put(copy)
            tell(result)
            return result

        return list(pool.map(judge, mutants))


def _memory() -> str | None:
    """Return where files are kept in memory, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 — a folder of our own in it
