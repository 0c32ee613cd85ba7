"""Hundreds of jobs while everything goes wrong: is anything lost, or done twice?

Run with `python -m tests.soak [--jobs 1000] [--kills 50] [--seed N] [--minutes M]`. People run /animate all
over a server, faults hit every request of the road at random, and the bot is killed with -9 again and again.
At the end the faults stop, everything settles, and the sandbox's own records are held against the database's
rows. Prints a summary; exits 1 with all that is known of each offending job when something was lost or
doubled.

The seed decides every choice (who asks what and where, which fault on which request, how the bot ends). The
moments at which they meet are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import client
from sandbox.client import Json, Sandbox
from tests.soak.checks import Evidence, Violation, _end_of, check, gather
from tests.soak.plan import (
    UNFORESEEN,
    Happened,
    Plan,
)
from tests.soak.records import _clock
from tests.soak.run import Soak
from tests.support.kinora import Kinora


@dataclass
class Report:
    """The verdict and its numbers."""

    plan: Plan
    evidence: Evidence
    happened: Happened
    violations: list[Violation]
    unforeseen: list[str]
    """Lines of the bot's log that tell of an error nobody foresaw."""
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled or unforeseen."""
        return not (self.violations or self.unforeseen or self.happened.troubles)

    def outcomes(self) -> Counter[str]:
        """Count the jobs by how they ended."""
        return Counter(
            row["state"] + (f", {row['problem']}" if row["state"] == "failed" else "")
            for row in self.evidence.rows
        )

    def summary(self) -> str:
        """Show what happened in a calm table."""
        rows, happened = self.evidence.rows, self.happened
        faults = Counter(seen.fault for seen in self.evidence.wire if seen.fault)
        hit = Counter(seen.side for seen in self.evidence.wire if seen.fault)
        sorts = Counter(violation.sort for violation in self.violations)
        lines = [
            ("seed", str(self.plan.seed)),
            (
                "asked",
                f"{happened.asked} times, {happened.asked - len(rows)} never accepted (bot away, or a fault)",
            ),
            ("jobs", f"{len(rows)}"),
            ("bot ended", f"{len(happened.kills)} kills, {len(happened.stops)} clean stops"),
            ("faults", f"{faults.total()}: {_listed(hit)}"),
            ("", _listed(faults)),
            ("storms", f"{happened.storms.total()}: {_listed(happened.storms)}"),
            ("outcomes", _listed(self.outcomes())),
            ("payments", f"{len(self.evidence.payments)}, ${self.evidence.spent / 10_000:,.2f}"),
            *((sort, str(sorts[sort])) for sort in ("lost", "doubled", "money", "card")),
            ("bot's own errors", str(len(self.unforeseen) + len(happened.troubles))),
            ("duration", f"{self.seconds / 60:.1f} minutes"),
        ]
        return "\n".join(f"{name:18}{value}" for name, value in lines)

    def details(self) -> str:
        """Tell all that is known of each offending job."""
        parts = [*self.happened.troubles, *self.unforeseen]
        jobs = {row["id"]: row for row in self.evidence.rows}
        for job in dict.fromkeys(violation.job for violation in self.violations):
            parts.append(f"\njob {job}" if job else "\nin all")
            parts += [f"  {v.sort}: {v.sentence}" for v in self.violations if v.job == job]
            if job:
                parts += [f"  {line}" for line in self._story(jobs[job])]
        return "\n".join(parts)

    def _story(self, row: Json) -> list[str]:
        names = ("id", "card_id", "task_id", "prompt")
        marks = {str(row[name]) for name in names if row[name]} | {f"{row['id']}-card"}
        if row["target_id"] != row["channel_id"]:
            marks.add(str(row["target_id"]))
        told = {name: value for name, value in row.items() if value not in (None, "", 0)}
        wire = [(exchange.at, str(exchange)) for exchange in self.evidence.wire if marks & exchange.marks]
        kills = [
            (kill, f"{_clock(kill)} -- the bot is killed")
            for kill in self.happened.kills
            if row["created_at"] <= kill <= _end_of(row) + 5
        ]
        return [json.dumps(told, default=str), *(line for _, line in sorted([*wire, *kills]))]


def _listed(counts: Counter[Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


async def soak(plan: Plan, folder: Path) -> Report:
    """Do one run in an empty folder."""
    report: Report | None = None
    # The recorder keeps what matters of the wire, so the sandbox itself need not.
    flags = ("--data", str(folder / "sandbox"), "--seed", str(plan.seed), "--journal", "500")
    try:
        async with client.start(*flags) as sandbox:
            report = await _soak(plan, folder, sandbox)
    except RuntimeError as error:
        if report is None:
            raise
        print(error, file=sys.stderr)  # an hour's result is not lost for a sandbox that ends slowly
    return report


async def _soak(plan: Plan, folder: Path, sandbox: Sandbox) -> Report:
    started = time.monotonic()
    kinora = Kinora(sandbox, folder, {"KINORA_MAX_RENDERS": "24"})
    run = Soak(plan, sandbox, kinora)
    try:
        await run.run()
        evidence = await gather(run)
        await kinora.stop()
    finally:
        if kinora.running:
            await kinora.kill()
    unforeseen = [line for line in kinora.log if any(sign in line for sign in UNFORESEEN)]
    (folder / "bot.log").write_text(kinora.text)
    return Report(plan, evidence, run.happened, check(evidence), unforeseen, time.monotonic() - started)


def _plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Is anything lost, or done twice?"
    )
    parser.add_argument("--jobs", type=int, default=Plan.jobs)
    parser.add_argument("--kills", type=int, default=Plan.kills)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=Plan.minutes, help="ask no longer than this")
    return Plan(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str]) -> int:
    """Run, report; 1 when an invariant broke."""
    plan = _plan(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(soak(plan, Path(folder)))
    print(report.summary())
    if not report.good:
        print(report.details())
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
