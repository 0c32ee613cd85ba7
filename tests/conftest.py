"""How properties are searched (without a clock, and always the same way in CI); engines, and quick starts."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import Postgres
from tests.support.warm import Warm, warmed

# A machine that is out of breath is no reason to fail either.
BREATH = [HealthCheck.too_slow]
settings.register_profile("here", deadline=None, suppress_health_check=BREATH)
settings.register_profile("ci", deadline=None, suppress_health_check=BREATH, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


MEMORY = Path("/dev/shm")  # noqa: S108 — only pytest's own folder goes there, which nobody else can read
ROOM = 4 * 2**30
ON_BOTH = ("tests/e2e/", "tests/reliability/", "tests/upgrades/")
ENGINES = ("sqlite", "postgres")
ON_THE_WIRE = (
    *("tests/reliability/test_faults.py", "tests/reliability/test_wrong_answers.py"),
    *("tests/e2e/test_novita_errors.py", "tests/e2e/test_every_answer.py", "tests/e2e/test_arrives.py"),
)
"""What goes wrong at Discord or Novita, and leaves the database out: each on one engine."""
ON_POSTGRES_ONLY = ("tests/scale/", "tests/e2e/test_database_away.py")


def pytest_configure() -> None:
    """Keep files in memory where there is room: hundreds of ledgers wait for their disk at every commit."""
    if _has_room():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _has_room() -> bool:
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what makes up `make test-postgres`, and let what may take longest begin first."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    for item in items:
        engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
        if item.nodeid.startswith(ON_POSTGRES_ONLY) or (
            item.nodeid.startswith(ON_BOTH) and engine == "postgres"
        ):
            item.add_marker("postgres")
    elsewhere = [item for item in items if _is_made_on_the_other_engine(item)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


def _is_made_on_the_other_engine(item: pytest.Item) -> bool:
    """Tell whether a fault on the wire is left to the other suite: both are run for the page only."""
    if "KINORA_WRITE_RELIABILITY" in os.environ or not item.nodeid.startswith(ON_THE_WIRE):
        return False
    engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
    experiment = item.nodeid.replace(str(engine), "")
    return engine is not None and engine != ENGINES[zlib.crc32(experiment.encode()) % 2]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this run, one for all its processes.

    Not in pytest's own folder: for root, the server runs as somebody else, whom the next pytest shuts out.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid():x}")[:12]
    # In memory where there is room: each test's database is hundreds of files, made and removed.
    folder = MEMORY if _has_room() else Path(tempfile.gettempdir())
    server = Postgres(folder / f"kinora-postgres-{run}")
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Postgres | None:
    """Where ledgers are in this test: on the PostgreSQL server, or, if None, each in a SQLite file."""
    if request.param == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server


@pytest.fixture
async def database_url(engine: Postgres | None, tmp_path: Path) -> str:
    """An empty ledger."""
    return await engine.database() if engine else f"sqlite:///{tmp_path}/kinora.db"


@pytest.fixture(scope="session")
async def warm() -> AsyncIterator[Warm]:
    """The process that forks sandboxes and bots."""
    async with warmed() as warm:
        yield warm
