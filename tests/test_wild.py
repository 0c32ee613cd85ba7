"""Data in the wild: names that rows, messages and scripts out there depend on, and that never change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.domain.job import DeliveryMethod, Job, State
from bot.engines import postgres
from bot.novita.models import CATALOGUE
from bot.store import jobs as store_jobs
from bot.store import queue as store_queue
from bot.store.tables import jobs, metadata
from bot.ui import results, status
from bot.ui.components import BUTTONS, is_button_of
from bot.ui.i18n import texts
from tests.support.jobs import a_job

COLUMNS = """
    id state run created_at asker_id guild_id channel_id wants_thread model prompt negative_prompt cfg_scale
    duration price still_done token source_url card_id target_id submitted_at task_id video_url
    video_expires_at video_message_id how parent_id upload_limit detour origin_channel_id origin_card_id
    again_as check_at ended_at problem reason cost told queued_at turn_at turn_round turn_lap
"""
STATES = "accepted submitting rendering rendered delivered unconfirmed failed cancelled"


def test_columns_that_rows_have_are_still_there() -> None:
    assert set(COLUMNS.split()) <= {column.name for column in jobs.columns}
    assert {"jobs", "shared"} <= set(metadata.tables)
    assert {state.value for state in State} >= set(STATES.split())
    assert store_queue.PAUSED == "novita paused until"
    assert store_jobs.OLDEST_PAYING == "oldest version allowed to pay"


def test_the_queue_finds_the_rows_of_earlier_versions() -> None:
    assert postgres.QUEUE == "jobs"
    assert postgres.TASK == "drive"


def test_messages_of_earlier_versions_are_found() -> None:
    job = a_job(id="abcdefghjk23", task_id="t-1")
    assert status.footer(job) == "job abcdefghjk23 · task t-1"
    assert status.image_name(job) == "still-abcdefghjk23.jpg"
    assert status.image_name(a_job(id="abcdefghjk23", source_image="png")) == "still-abcdefghjk23.png"
    assert status.is_image_of("still-abcdefghjk23.png", job.id)
    assert results.video_name(job) == "kinora-abcdefghjk23.mp4"
    assert results.is_video_of("kinora-abcdefghjk23.mp4", job.id)
    assert results.is_video_message("job abcdefghjk23 · task t-1 · delivered", job.id)
    assert results.is_video_message("job abcdefghjk23 · delivered", job.id)
    video = results.video_message(job, DeliveryMethod.ATTACHED, CATALOGUE, texts())
    assert video.embed.footer.text == "job abcdefghjk23 · task t-1 · delivered"


@pytest.mark.parametrize(
    ("changes", "footer"),
    [
        ({"state": "failed", "problem": "input"}, "job abcdefghjk23 · input"),
        ({"state": "unconfirmed", "problem": "unconfirmed"}, "job abcdefghjk23 · unconfirmed"),
    ],
)
def test_verdicts_of_earlier_versions_are_found(changes: dict[str, str], footer: str) -> None:
    assert results.verdict_footer(a_job(id="abcdefghjk23", **changes)) == footer


def test_buttons_of_earlier_versions_are_answered() -> None:
    patterns = [kind.__discord_ui_compiled_template__ for kind in BUTTONS]
    for custom_id in ("kinora:again:abcdefghjk23", "kinora:letgo:abcdefghjk23"):
        assert sum(bool(pattern.fullmatch(custom_id)) for pattern in patterns) == 1
        assert is_button_of(custom_id, "abcdefghjk23")


def test_the_image_of_an_earlier_versions_row_is_read() -> None:
    def image(job: Job) -> tuple[str, tuple[str, ...]]:
        return job.source.format, job.source.changes

    assert image(a_job(source_image="png converted_from:bmp scaled:1x2")) == (
        "png",
        ("converted_from:bmp", "scaled:1x2"),
    )
    assert image(a_job(source_image="")) == ("jpeg", ())


def test_exit_codes_and_the_old_commands(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "bot", *arguments]
        environ = {"PYTHONPATH": str(Path(__file__).parent.parent)}
        found = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        return found.returncode, found.stdout + found.stderr

    code, said = run()
    assert (code, "DISCORD_TOKEN" in said, "NOVITA_API_KEY" in said) == (2, True, True)
    assert run("nonsense")[0] == 2
    code, said = run("move", "sqlite:///nothing.db")  # its new name is import-sqlite
    assert (code, "DISCORD_TOKEN" in said) == (2, True)
