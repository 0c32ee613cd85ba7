"""Make `57c1406.db`: the ledger of commit 57c1406, written by that commit's own code.

    python -m tests.upgrades.make_old_database

takes the commit out of git into a temporary folder and runs `tests/upgrades/old_rows.py` on it there. What is
written is the same every time, but for the names of the runs, which are random.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.upgrades.old_checkout import COMMIT, check_out

HERE = Path(__file__).parent
OLD_DATABASE = HERE / f"{COMMIT}.db"


def main() -> int:
    """Make the file anew."""
    with tempfile.TemporaryDirectory() as folder:
        if (old := check_out(Path(folder))) is None:
            print(f"this clone has no commit {COMMIT}: git fetch --unshallow", file=sys.stderr)
            return 1
        new = Path(folder) / OLD_DATABASE.name
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(old)}
        # In isolation from this folder's `bot`: -P leaves the script's own folder out of the path, too.
        command = [sys.executable, "-P", str(HERE / "old_rows.py"), str(new)]
        subprocess.run(command, cwd=folder, env=environ, check=True)
        OLD_DATABASE.write_bytes(new.read_bytes())
    print(f"{OLD_DATABASE}: {OLD_DATABASE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
