"""`python -m tests.mutants [NAME …]`: judge all mutants, or those named; exit code 1 if one survives."""

from __future__ import annotations

import sys
import time

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import stale
from tests.mutants.run import HERE, Result, UnchangedFails, Verdict, run


def main(names: list[str]) -> int:
    """Judge, and print a table."""
    known = {mutant.name: mutant for mutant in MUTANTS}
    if unknown := [name for name in names if name not in known]:
        print(f"There is no mutant {', '.join(unknown)}. There are: {', '.join(known)}.")
        return 2
    if sentences := stale(MUTANTS, HERE):
        print("The catalogue (tests/mutants/catalogue.py) is to be mended:", *sentences, sep="\n  ")
        return 1
    chosen = tuple(known[name] for name in names) or MUTANTS
    began = time.monotonic()
    try:
        results = run(chosen, tell=tell)
    except UnchangedFails as error:
        print("The tests that the mutants name fail without any change:", error, sep="\n")
        return 1
    left = [result for result in results if result.verdict is not Verdict.NOTICED]
    for result in left:
        print(
            f"\n{result.mutant.name}: {result.verdict}: nothing keeps this promise: {result.mutant.promise}"
        )
        print(f"  {result.mutant.file}: {result.mutant.before!r} became {result.mutant.after!r}")
        print(f"  {' '.join(result.mutant.tests)}")
        if result.verdict is Verdict.BROKEN or names:
            print(result.output)
    print(f"\n{len(results)} mutants, {len(left)} survived, {time.monotonic() - began:.0f} s")
    return 1 if left else 0


def tell(result: Result) -> None:
    """Print one line of the table."""
    print(
        f"{result.verdict:8} {result.seconds:5.1f} s  {result.mutant.name:40} {result.mutant.promise}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
