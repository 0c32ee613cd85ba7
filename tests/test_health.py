from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.health import HEALTH_SECONDS, HealthFile
from tests.support import REPOSITORY

LOOK = """
import sys
from bot.__main__ import main
code = main(["health"])
print(code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {"discord", "aiohttp", "sqlalchemy", "alembic", "psycopg", "PIL", "av", "asyncio", "dotenv"}


def test_the_look_imports_only_what_it_needs(tmp_path: Path) -> None:
    HealthFile(tmp_path).touch()
    environ = {
        "PYTHONPATH": str(REPOSITORY),
        "DISCORD_TOKEN": "token",
        "NOVITA_API_KEY": "sk_key",
        "KINORA_DATA_DIR": str(tmp_path),
    }
    looked = subprocess.run(
        [sys.executable, "-c", LOOK], env=environ, cwd=tmp_path, text=True, capture_output=True, check=True
    )
    said, told = looked.stdout.splitlines()
    code, *modules = told.split()
    assert (said, code) == ("connected", "0")
    assert "bot" in modules
    assert not HEAVY & set(modules)


def test_a_file_that_is_old_or_not_there_tells_of_no_use(tmp_path: Path) -> None:
    file = HealthFile(tmp_path)
    assert not file.is_fresh()
    file.touch()
    assert file.is_fresh()
    alive = tmp_path / "alive"
    os.utime(alive, (alive.stat().st_atime, alive.stat().st_mtime - 3 * HEALTH_SECONDS))
    assert not file.is_fresh()


def test_a_file_that_cannot_be_written_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.write_text("no folder")
    file = HealthFile(folder)
    file.touch()
    file.touch()
    assert len(caplog.records) == 1
    assert not file.is_fresh()
    folder.unlink()  # and made anew
    file.touch()
    assert file.is_fresh()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
