"""The code of commit 57c1406, taken out of git: the last one that ran on tables without publications."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from tests.support import REPOSITORY

COMMIT = "57c1406"


def check_out(folder: Path) -> Path | None:
    """Put that commit's bot and cogs into a folder and return it; None where the clone has not got it."""
    found = subprocess.run(
        ["git", "archive", COMMIT, "bot", "cogs"], cwd=REPOSITORY, capture_output=True, check=False
    )
    if found.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
