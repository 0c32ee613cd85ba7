"""docs/reliability.md: what the experiments say, row by row.

Each test holds its own row against the page, so a page that is out of date fails where it is. To write it
anew: `python -m tests.reliability.page` runs all experiments, and writes the page if every one of them ran
and passed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support import REPOSITORY

PAGE = REPOSITORY / "docs/reliability.md"
COLLECT = "KINORA_WRITE_RELIABILITY"
"""The folder where each experiment leaves its row for the page, in place of holding it against the page."""

TOP = """\
# What survives what

This page is written by the tests (`make reliability`), never by hand. Every row is an experiment over real
processes and real wires: the bot against the sandbox, one `/animate` unless the row says otherwise. `make test`
repeats them (without the slowest) and fails where this page no longer says what happens.

**Paid** is what Novita's side took. **Videos** and **Told** count messages: those that bring the video, and those
that tell of an end without one. No row pays twice or posts a video twice. Every experiment is made on both engines,
with the jobs in a SQLite file and in PostgreSQL, and each row is what came of it on both.

## Where it dies

At the point named, the process ends itself with SIGKILL, and then the bot is started again (both are processes of their
own, forked from one that has imported the code already, to save time). *Before commit* means that
the statement was executed and its transaction is open; *half* means that half of the request's body is on the wire,
or half of the answer on disk; *answered* means that the answer has arrived and the bot has not looked at it yet. *An
hour later*, Discord has forgotten the nonce and the interaction's token is dead.

A death before the job is committed leaves Discord's own “thinking…”, which ends by itself after 15 minutes: nothing
was promised and nothing is paid. *Unconfirmed* is right from the commit that lets the paid request leave to the
commit of Novita's answer: from outside, those moments look the same, so a person decides.

"""  # noqa: E501
MIDDLE = """
## What goes wrong on the wire

The request named meets the fault once, or three times in a row. *Met* is how many requests did: fewer than three where
the bot rightly does not ask again. The paid request was counted too: it was sent once, unless it was refused with a 429.

"""  # noqa: E501
LAST = """
## Wrong answers

The request named is answered with something that should not be, three times in a row where the bot rightly asks again.
Whether the paid request may be sent again is decided by its status first, since a task may have been made whatever the
answer says; only a refusal in Novita's own words is a refusal; and what an edge says speaks of nobody's model, key, task or
place.

"""  # noqa: E501
HEADS = {
    "crashes": ("It dies", "Paid", "Videos", "Told", "The card", "The row"),
    "faults": ("The request", "The fault", "Met", "Paid", "Videos", "Told", "The card"),
    "wrong": ("The request", "The answer", "Met", "Paid", "Videos", "Told", "The card"),
}


@dataclass(frozen=True)
class Outcome:
    """How one job ended, as Novita, the people, the card and the row have it."""

    paid: int
    videos: int
    told: int
    card: str
    row: str


def line(*cells: object) -> str:
    """Lay out one row of a table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def writing() -> bool:
    """Tell whether this run is for a new page."""
    return COLLECT in os.environ


def settle(table: str, key: tuple[str, ...], *cells: object) -> None:
    """Hold a row against the page, or leave it for the new page."""
    row = line(*key, *cells)
    if folder := os.environ.get(COLLECT):
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False) as file:
            json.dump({"table": table, "key": key, "row": row}, file)
        return
    assert row in _page(), f"docs/reliability.md does not have this row; `make reliability` writes it:\n{row}"


def _page() -> list[str]:
    return PAGE.read_text().splitlines() if PAGE.exists() else []


def outcome_cells(outcome: Outcome) -> tuple[object, ...]:
    """Give an outcome's cells."""
    return tuple(asdict(outcome).values())


def keys() -> dict[str, list[tuple[str, ...]]]:
    """List the experiments there are, table by table, in the order of the page."""
    from tests.reliability import test_crashes, test_faults, test_wrong_answers

    return {
        "crashes": [*test_crashes.KEYS],
        "faults": [*test_faults.KEYS],
        "wrong": [*test_wrong_answers.KEYS],
    }


def rows_of_page() -> list[str]:
    """List the rows that the page has now."""
    heads = {line(*head) for head in HEADS.values()}
    return [
        row for row in _page() if row.startswith("| ") and row not in heads and not row.startswith("| ---")
    ]


def write(folder: Path) -> list[str]:
    """Write the page from the rows in a folder; gives what lacks a row, or has another on each engine.

    Then nothing is written.
    """
    found: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for file in folder.glob("*.json"):
        row = json.loads(file.read_text())
        found[row["table"], tuple(row["key"])].add(row["row"])
    wanted = keys()
    unclear = [
        f"{table}: {key}: {sorted(found[table, key])}"
        for table in wanted
        for key in wanted[table]
        if len(found[table, key]) != 1
    ]
    if not unclear:
        parts = []
        for table, top in (("crashes", TOP), ("faults", MIDDLE), ("wrong", LAST)):
            head = HEADS[table]
            rows = [row for key in wanted[table] for row in found[table, key]]
            parts.append(top + "\n".join([line(*head), line(*["---"] * len(head)), *rows]) + "\n")
        PAGE.write_text("".join(parts))
    return unclear


def main() -> int:
    """Run everything and write the page; gives an exit code."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, COLLECT: folder}
        both = "postgres or not postgres"  # usually each has a run of its own
        command = [sys.executable, "-m", "pytest", "-m", both, "tests/reliability"]
        if code := subprocess.run(command, cwd=REPOSITORY, env=environ).returncode:
            return code
        unclear = write(Path(folder))
    print(*(f"not one row for {key}" for key in unclear), sep="\n", file=sys.stderr)
    return 1 if unclear else 0


if __name__ == "__main__":
    sys.exit(main())
