"""The walls of the house are closed: each forbidden import, planted alone into a copy, breaks `make lint`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Where an import is planted, and what it is.
PLANTED = {
    "SQL outside the store": ("bot/jobs/redelivery.py", "import sqlalchemy"),
    "a driver outside the store": ("bot/app.py", "import sqlite3"),
    "the store in a cog": ("cogs/show.py", "from bot.store.database import Database"),
    "the store in the ui": ("bot/ui/status.py", "from bot.store import jobs"),
    "the store in messaging": ("bot/messaging/editor.py", "import bot.store.tables"),
    "discord.py in jobs": ("bot/jobs/runner.py", "import discord"),
    "discord.py in the composition root": ("bot/app.py", "from discord import Client"),
    "discord.py in the domain": ("bot/domain/job.py", "import discord"),
    "an arrow that points up": ("bot/domain/job.py", "from bot.store import tables"),
    "siblings": ("bot/messaging/errors.py", "from bot.tree import KinoraTree"),
    "novita in media": ("bot/media/image.py", "from bot.novita import codec"),
    "HTTP in a button": ("bot/ui/components.py", "import aiohttp"),
    "HTTP in a cog": ("cogs/animate/_cog.py", "import aiohttp"),
    "the runner in a cog": ("cogs/animate/_cog.py", "from bot.jobs.runner import JobRunner"),
    "a cog in another": ("cogs/show.py", "from cogs.animate import _checks"),
    "a cog in the bot": ("bot/ui/modals.py", "import cogs.show"),
    "Procrastinate elsewhere": ("bot/engines/local.py", "import procrastinate"),
    "a decoder elsewhere": ("bot/files/images.py", "from PIL import Image"),
    "the sandbox in the bot": ("bot/client.py", "import sandbox"),
    "the bot in the sandbox": ("sandbox/journal.py", "from bot import settings"),
    "a clock in the domain's way": ("bot/domain/fairness.py", "import asyncio"),
    "a test in what tests share": ("tests/support/steps.py", "from tests.e2e import conftest"),
    "a test in a bench": ("bench/fitting.py", "from tests.soak import plan"),
    "a bench in a test": ("tests/media/test_pool.py", "import bench.fitting"),
    "a new room without a floor": ("bot/money/__init__.py", "from bot.domain import job"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold a copy's walls against its contracts."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=80
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    ignored = shutil.ignore_patterns("__pycache__", "web", "locales")
    packages = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    for package in packages:
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_house_as_it_stands_keeps_its_walls(copy: Path) -> None:
    found = lint(copy)
    assert found.returncode == 0, found.stdout + found.stderr
    assert " 0 broken" in found.stdout


def test_every_folder_of_the_tests_stands_in_a_contract() -> None:
    said = (ROOT / "pyproject.toml").read_text()
    folders = {path.parent.name for path in ROOT.glob("tests/*/__init__.py")} - {"support"}
    assert len(folders) >= 10
    assert {name for name in folders if len(re.findall(rf"tests\.{name}\b", said)) < 2} == set()


@pytest.mark.parametrize("case", PLANTED)
def test_a_forbidden_import_breaks_lint(copy: Path, case: str) -> None:
    name, line = PLANTED[case]
    file = copy / name
    before = file.read_text() if file.exists() else None
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{before or ''}\n{line}\n")
    try:
        found = lint(copy)
    finally:
        if before is None:
            shutil.rmtree(file.parent)
        else:
            file.write_text(before)
    assert found.returncode != 0, found.stdout
    assert "BROKEN" in found.stdout or "not in" in found.stdout.lower(), found.stdout + found.stderr
